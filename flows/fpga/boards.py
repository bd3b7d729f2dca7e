"""The boards, and the tools that make a bitstream for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.fpga.models import ecp5
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.boards.clocks import Pll
from rtl.sdram import Sdram

CONFIGS = Path(__file__).parent / "configs"
RESOURCES = ("lut", "ff", "dsp", "bram")


@dataclass(frozen=True)
class Toolchain:
    """Open tools for a family of FPGAs.

    Attributes
    ----------
    synthesis
        The yosys command, without ``-top`` and outputs.
    placer, device
        nextpnr program, and its arguments for the part.
    constraints, layout
        nextpnr arguments that name the file of constraints and the file that it writes.
    packer, unpacker
        Programs that make a bitstream of the placer's output, and take it apart.
    suffix
        Of a bitstream.
    cells
        nextpnr's names of the resources; several are added up.
    models, own_cells, defines
        Simulation models of the cells, in yosys's share folder; Verilog of those that it has none of; and what Icarus
        needs to read them.
    """

    synthesis: str
    placer: str
    device: tuple[str, ...]
    constraints: str
    layout: str
    packer: str
    unpacker: str
    suffix: str
    cells: dict[str, tuple[str, ...]]
    models: str
    own_cells: Callable[[], str] = str
    defines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes
    ----------
    name, title, part
        On the command line, for people, and the FPGA.
    crystal_mhz, clock_mhz
        Of the board, and of the accelerator, which timing must meet; a phase-locked loop makes it if they differ.
    baud
        Of the serial line; a divisor of the clock. 0: the host is a processor on the chip.
    available
        LUT, FF, DSP and BRAM of the part. A logic cell of iCE40 holds a LUT and an FF, and FF counts as many.
    toolchain
        None: Vivado.
    platform
        Makes the board of amaranth-boards, which knows pins, clock and reset.
    bram_bits
        Of a block memory.
    sdram
        Beside the FPGA; None: there is none that the FPGA's logic reaches.
    """

    name: str
    title: str
    part: str
    crystal_mhz: float
    clock_mhz: float
    baud: int
    available: dict[str, int]
    toolchain: Toolchain | None
    platform: Callable[[], Any]
    bram_bits: int = 18432
    sdram: Sdram | None = None

    @property
    def block_bits(self) -> int:
        """Bits of all block memories."""
        return self.available["bram"] * self.bram_bits

    @property
    def pll(self) -> Pll | None:
        """What makes the clock, if it is not the crystal's."""
        if self.crystal_mhz == self.clock_mhz:
            return None
        return Pll(input_mhz=self.crystal_mhz, output_mhz=self.clock_mhz)

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the serial line."""
        return round(self.clock_mhz * 1e6 / self.baud)

    @property
    def open_tools(self) -> Toolchain:
        """The open tools.

        Raises
        ------
        InputError
            If there are none for the board.
        """
        if self.toolchain is None:
            raise InputError(
                "must be a board of open tools to make a bitstream: Vivado makes that of this one, --netlist what open "
                "tools can", field="--board", value=self.name,
            )  # fmt: skip
        return self.toolchain

    def accelerator(self) -> Accelerator:
        """Return the configuration that is built if none is given."""
        return Accelerator.load(CONFIGS / f"{self.name}.yaml")


def _icebreaker() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


def _ulx3s() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


def _no_platform() -> Any:
    raise InputError("must be a board without a processor", field="--board")


ICE40 = Toolchain(
    synthesis="synth_ice40 -device u -dsp -abc9 -no-rw-check",
    placer="nextpnr-ice40", device=("--up5k", "--package", "sg48"), constraints="--pcf", layout="--asc",
    packer="icepack", unpacker="iceunpack", suffix="bin",
    cells={"lut": ("ICESTORM_LC",), "dsp": ("ICESTORM_DSP",), "bram": ("ICESTORM_RAM",)},
    models="ice40/cells_sim.v", defines=("-DNO_ICE40_DEFAULT_ASSIGNMENTS",),
)  # fmt: skip
ECP5 = Toolchain(
    synthesis="synth_ecp5 -abc9 -no-rw-check",
    placer="nextpnr-ecp5", device=("--85k", "--package", "CABGA381", "--speed", "6"), constraints="--lpf",
    layout="--textcfg", packer="ecppack", unpacker="ecpunpack", suffix="bit",
    cells={"lut": ("TRELLIS_COMB",), "ff": ("TRELLIS_FF",), "dsp": ("MULT18X18D",), "bram": ("DP16KD",)},
    models="ecp5/common_sim.vh", own_cells=ecp5.cells,
)  # fmt: skip

BOARDS = {
    board.name: board
    for board in (
        Board(
            "icebreaker", "iCEBreaker 1.0", "iCE40UP5K-SG48", 12.0, 12.0, 1_000_000,
            {"lut": 5280, "dsp": 8, "bram": 30}, ICE40, _icebreaker, bram_bits=4096,
        ),
        Board(
            "ulx3s-85f", "ULX3S 85F", "LFE5U-85F-6BG381C", 25.0, 50.0, 2_000_000,
            {"lut": 83640, "ff": 83640, "dsp": 156, "bram": 208}, ECP5, _ulx3s, sdram=Sdram(),
        ),
        Board(
            "zc706", "Xilinx ZC706", "xc7z045ffg900-2", 100.0, 100.0, 0,
            {"lut": 218600, "ff": 437200, "dsp": 900, "bram": 1090}, None, _no_platform,
        ),
    )
}  # fmt: skip
"""By name. BRAM counts blocks of 4 Kibit on iCE40 and 18 Kibit on the others."""


def find_board(name: str) -> Board:
    """Return a board.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in BOARDS:
        raise InputError(f"must be one of {', '.join(BOARDS)}", field="--board", value=name)
    return BOARDS[name]
