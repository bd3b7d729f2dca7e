"""The intermediate representation of one operator: an extended einsum.

An operator is an iteration space (named dimensions with sizes) and operands with affine projections of that
space onto tensor axes. A convolution reads its input at ``stride*p + dilation*r - padding``; its two gradients
have the same space and differ only in which operand is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from hwsim import formats
from hwsim.errors import InputError
from hwsim.files import Frozen

Primitive = Literal[
    "mac", "shift", "add", "shift_add", "binary_add", "elementwise", "gather", "copy", "comm"
]
CONTRACTIONS = frozenset({"mac", "shift", "add", "shift_add", "binary_add"})

MAIN_OPERANDS = ("input", "weight", "output")
"""Operands of a contraction; it may read others beside them, such as a bias."""

Phase = Literal["forward", "grad_input", "grad_weight", "optimizer", "control"]
Access = Literal["read", "write"]
Role = Literal["activation", "parameter", "gradient", "state", "index"]
Arithmetic = Literal["add", "mult", "shift"]

DensityStructure = Literal["dense", "random", "csr", "bitmap", "channel", "block"]
"""How non-zeros lie in a tensor, or how it is stored: see `Operand.density_structure`."""

Collective = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast"]

Size = Annotated[int, Field(ge=1, le=2**48)]


def _known_format(name: str) -> str:
    try:
        return formats.parse(name).name
    except InputError as error:
        raise ValueError(error.rule) from error


def _affine_text(text: str) -> str:
    try:
        affine(text)
    except InputError as error:
        raise ValueError(error.rule) from error
    return text


FormatName = Annotated[str, AfterValidator(_known_format)]
Affine = Annotated[str, AfterValidator(_affine_text)]
_TERM = re.compile(r"\s*([+-])\s*(?:([0-9]+)(?:\s*\*\s*([a-z][a-z0-9_]*))?|([a-z][a-z0-9_]*))\s*")


@lru_cache(maxsize=4096)
def affine(expression: str) -> Mapping[str, int]:
    """Parse ``"2*p + r - 1"`` into ``{"p": 2, "r": 1, "": -1}`` (the empty name is the constant).

    Raises
    ------
    InputError
        If the text is not a sum of ``integer``, ``name`` or ``integer*name`` terms.
    """
    text = expression.strip()
    text = text if text[:1] in {"+", "-"} else f"+{text}"
    terms: dict[str, int] = {}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise InputError("projection must be a sum of terms such as 2*p + r - 1", value=expression)
        sign = 1 if match[1] == "+" else -1
        name = match[3] or match[4] or ""
        terms[name] = terms.get(name, 0) + sign * int(match[2] or 1)
        position = match.end()
    return MappingProxyType(terms)


class Operand(Frozen):
    """One tensor that an operator touches."""

    name: str
    """``input``, ``weight`` and ``output`` in contractions, whichever of the three is written."""
    shape: tuple[Annotated[int, Field(ge=0, le=2**48)], ...]
    """True extents of the tensor, without padding."""
    format: FormatName
    access: Access = "read"
    """An operand that is updated in place appears twice: read, then written with the next version."""
    role: Role = "activation"
    projection: tuple[Affine, ...] = ()
    """One affine expression of the dimensions per axis; empty when every element is touched once."""
    density: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the elements that are not zero."""
    density_structure: DensityStructure = "dense"
    """``csr``: the software stores and computes compressed rows. What others gain is up to the hardware."""
    tensor: str = ""
    """Identity ``storage.version`` in a traced graph; equal texts are the same values."""

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def bits(self) -> int:
        """Storage of the whole tensor in bits."""
        return self.elements * formats.parse(self.format).bits

    @property
    def dimensions(self) -> frozenset[str]:
        """Dimensions of the iteration space that select an element."""
        return frozenset(name for axis in self.projection for name in affine(axis) if name)


