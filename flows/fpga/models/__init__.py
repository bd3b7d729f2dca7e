"""Verilog models for simulation: cells that yosys has none of, and the chip beside the FPGA."""

from __future__ import annotations

import re
from pathlib import Path

from rtl.sdram.chip import PADS_NS, Sdram

FOLDER = Path(__file__).parent
SDRAM = FOLDER / "sdram.v"
BENCH = FOLDER / "serial_bench.v"


def readable(cells: str) -> str:
    """Return yosys's models without two of the ECP5.

    One, which only placement makes, Icarus cannot read; the pad, of which there is another in ecp5.v, Verilator.
    """
    return re.sub(r"^module TRELLIS_(COMB|IO)\(.*?^endmodule", "", cells, flags=re.MULTILINE | re.DOTALL)


def sdram_parameters(chip: Sdram) -> dict[str, float]:
    """Return the parameters of the model in `SDRAM`, whose data come as late as through the pads of an FPGA."""
    return {
        "ROW_BITS": chip.row_bits, "COLUMN_BITS": chip.column_bits, "POWER_UP": 1e3 * chip.power_up_us,
        "T_REFI": 1e6 * chip.refresh_ms / (1 << chip.row_bits), "T_RCD": chip.activate_ns, "T_RP": chip.precharge_ns,
        "T_RAS": chip.open_ns, "T_RFC": chip.refresh_ns, "T_WR": chip.write_ns, "T_MRD": chip.mode_cycles,
        "T_AC": chip.access_ns + PADS_NS,
    }  # fmt: skip
