"""The accelerator whose RTL this project has, with what its energies are: its own configuration is the architecture."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PositiveInt, model_validator

from hwsim.architecture.base import Accelerator, NarrowMode, StreamLevel
from hwsim.files import Frozen

Term = Literal["mac", "shift", "adder", "binary"]
"""What an element sums."""


class Configuration(Frozen):
    """What ``hwsim compile --config`` takes; fields that are not listed here are checked by ``rtl.accelerator``."""

    model_config = ConfigDict(frozen=True, extra="allow")

    rows: PositiveInt
    columns: PositiveInt
    pe: str | dict[str, Any]
    """A name of ``rtl.pe.catalog``, or a kind with its parameters."""
    activation_words: PositiveInt
    weight_words: PositiveInt
    memory_bits: PositiveInt
    """Width of the port to the external memory."""


class Programmed(Accelerator):
    """The accelerator of ``rtl.accelerator``, priced by the programs that `hwsim compile` makes for it."""

    kind: Literal["accelerator"]
    accelerator: Configuration
    memory_latency: Annotated[int, Field(ge=0)]
    """Cycles of the external memory, from a request to its first word; it never stalls."""
    circuits: Annotated[dict[Term, str], Field(min_length=1)]
    """Circuit of the technology that an element is while it sums such terms; it contains all of them."""
    sram: Literal["hp", "lop"] = "lop"
    """Cells of its memories: fast, or of low power."""

    @model_validator(mode="after")
    def _memory_keeps_up(self) -> Programmed:
        needed = self.accelerator.memory_bits / 8 * self.clock_hz
        if self.dram_bytes_per_s < needed * (1 - 1e-9):
            raise ValueError(
                f"dram must keep up with the port of {self.accelerator.memory_bits} bits: {needed / 1e9:g} GB/s"
            )
        return self

    @property
    def elements(self) -> int:
        """Processing elements."""
        return self.accelerator.rows * self.accelerator.columns

    @property
    def narrow(self) -> NarrowMode | None:
        """None: programs choose the mode of a beat."""
        return None

    @property
    def buffer(self) -> str:
        """Words of activations and of weights."""
        return f"{self.accelerator.activation_words:,} + {self.accelerator.weight_words:,} words"

    @property
    def vector_lanes(self) -> int:
        """A post-processor behind every column."""
        return self.accelerator.columns

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """None: what is no contraction is done with one, by a program."""
        return ()
