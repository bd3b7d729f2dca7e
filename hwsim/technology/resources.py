"""What circuits of ours take of an FPGA: a vector, never one number."""

from __future__ import annotations

from typing import Literal

from hwsim.files import Frozen
from hwsim.technology.circuit import Count, NotNegative, Positive


class Resources(Frozen):
    """A processing element or a memory between registers, whose flip-flops count.

    Attributes
    ----------
    lut, ff, dsp, bram
        Cells of each kind; ``ff`` is None where a cell holds a look-up table and a flip-flop (iCE40).
    fmax_mhz, fmax_spread_mhz
        Median and range over three placements; None where nothing was placed.
    """

    kind: Literal["pe", "memory"]
    lut: Count
    ff: Count | None
    dsp: Count
    bram: Count
    fmax_mhz: Positive | None = None
    fmax_spread_mhz: NotNegative | None = None


class Fpga(Frozen):
    """An FPGA as a target.

    Attributes
    ----------
    part, flow, tools
        Device, what was run, and versions.
    energy_table
        Table of published energies of an operation on this family; empty if nothing is known.
    resources
        By name of the circuit.
    """

    part: str
    flow: str
    tools: dict[str, str]
    energy_table: str = ""
    resources: dict[str, Resources]
