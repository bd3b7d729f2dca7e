"""A mapping written by hand: loops of the nodes of an architecture, by name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen
from hwsim.mapping.mapping import Mapping
from hwsim.mapping.problem import Problem, problem_of
from hwsim.workload.operator import Operator

Port = Literal["input", "weight", "output"]


class GivenMapping(Frozen):
    """Loops for the nodes of an architecture; see `hwsim.mapper.cost_mapping`."""

    schema_: Literal["hwsim/mapping/1"] = Field("hwsim/mapping/1", alias="schema")
    loops: dict[str, tuple[tuple[str, PositiveInt], ...]]
    """Dimension and trip count of the loops of each node, outermost loop first; nodes without loops may be left out."""
    padded: dict[str, PositiveInt] = {}
    """Dimensions that the loops run beyond, with what these multiply to instead of the size."""
    bypass: dict[str, tuple[Port, ...]] = {}
    """Operands that pass by a memory, of those it lets pass."""
    exchanged: bool = False
    """Take the second factor to the port of the input and the first to that of the weight."""

    def of(self, operator: Operator) -> Problem:
        """The problem that the loops must cover.

        Raises
        ------
        HwsimError
            If a dimension is padded to less than its size, or is none of the operator's above size 1.
        """
        problem = problem_of(operator, exchanged=self.exchanged)
        if unknown := [name for name in self.padded if name not in problem.names]:
            raise InputError(f"padded dimension must be one of {', '.join(problem.names)}", value=unknown[0])
        sizes = zip(problem.names, problem.bounds, strict=True)
        return problem.padded(tuple(self.padded.get(name, bound) for name, bound in sizes))

    def on(self, nodes: tuple[str, ...]) -> Mapping:
        """The mapping for nodes of these names, outermost first.

        Raises
        ------
        InputError
            If it names another node.
        """
        if unknown := [name for name in (*self.loops, *self.bypass) if name not in nodes]:
            raise InputError(f"node must be one of {', '.join(nodes)}", value=unknown[0])
        return Mapping(tuple(self.loops.get(name, ()) for name in nodes))
