"""Run the network on a board: python host.py --port /dev/ttyUSB1 IMAGE.npy

On a Zynq, the registers come from a UIO device and the memory from u-dma-buf, at the physical address that the build
states: python3 host.py --uio /dev/uio0 --buffer udmabuf0 --load memory.bin IMAGE.npy

Needs numpy, and pyserial for a serial line. Images are integers, or real numbers that are divided by the input's scale.
"""

from __future__ import annotations

import argparse
import json
import math
import mmap
import os
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

READ, WRITE, REGISTERS = 0, 1, 2
ACKNOWLEDGE = 6
MOST_WORDS = 1024
RUNNING = 1


class BoardError(Exception):
    """The board does not answer, or a program ended with an error."""


class Port(Protocol):
    """How a host reaches memory, in words, and registers, in words of 32 bits."""

    def read(self, word: int, count: int) -> bytes:
        """Return ``count`` words of memory."""

    def write(self, word: int, data: bytes) -> None:
        """Store whole words."""

    def register(self, word: int) -> int:
        """Return a register."""

    def set_register(self, word: int, value: int) -> None:
        """Write a register."""


class Line(Protocol):
    """What bytes go to and come from; `read` returns fewer bytes only if no more come."""

    def write(self, data: bytes) -> Any:
        """Send bytes."""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes."""


class SerialPort:
    """The protocol of the serial bridge; words are ``unit`` bytes, and narrow ones travel as four."""

    def __init__(self, line: Line, unit: int) -> None:
        self.line, self.unit, self.size = line, unit, max(unit, 4)

    def read(self, word: int, count: int) -> bytes:
        """Return ``count`` words of memory."""
        parts = b"".join(self._read(READ, at, size) for at, size in _bursts(word, count))
        return b"".join(parts[at : at + self.unit] for at in range(0, len(parts), self.size))

    def write(self, word: int, data: bytes) -> None:
        """Store whole words."""
        fill = bytes(self.size - self.unit)
        for at, size in _bursts(word, len(data) // self.unit):
            own = data[(at - word) * self.unit :][: size * self.unit]
            words = (own[place : place + self.unit] + fill for place in range(0, len(own), self.unit))
            self._write(WRITE, at, size, b"".join(words))

    def register(self, word: int) -> int:
        """Return a register."""
        return int.from_bytes(self._read(REGISTERS + READ, word, 1)[:4], "little")

    def set_register(self, word: int, value: int) -> None:
        """Write a register."""
        self._write(REGISTERS + WRITE, word, 1, value.to_bytes(self.size, "little"))

    def _read(self, code: int, word: int, count: int) -> bytes:
        self._head(code, word, count)
        answer = self.line.read(count * self.size)
        if len(answer) != count * self.size:
            raise BoardError(f"the board sent {len(answer)} of {count * self.size} bytes")
        return answer

    def _write(self, code: int, word: int, count: int, data: bytes) -> None:
        self._head(code, word, count)
        self.line.write(data)
        if self.line.read(1) != bytes([ACKNOWLEDGE]):
            raise BoardError("the board did not acknowledge")

    def _head(self, code: int, word: int, count: int) -> None:
        self.line.write(bytes([code]) + word.to_bytes(4, "little") + count.to_bytes(2, "little"))


def _bursts(word: int, count: int) -> list[tuple[int, int]]:
    return [(word + first, min(MOST_WORDS, count - first)) for first in range(0, count, MOST_WORDS)]


class MappedPort:
    """Registers and memory that are mapped into this process."""

    def __init__(self, registers: NDArray[np.uint32], memory: NDArray[np.uint8], unit: int) -> None:
        self.registers, self.memory, self.unit = registers, memory, unit

    @classmethod
    def open(cls, uio: str, buffer: str, facts: dict[str, Any]) -> MappedPort:
        """Map a UIO device and a u-dma-buf, which must lie where the build states."""
        described = Path("/sys/class/u-dma-buf") / buffer
        address, size = (int((described / name).read_text(), 0) for name in ("phys_addr", "size"))
        if address != facts["memory"]["address"]:
            raise BoardError(f"{buffer} must lie at {facts['memory']['address']:#x}, not {address:#x}")
        flags = os.O_RDWR | os.O_SYNC
        registers = mmap.mmap(os.open(uio, flags), mmap.PAGESIZE)
        memory = mmap.mmap(os.open(f"/dev/{buffer}", flags), size)
        unit = facts["memory"]["bits"] // 8
        return cls(np.frombuffer(registers, np.uint32), np.frombuffer(memory, np.uint8), unit)

    def read(self, word: int, count: int) -> bytes:
        """Return ``count`` words of memory."""
        return self.memory[word * self.unit : (word + count) * self.unit].tobytes()

    def write(self, word: int, data: bytes) -> None:
        """Store whole words."""
        self.memory[word * self.unit :][: len(data)] = np.frombuffer(data, np.uint8)

    def register(self, word: int) -> int:
        """Return a register."""
        return int(self.registers[word])

    def set_register(self, word: int, value: int) -> None:
        """Write a register."""
        self.registers[word] = value


class Board:
    """The accelerator at the other end of a port.

    Parameters
    ----------
    port
        An open port.
    folder
        The build directory, with ``board.json`` and ``registers.json``.
    """

    def __init__(self, port: Port, folder: Path | str) -> None:
        self.port = port
        self.facts = json.loads((Path(folder) / "board.json").read_text(encoding="utf-8"))
        registers = json.loads((Path(folder) / "registers.json").read_text(encoding="utf-8"))
        self.registers: dict[str, int] = {name: entry["word"] for name, entry in registers["registers"].items()}
        self.unit = self.facts["memory"]["bits"] // 8

    def register(self, name: str) -> int:
        """Return a register."""
        return self.port.register(int(self.registers[name]))

    def load(self, content: bytes) -> None:
        """Fill the memory from its first word on; needed where it does not hold the network from the start."""
        self.port.write(0, content)

    def run(self, image: NDArray[Any]) -> NDArray[np.int64]:
        """Return the output's integers ``(channels, rows, columns)`` of an image of integers.

        Raises
        ------
        BoardError
            If the program ends with an error.
        """
        source, target = self.facts["input"], self.facts["output"]
        self.port.write(source["word"], self._packed(np.asarray(image).reshape(source["shape"])))
        self.port.set_register(self.registers["program"], self.facts["program"])
        self.port.set_register(self.registers["control"], 1)
        while (status := self.register("status")) & RUNNING:
            pass
        if status >> 4 & 15:
            raise BoardError(f"the program ended with error {status >> 4 & 15} at command {status >> 16}")
        channels, rows, columns = target["shape"]
        words = rows * columns * math.ceil(channels / self.facts["lanes"]) * self._word_units()
        return self._unpacked(self.port.read(target["word"], words), target["shape"])

    def _word_units(self) -> int:
        units: int = math.ceil(self.facts["lanes"] * self.facts["activation_bits"] / (8 * self.unit))
        return units

    def _packed(self, image: NDArray[Any]) -> bytes:
        """Pixels row by row, words of ``lanes`` channels, the lowest channel in the lowest bits."""
        lanes, bits = self.facts["lanes"], self.facts["activation_bits"]
        channels, rows, columns = image.shape
        filled = np.zeros((math.ceil(channels / lanes) * lanes, rows, columns), np.int64)
        filled[:channels] = image
        data = bytearray()
        for pixel in filled.transpose(1, 2, 0).reshape(-1, lanes):
            code = sum((int(value) & (1 << bits) - 1) << bits * lane for lane, value in enumerate(pixel))
            data += code.to_bytes(self._word_units() * self.unit, "little")
        return bytes(data)

    def _unpacked(self, data: bytes, shape: list[int]) -> NDArray[np.int64]:
        lanes, bits = self.facts["lanes"], self.facts["activation_bits"]
        size, half = self._word_units() * self.unit, (1 << bits - 1 if self.facts["signed"] else 1 << bits)
        codes = [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]
        values = [code >> bits * lane & (1 << bits) - 1 for code in codes for lane in range(lanes)]
        signed = np.array(values, np.int64)
        signed[signed >= half] -= 2 * half
        channels, rows, columns = shape
        image: NDArray[np.int64] = signed.reshape(rows, columns, -1).transpose(2, 0, 1)[:channels]
        return image


def integers(image: NDArray[Any], facts: dict[str, Any]) -> NDArray[np.int64]:
    """Return an image in the integers that the accelerator takes."""
    if np.issubdtype(image.dtype, np.integer):
        exact: NDArray[np.int64] = image.astype(np.int64)
        return exact
    bits, signed = facts["activation_bits"], facts["signed"]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    rounded: NDArray[np.int64] = np.clip(np.rint(image / facts["input"]["scale"]), low, high).astype(np.int64)
    return rounded


def main() -> None:
    """Run an image and print the real numbers that come out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--port", help="serial line")
    parser.add_argument("--uio", help="device of the registers, with --buffer")
    parser.add_argument("--buffer", default="udmabuf0", help="name of the u-dma-buf")
    parser.add_argument("--load", type=Path, help="fill the memory first, from memory.bin")
    arguments = parser.parse_args()
    folder = Path(__file__).parent
    facts = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    if arguments.uio:
        board = Board(MappedPort.open(arguments.uio, arguments.buffer, facts), folder)
    else:
        import serial  # type: ignore[import-untyped,import-not-found,unused-ignore]

        line = serial.Serial(arguments.port, facts["baud"], timeout=5)
        board = Board(SerialPort(line, facts["memory"]["bits"] // 8), folder)
    if arguments.load:
        board.load(arguments.load.read_bytes())
    start = time.perf_counter()
    out = board.run(integers(np.load(arguments.image), facts))
    seconds = time.perf_counter() - start
    print(json.dumps({"output": (out * facts["output"]["scale"]).reshape(-1).tolist(), "seconds": seconds}))


if __name__ == "__main__":
    main()
