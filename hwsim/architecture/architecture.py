"""Hardware descriptions: a row-stationary array of processing elements with its memories."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.workload.operator import FormatName

_PRESETS = Path(str(files("hwsim.architecture") / "presets"))
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RegisterFile(Frozen):
    """Words that one processing element holds of each operand."""

    input_words: PositiveInt
    weight_words: PositiveInt
    output_words: PositiveInt


class NarrowMode(Frozen):
    """What the same silicon offers to operands of at most ``bits`` bits."""

    bits: PositiveInt
    words_factor: PositiveInt
    """Every memory holds this many times the words."""
    elements_factor: PositiveInt
    """The array works as this many times the processing elements."""


class Contractions(Frozen):
    """How the array computes contractions; unset fields keep what the workload says."""

    format: FormatName | None = None
    """Format of all operands."""
    weight_format: FormatName | None = None
    """Format of parameters, if it differs."""
    weight_primitive: Literal["mac", "shift", "add"] | None = None
    """Replaces ``mac`` wherever one factor is a parameter; products of activations stay ``mac``."""


class Architecture(Frozen):
    """A row-stationary accelerator in the manner of Eyeriss."""

    schema_: Literal["hwsim/architecture/1"] = Field(alias="schema")
    name: str = Field(min_length=1)
    title: str
    source: str
    technology: str
    """Name of a technology table, or path of a YAML file beside this one."""
    clock_mhz: Positive
    processing_elements: PositiveInt
    register_file: RegisterFile
    global_buffer_words: PositiveInt
    narrow_mode: NarrowMode | None = None
    dram_gb_per_s: Positive
    """Peak bandwidth of the external memory in 10^9 bytes per second."""
    contractions: Contractions = Contractions()

    @property
    def clock_hz(self) -> float:
        """Clock in hertz."""
        return self.clock_mhz * 1e6

    @property
    def dram_bits_per_cycle(self) -> float:
        """Peak bits the external memory moves in one clock cycle."""
        return self.dram_gb_per_s * 8e9 / self.clock_hz

    @property
    def peak_operations_per_s(self) -> float:
        """Primitive operations per second with every processing element busy (wide operands)."""
        return self.processing_elements * self.clock_hz


def load_architecture(name: str) -> tuple[Architecture, Path]:
    """Load a preset by name, or a file by a path that ends in ``.yaml``; return it with its folder."""
    if name.endswith((".yaml", ".yml", ".json")):
        return read_model(name, Architecture), Path(name).parent
    path = _PRESETS / f"{name}.yaml"
    if not path.is_file():
        raise InputError(
            f"architecture must be a .yaml file or one of {', '.join(architectures())}", value=name
        )
    return read_model(path, Architecture), _PRESETS


def architectures() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))
