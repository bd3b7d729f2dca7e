"""What an architecture gains from zeros: stored formats, gating and skipping."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveInt, model_validator

from hwsim.files import Frozen

Factor = Literal["input", "weight"]


class Bitmap(Frozen):
    """One bit per word says whether it is zero; the others follow."""

    format: Literal["bitmap"]


class RunLength(Frozen):
    """Pairs of a number of zeros and a word (Eyeriss: 5 bits); a run that is too long ends with a stored zero."""

    format: Literal["run_length"]
    run_bits: Annotated[int, Field(ge=1, le=16)]


class Csr(Frozen):
    """Non-zero words with their position in a row, and a pointer for every row."""

    format: Literal["csr"]
    index_bits: PositiveInt
    pointer_bits: PositiveInt = 32
    row_words: PositiveInt


Compression = Annotated[Bitmap | RunLength | Csr, Discriminator("format")]


class Skipping(Frozen):
    """Points with a zero of any of ``ports`` take no time; units wait for the slowest after every ``window`` points."""

    ports: Annotated[tuple[Factor, ...], Field(min_length=1)]
    window: PositiveInt


class Zeros(Frozen):
    """What compute units do about zeros of the factors."""

    gating: tuple[Factor, ...] = ()
    """Factors whose zeros switch off a point's operation, its later factors and its update of the result, but take
    time; read in this order."""
    skipping: Skipping | None = None

    @model_validator(mode="after")
    def _once(self) -> Zeros:
        named = (*self.skips, *self.gating)
        if len(set(named)) < len(named):
            raise ValueError("a factor must be named once, by gating or by skipping")
        return self

    @property
    def skips(self) -> tuple[Factor, ...]:
        """Factors whose zeros are skipped."""
        return self.skipping.ports if self.skipping else ()
