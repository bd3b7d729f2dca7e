"""The operators of a run in all the forms that the facts of their modules give them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from hwsim.errors import InputError
from hwsim.training.facts import KEPT, Facts
from hwsim.training.paths import innermost
from hwsim.training.run import TrainingRun
from hwsim.training.tally import Column
from hwsim.training.varied import varied
from hwsim.workload import Operator


@dataclass(frozen=True)
class Variants:
    """One operator of a distinct step of a run."""

    operator: Operator
    """As traced."""
    structure: int
    """Number of the distinct step."""
    forms: tuple[tuple[int, Operator], ...]
    """Columns of the tally that count it, with what it is there."""

    @property
    def is_update(self) -> bool:
        """Whether steps count that ran the module at all, not how much of it they ran."""
        return self.operator.phase in ("optimizer", "control")


def variants(run: TrainingRun) -> list[Variants]:
    """Return every operator of every distinct step.

    Raises
    ------
    InputError
        If facts tell of tokens, heads, rows or edges and no operator of the module has such a size.
    """
    columns: dict[int, dict[str | None, list[tuple[int, Column]]]] = defaultdict(lambda: defaultdict(list))
    for place, column in enumerate(run.tally.columns):
        columns[column.structure][column.module].append((place, column))
    found = [one for structure in columns for one in _of_step(run, structure, columns[structure])]
    _check_sizes(run.tally.columns, found)
    return found


def _of_step(
    run: TrainingRun, structure: int, columns: dict[str | None, list[tuple[int, Column]]]
) -> Iterator[Variants]:
    annotated = {path for path in columns if path is not None}
    for operator in run.executions[structure][0].operators:
        of_module = columns[innermost(operator.module, annotated)]
        yield Variants(operator, structure, tuple((place, varied(operator, one.facts)) for place, one in of_module))


def _check_sizes(columns: tuple[Column, ...], found: list[Variants]) -> None:
    """Refuse numbers of tokens, heads, rows or edges that no operator has, of all in the modules that report them."""
    operators: dict[int, list[Operator]] = defaultdict(list)
    for one in found:
        for place, _ in one.forms:
            operators[place].append(one.operator)
    places: dict[tuple[str, tuple[int, int]], list[int]] = defaultdict(list)
    for place, column in enumerate(columns):
        for name in KEPT:
            pair = getattr(column.facts, name)
            if pair and pair[0] < pair[1]:
                places[name, pair].append(place)
    for (name, pair), of_pair in places.items():
        alone = Facts.model_validate({name: pair})
        if all(varied(one, alone) == one for place in of_pair for one in operators[place]):
            rule = f"{name} must be kept out of a number that an operator of the module has as a size"
            raise InputError(rule, field=columns[of_pair[0]].module or "", value=pair[1])
