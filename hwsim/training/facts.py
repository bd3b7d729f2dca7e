"""Facts of a module in a step: what a technique did that the traced operators do not show."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from hwsim.files import Frozen
from hwsim.workload.operator import DensityStructure, FormatName, Size

Share = Annotated[float, Field(ge=0, le=1)]


def _named(bits: Any) -> Any:
    return f"int{bits}" if isinstance(bits, int) else bits


Bits = Annotated[FormatName, BeforeValidator(_named)]
"""A number format; a bare number of bits stands for integers."""


class Facts(Frozen):
    """What a module and everything in it did, beside what was traced; a fact that is not given is as traced."""

    share: Share = 1.0
    """Of the inputs (or steps) that the facts hold for, in a `Mixture`."""
    weights: Bits | None = None
    """Format of parameters in contractions."""
    activations: Bits | None = None
    """Format of activations in contractions."""
    reads: Bits | None = None
    """Format of those that contractions read, where their results have another."""
    gradients: Bits | None = None
    """Format of gradients in contractions."""
    errors: Bits | None = None
    """Format of those that contractions read, where the ones they write have another."""
    executed: Share = 1.0
    """Share of the inputs for which the module ran."""
    density: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the weights that a mask keeps."""
    structure: DensityStructure = "random"
    """How the mask's zeros lie."""
    tokens: tuple[Size, Size] | None = None
    """Kept, of how many."""
    heads: tuple[Size, Size] | None = None
    rows: tuple[Size, Size] | None = None
    """Of a graph or a matrix that were kept, of how many."""
    edges: tuple[Size, Size] | None = None

    @model_validator(mode="after")
    def _kept_of_all(self) -> Facts:
        for name in KEPT:
            pair: tuple[int, int] | None = getattr(self, name)
            if pair and pair[0] > pair[1]:
                raise ValueError(f"{name} must be kept, of how many, the first not the larger: {list(pair)}")
        return self

    @property
    def plain(self) -> Facts:
        """The facts without how often they hold: those that change an operator."""
        return self.model_copy(update={"share": 1.0, "executed": 1.0})

    def within(self, outer: Facts) -> Facts:
        """Return the facts of a module inside one that has facts of its own: the inner ones win."""
        given = {**outer.model_dump(exclude_defaults=True), **self.model_dump(exclude_defaults=True)}
        given |= {"share": self.share * outer.share, "executed": self.executed * outer.executed}
        return Facts.model_validate(given)


KEPT = ("tokens", "heads", "rows", "edges")
Mixture = tuple[Facts, ...]
"""Facts that hold for shares of the inputs, such as bits that each input chooses; the shares add up to 1."""

AS_TRACED: Mixture = (Facts(),)


class Mixed(Frozen):
    """A `Mixture` as files hold it."""

    parts: Annotated[tuple[Facts, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _shares_add_up(self) -> Mixed:
        total = math.fsum(part.share for part in self.parts)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"shares must add up to 1, not {total:g}")
        return self


def mixed_within(inner: Mixture, outer: Mixture) -> Mixture:
    """Return the facts of a module inside another, whose choices are independent of each other."""
    if outer == AS_TRACED:
        return inner
    return tuple(part.within(whole) for whole in outer for part in inner)
