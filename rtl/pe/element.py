"""What every processing element (PE) has in common: parameters, ports, timing and the accumulator's twin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from amaranth.hdl import Shape, ShapeLike, signed
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from hwsim.files import Frozen
from rtl import shapes

if TYPE_CHECKING:
    from rtl.pe.component import Element

Array = NDArray[Any]
Overflow = Literal["wrap", "saturate"]
AccumulatorBits = Annotated[int, Field(ge=2, le=48)]
Stages = Annotated[int, Field(ge=0, le=2)]


class ProcessingElement(Frozen, ABC):
    """A PE as a frozen parameter object.

    A PE takes *beats*: one beat is one set of operands. Beats are summed; the beat marked ``first`` starts a
    sum from zero and the beat marked ``last`` announces its result. Neither needs the other.

    Ports of the hardware, beside ``clk`` and ``rst``:

    ==============  ===  ==============================================================================
    ``valid``       in   the beat on the inputs is real; a cycle without it changes no data register
    ``ready``       out  the beat is taken in this cycle if it is valid
    ``first``       in   the sum starts with this beat
    ``last``        in   the sum ends with this beat
    operands        in   see `operands`; held until ``ready``
    ``done``        out  for one cycle, ``latency`` cycles after the beat marked ``last`` was taken
    ``acc``         out  the accumulator; holds its value until the next beat reaches it
    other results   out  see `results`; they follow ``acc``
    ==============  ===  ==============================================================================

    Attributes
    ----------
    stages
        Registers between operands and accumulator: 0 none, 1 behind the term, 2 also in front of it. An integer
        MAC can have 3: two behind the term, of which an FPGA's multiplier takes the first.
    restart
        What starts a sum. ``first``: the beat marked so; a mask in front of the adder, and ``acc`` follows
        every beat. ``last``: the end of the sum before, by the register's own reset, and a second register
        holds the result in ``acc``; ``first`` must then mark what follows ``last``, and is not looked at. On
        an FPGA that trades a LUT per accumulator bit for a flip-flop, and ``acc`` can be drained while the
        next sum runs.
    """

    key: ClassVar[str]
    """The name under which the simulator knows the PE."""

    stages: Stages = 0
    restart: Literal["first", "last"] = "first"

    @property
    @abstractmethod
    def operands(self) -> dict[str, str]:
        """Names of the operand ports, each with its format."""

    @abstractmethod
    def create(self) -> Element:
        """Return the hardware."""

    @property
    @abstractmethod
    def results(self) -> dict[str, ShapeLike]:
        """Names of the result ports, each with its shape; ``acc`` comes first."""

    @property
    def latency(self) -> int:
        """Cycles from taking a beat to seeing it in the accumulator: ``1 + stages``."""
        return 1 + self.stages

    def cycles(self, **operands: Array) -> Array:
        """Return the cycles between taking each beat and being ready again; ``1`` unless stated."""
        return np.ones(_length(operands), np.int64)

    def products(self, **operands: Array) -> Array:
        """Return how many scalar terms each beat holds (its lanes); ``1`` unless stated."""
        return np.ones(_length(operands), np.int64)

    def compute(self, first: ArrayLike, **operands: ArrayLike) -> dict[str, Array]:
        """Return every result port as it stands after each beat.

        Parameters
        ----------
        first
            Booleans of shape ``(beats,)``: where sums start. The first beat starts one in any case.
        operands
            Integers of shape ``(beats,)``: numbers for integer formats, codes for all others.
        """
        starts = np.array(first, dtype=bool)
        starts[:1] = True
        return self.run(starts, {name: np.asarray(column) for name, column in operands.items()})

    @abstractmethod
    def run(self, starts: Array, operands: dict[str, Array]) -> dict[str, Array]:
        """Return the results of `compute` on checked arguments."""

    def operand_shape(self, name: str) -> Shape:
        """Return the plain shape of an operand port: what the twin's integers are."""
        return Shape.cast(shapes.shape(self.operands[name]))

    @property
    def operand_bits(self) -> int:
        """Bits of all operands together."""
        return sum(shapes.width(form) for form in self.operands.values())


class Accumulator(ProcessingElement):
    """A PE that sums integers: what its subclasses say is the term of a beat.

    Attributes
    ----------
    accumulator
        Width of the accumulator in bits.
    overflow
        What a sum beyond the accumulator does: ``wrap`` modulo ``2**accumulator``, or ``saturate``.
    """

    accumulator: AccumulatorBits = 32
    overflow: Overflow = "wrap"

    @property
    @abstractmethod
    def term_bits(self) -> int:
        """Width of a signed integer that holds every term."""

    @abstractmethod
    def terms(self, **operands: Array) -> Array:
        """Return what each beat adds to the accumulator, as int64."""

    @property
    def results(self) -> dict[str, ShapeLike]:
        return {"acc": signed(self.accumulator)}

    def run(self, starts: Array, operands: dict[str, Array]) -> dict[str, Array]:
        return {"acc": accumulate(self.terms(**operands), starts, self.accumulator, self.overflow)}

    @model_validator(mode="after")
    def _term_fits(self) -> Accumulator:
        if self.accumulator < self.term_bits:
            raise ValueError(f"accumulator must have at least the {self.term_bits} bits of a term")
        return self


def accumulate(terms: Array, starts: Array, bits: int, overflow: Overflow) -> Array:
    """Return the running sums of ``terms`` that restart where ``starts`` is true, in ``bits`` bits."""
    if overflow == "saturate":
        return _saturating(terms, starts, bits)
    total = np.cumsum(terms.astype(np.int64))  # wraps at 64 bits, which wrapping at `bits` cannot see
    before = total - terms
    origin = before[np.maximum.accumulate(np.where(starts, np.arange(len(terms)), 0))]
    return wrap(total - origin, bits)


def wrap(values: Array, bits: int) -> Array:
    """Return ``values`` modulo ``2**bits``, as signed integers."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


def _saturating(terms: Array, starts: Array, bits: int) -> Array:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    sums, total = [], 0
    for term, start in zip(terms.tolist(), starts.tolist(), strict=True):
        total = min(max((0 if start else total) + term, low), high)
        sums.append(total)
    return np.asarray(sums, np.int64)


def _length(operands: dict[str, Array]) -> int:
    return len(next(iter(operands.values())))