class Operator(Frozen):
    """An extended einsum with a primitive, a phase and a repeat count."""

    kind: Literal["einsum"] = "einsum"
    name: str = Field(min_length=1)
    primitive: Primitive
    phase: Phase = "forward"
    dims: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Size]
    operands: tuple[Operand, ...]
    arithmetic: dict[Arithmetic, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    """Elementary operations one point performs; of contractions the accounting convention decides instead."""
    reduced: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Axes of its largest operand over which a statistic is taken before the same elements are used again, as in a
    softmax or a normalisation."""
    count: PositiveInt = 1
    module: str = ""
    """Dotted path of the PyTorch module that called it."""
    source: str = ""
    """What it was made from, such as an ATen operator."""
    recomputed: bool = False
    """A part of the forward pass that the backward pass runs again (activation checkpointing)."""
    collective: Collective | None = None
    """What a ``comm`` operator does."""
    group_size: PositiveInt | None = None
    """Devices that take part in a ``comm`` operator."""
    on_chip: bool | None = None
    """Operands never leave the array: only register files and partial sums are charged. Unset: as accounting says."""
    memory_bits: PositiveInt | None = None
    """Width at which every operand moves, where that is not its format's. Unset: as accounting says."""

    @model_validator(mode="after")
    def _consistent(self) -> Operator:
        for operand in self.operands:
            if operand.projection and len(operand.projection) != len(operand.shape):
                raise ValueError(
                    f"operand {operand.name} must have one projection per axis: "
                    f"{len(operand.projection)} for shape {list(operand.shape)}"
                )
            if unknown := operand.dimensions - self.dims.keys():
                raise ValueError(f"operand {operand.name} projects unknown dimension {min(unknown)}")
        rank = len(self.largest.shape) if self.reduced else 0
        if any(axis >= rank for axis in self.reduced):
            raise ValueError(f"reduced must name axes of the largest operand, which has {rank}: {list(self.reduced)}")
        communicates = self.primitive == "comm"
        if communicates != (self.collective is not None) or communicates != (self.group_size is not None):
            raise ValueError("collective and group_size must be given for comm operators, and for no others")
        if self.is_contraction:
            names = [operand.name for operand in self.operands]
            written = [operand.name for operand in self.operands if operand.access == "write"]
            if any(names.count(name) != 1 for name in MAIN_OPERANDS) or len(written) != 1:
                raise ValueError(
                    f"a {self.primitive} operator must have operands input, weight and output, "
                    f"one of them written; it has {names}, written {written}"
                )
            if written[0] not in MAIN_OPERANDS:
                raise ValueError(f"a {self.primitive} operator must write input, weight or output, not {written[0]}")
            if bare := [o.name for o in self.operands if o.name in MAIN_OPERANDS and not o.projection]:
                raise ValueError(f"operand {bare[0]} of a {self.primitive} operator must have a projection")
        return self

    @property
    def is_contraction(self) -> bool:
        """Whether it multiplies (or shifts, or adds) two operands and accumulates."""
        return self.primitive in CONTRACTIONS

    @property
    def points(self) -> int:
        """Size of the iteration space of one execution."""
        return math.prod(self.dims.values())

    @property
    def signature(self) -> Hashable:
        """Everything a cost can depend on: equal signatures cost the same, whatever the name or place."""
        operands = tuple(
            (o.name, o.shape, o.format, o.access, o.role, o.projection, o.density, o.density_structure)
            for o in self.operands
        )
        arithmetic = tuple(sorted(self.arithmetic.items()))
        extra = self.reduced, self.on_chip, self.memory_bits, self.collective, self.group_size
        return self.primitive, tuple(self.dims.items()), operands, arithmetic, extra

    @property
    def macs(self) -> int:
        """Primitive operations of a contraction, zero for anything else, for one execution."""
        return self.points if self.is_contraction else 0

    @property
    def bits_moved(self) -> int:
        """Compulsory traffic of one execution: every operand once."""
        return sum(operand.bits for operand in self.operands)

    def operand(self, name: str) -> Operand:
        """Return the operand called ``name``; `KeyError` if there is none."""
        for operand in self.operands:
            if operand.name == name:
                return operand
        raise KeyError(name)

    @property
    def largest(self) -> Operand:
        """The first of the operands with most elements."""
        return max(self.operands, key=lambda operand: operand.elements)

    @property
    def written(self) -> Operand:
        """The operand that a contraction writes."""
        return next(operand for operand in self.operands if operand.access == "write")
