"""One workload of a step of which no trace has shown every module, because each skipped some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container

from hwsim.training.paths import inside
from hwsim.workload import Operator, Workload


def completed(new: Workload, old: Workload, absent: Container[str]) -> Workload:
    """Return ``new`` with the operators that ``old`` has in the ``absent`` modules, each after what came before it.

    What is inserted has no tensor identities: its dependences were those of another execution.
    """
    places = {(operator.name, operator.phase): place for place, operator in enumerate(new.operators)}
    inserted: dict[int, list[Operator]] = defaultdict(list)
    place = -1
    for operator in old.operators:
        key = operator.name, operator.phase
        if key in places:
            place = places[key]
        elif inside(operator.module, absent):
            operands = tuple(operand.model_copy(update={"tensor": ""}) for operand in operator.operands)
            inserted[place].append(operator.model_copy(update={"operands": operands}))
    if not inserted:
        return new
    operators = list(inserted[-1])
    for place, operator in enumerate(new.operators):
        operators += [operator, *inserted[place]]
    return new.model_copy(update={"operators": tuple(operators)})
