"""Accounting conventions: what is charged, at which widths, under which capacity tests.

A convention named after a paper reproduces that paper's published numbers, quirks included; ``operator`` is
hwsim's own, which charges every operand, the accumulation and operators that are no contractions.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.workload.operator import FormatName, Primitive

_CONVENTIONS = Path(str(files("hwsim.cost") / "conventions"))

Operation = Literal["mult", "shift", "add", "accumulate", "element"]
"""``add`` works at the operands' format, ``accumulate`` is an addition at the accumulator's; ``element`` is a whole
processing element, whatever it computes."""


class PrimitiveRule(Frozen):
    """How one point of a contraction with this primitive is charged."""

    operations: dict[Operation, Annotated[float, Field(ge=0)]]
    memory_bits: PositiveInt | None = None
    """Width of every operand in memory, instead of its format's."""
    latency_divisor: Annotated[float, Field(gt=0)] = 1.0
    on_chip: bool = False


class Width(Frozen):
    """What a paper calls its 32-bit or its 8-bit setting."""

    bits: PositiveInt
    formats: dict[Operation, FormatName]


class Convention(Frozen):
    """A named set of accounting rules."""

    schema_: Literal["hwsim/accounting/1"] = Field(alias="schema")
    name: str
    title: str
    source: str
    primitives: dict[Primitive, PrimitiveRule]
    contractions_only: bool
    """Operators that are no contractions are listed as not covered instead of priced."""
    widths: tuple[Width, ...] = ()
    """Settings of a paper, chosen by the width of the input operand; empty: every operand has its own format."""
    processing_elements: PositiveInt | None = None
    """Size of the paper's array, instead of the architecture's."""
    strict_capacity: bool = False
    """Array, register files for input and weight, and buffer must hold *less* than their size."""
    spread_rows: bool = False
    """Output rows of a convolution must spread over at least two processing elements."""
    fold_groups: bool = False
    """Groups and batched products count as more rows through one weight."""
    unfiltered_outputs_above: PositiveInt | None = None
    """Reproduces a published loop that drops only some of the tilings with more output words than this."""
    dram_bandwidth: bool = True
    """Latency is at least what the external memory's bandwidth allows."""
    notes: tuple[str, ...] = ()


def load_convention(name: str) -> Convention:
    """Load a convention by name."""
    path = _CONVENTIONS / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"accounting must be one of {', '.join(conventions())}", value=name)
    return read_model(path, Convention)


def conventions() -> list[str]:
    """Names of all conventions."""
    return sorted(path.stem for path in _CONVENTIONS.glob("*.yaml"))
