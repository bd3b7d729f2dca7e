"""A mapping written by hand: loops of the nodes of an architecture, by name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen
from hwsim.mapping.mapping import Mapping

Port = Literal["input", "weight", "output"]


class GivenMapping(Frozen):
    """Loops for the nodes of an architecture; see `hwsim.mapper.cost_mapping`."""

    schema_: Literal["hwsim/mapping/1"] = Field("hwsim/mapping/1", alias="schema")
    loops: dict[str, tuple[tuple[str, PositiveInt], ...]]
    """Dimension and trip count of the loops of each node, outermost loop first; nodes without loops may be left out."""
    bypass: dict[str, tuple[Port, ...]] = {}
    """Operands that pass by a memory, of those it lets pass."""
    exchanged: bool = False
    """Take the second factor to the port of the input and the first to that of the weight."""

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
