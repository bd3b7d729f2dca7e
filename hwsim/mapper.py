"""The best mapping of a contraction on an architecture whose dataflow is free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.architecture import FreeDataflow, load_architecture
from hwsim.cost.accounting import load_convention
from hwsim.cost.beyond_search import beyond_search
from hwsim.cost.hierarchy import cost_given, map_contraction
from hwsim.cost.priced import technology_of
from hwsim.errors import HwsimError, InputError
from hwsim.files import read_model
from hwsim.mapping.given import GivenMapping
from hwsim.mapping.objective import Objective
from hwsim.mapping.search import Found
from hwsim.technology import Technology
from hwsim.workload import Operator, Workload


@dataclass(frozen=True)
class Mapped:
    """An operator with its optimal mapping; ``str`` of it is the loop nest."""

    operator: Operator
    found: Found
    clock_hz: float
    beyond: str
    """What `hwsim.score` would count beside, of which neither the cost here nor the search knows."""

    def __str__(self) -> str:
        from hwsim.report.nest import loop_nest

        return loop_nest(self.found, self.clock_hz, self.padded, self.beyond)

    @property
    def padded(self) -> dict[str, int]:
        """Dimensions that the loops run beyond, with what these multiply to."""
        loops = zip(self.found.problem.names, self.found.problem.bounds, strict=True)
        return {name: bound for name, bound in loops if bound > self.operator.dims[name]}

    @property
    def energy_pj(self) -> float:
        """Energy of one execution in picojoules."""
        return self.found.cost.energy_pj

    @property
    def latency_s(self) -> float:
        """Time of one execution in seconds."""
        return self.found.cost.cycles / self.clock_hz

    def data(self) -> dict[str, Any]:
        """Loops, accesses, cost and certificate as plain data."""
        found = self.found
        nodes = [
            {
                "name": node.name,
                "loops": [list(loop) for loop in loops],
                "reads": dict(zip(found.problem.operands, (t.reads for t in moved), strict=True)),
                "writes": dict(zip(found.problem.operands, (t.writes for t in moved), strict=True)),
            }
            for node, loops, moved in zip(found.hierarchy.nodes, found.mapping.loops, found.cost.traffic, strict=True)
        ]
        return {
            "operator": self.operator.name,
            "architecture": found.hierarchy.name,
            "energy_pj": self.energy_pj,
            "latency_s": self.latency_s,
            "bound": found.cost.bound,
            "padded": self.padded,
            "not_counted": self.beyond,
            "nodes": nodes,
            "certificate": None if found.certificate is None else vars(found.certificate),
        }


def map_operator(
    operator: Operator,
    on: str = "free-dataflow-45nm",
    objective: str = "edp",
    accounting: str = "operator",
    *,
    padding: bool = True,
) -> Mapped:
    """Return the optimal mapping of a contraction.

    Parameters
    ----------
    on
        An architecture of kind ``hierarchy``: a preset or the path of a YAML file.
    objective
        ``energy``, ``latency``, ``edp`` or a product of powers such as ``energy^2*latency``.
    padding
        Whether dimensions may be rounded up to fill arrays, see `hwsim.mapping.padding`.

    Raises
    ------
    HwsimError
        If the operator is no contraction, the architecture has a fixed dataflow, or nothing fits.
    """
    goal = Objective.parse(objective)
    architecture, technology = _target(operator, on)
    found = map_contraction(operator, architecture, technology, load_convention(accounting), goal, padding=padding)
    return Mapped(operator, found, architecture.clock_hz, beyond_search(operator, architecture))


def cost_mapping(
    operator: Operator,
    mapping: GivenMapping | Path | str,
    on: str = "free-dataflow-45nm",
    accounting: str = "operator",
) -> Mapped:
    """Cost a mapping written by hand, or the path of one in YAML or JSON.

    Raises
    ------
    HwsimError
        As `map_operator`, or if the mapping is not legal; the message names the violated limit.
    """
    given = mapping if isinstance(mapping, GivenMapping) else read_model(mapping, GivenMapping)
    architecture, technology = _target(operator, on)
    found = cost_given(operator, architecture, technology, load_convention(accounting), given)
    return Mapped(operator, found, architecture.clock_hz, beyond_search(operator, architecture))


def map_workload(
    source: Path | str,
    on: str = "free-dataflow-45nm",
    objective: str = "edp",
    operator: str = "",
    *,
    padding: bool = True,
) -> list[Mapped]:
    """Map every distinct contraction of a workload file or an operator's text, or those called ``operator``.

    Raises
    ------
    HwsimError
        As `map_operator`, or if there is no such operator.
    """
    chosen = contractions(source, operator)
    distinct = {one.signature: one for one in reversed(chosen)}
    return [map_operator(one, on, objective, padding=padding) for one in reversed(distinct.values())]


def contractions(source: Path | str, operator: str = "") -> list[Operator]:
    """Contractions of a workload file, all or those called ``operator``, or the one written as ``{kind: ...}``.

    Raises
    ------
    InputError
        If the file or the operator is not valid, or there is no such contraction.
    """
    text = str(source)
    workload = Workload.of_operator(text) if text.lstrip().startswith("{") else Workload.load(source)
    every = [one for one in workload.operators if one.is_contraction]
    chosen = [one for one in every if operator in {"", one.name}]
    if not chosen:
        names = ", ".join(dict.fromkeys(one.name for one in every)) or "none"
        raise InputError(f"contraction must be one of {names}", file=source, value=operator)
    return chosen


def _target(operator: Operator, on: str) -> tuple[FreeDataflow, Technology]:
    architecture, folder = load_architecture(on)
    if not isinstance(architecture, FreeDataflow):
        raise HwsimError(f"{on} has a fixed dataflow: only architectures of kind hierarchy are mapped freely")
    if not operator.is_contraction:
        raise HwsimError(f"{operator.name} is no contraction ({operator.primitive}): there is nothing to map")
    return architecture, technology_of(architecture, folder)
