"""Run the network on a board over its serial line: python host.py --port /dev/ttyUSB1 IMAGE.npy

Needs numpy, and pyserial for a real line. Images are integers, or real numbers that are divided by the input's scale.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

READ, WRITE, REGISTERS = 0, 1, 2
ACKNOWLEDGE = 6
MOST_WORDS = 1024
RUNNING = 1


class Line(Protocol):
    """What bytes go to and come from; `read` returns fewer bytes only if no more come."""

    def write(self, data: bytes) -> Any:
        """Send bytes."""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes."""


class BoardError(Exception):
    """The board does not answer, or a program ended with an error."""


class Board:
    """The accelerator at the other end of a line.

    Parameters
    ----------
    line
        An open line.
    folder
        The build directory, with ``board.json`` and ``registers.json``.
    """

    def __init__(self, line: Line, folder: Path | str) -> None:
        self.line = line
        self.facts = json.loads((Path(folder) / "board.json").read_text(encoding="utf-8"))
        registers = json.loads((Path(folder) / "registers.json").read_text(encoding="utf-8"))
        self.registers = {name: entry["word"] for name, entry in registers["registers"].items()}
        self.unit = self.facts["memory"]["bits"] // 8

    def read(self, word: int, count: int) -> bytes:
        """Return ``count`` words of memory."""
        parts = [self._read(READ, at, size, max(self.unit, 4)) for at, size in _bursts(word, count)]
        padded = b"".join(parts)  # a narrow word comes as four bytes
        size = max(self.unit, 4)
        return b"".join(padded[at : at + self.unit] for at in range(0, len(padded), size))

    def write(self, word: int, data: bytes) -> None:
        """Store whole words."""
        fill = bytes(max(self.unit, 4) - self.unit)
        for at, size in _bursts(word, len(data) // self.unit):
            own = data[(at - word) * self.unit :][: size * self.unit]
            words = (own[place : place + self.unit] + fill for place in range(0, len(own), self.unit))
            self._write(WRITE, at, size, b"".join(words))

    def register(self, name: str) -> int:
        """Return a register."""
        size = max(self.unit, 4)
        return int.from_bytes(self._read(REGISTERS + READ, self.registers[name], 1, size)[:4], "little")

    def set_register(self, name: str, value: int) -> None:
        """Write a register."""
        data = value.to_bytes(max(self.unit, 4), "little")
        self._write(REGISTERS + WRITE, self.registers[name], 1, data)

    def load(self, content: bytes) -> None:
        """Fill the memory from its first word on; needed where it does not hold the network from the start."""
        self.write(0, content)

    def run(self, image: NDArray[Any]) -> NDArray[np.int64]:
        """Return the output's integers ``(channels, rows, columns)`` of an image of integers.

        Raises
        ------
        BoardError
            If the program ends with an error.
        """
        source, target = self.facts["input"], self.facts["output"]
        self.write(source["word"], self._packed(np.asarray(image).reshape(source["shape"])))
        self.set_register("program", self.facts["program"])
        self.set_register("control", 1)
        while (status := self.register("status")) & RUNNING:
            pass
        if status >> 4 & 15:
            raise BoardError(f"the program ended with error {status >> 4 & 15} at command {status >> 16}")
        channels, rows, columns = target["shape"]
        words = rows * columns * math.ceil(channels / self.facts["lanes"]) * self._word_units()
        return self._unpacked(self.read(target["word"], words), target["shape"])

    def _word_units(self) -> int:
        return math.ceil(self.facts["lanes"] * self.facts["activation_bits"] / (8 * self.unit))

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
        return signed.reshape(rows, columns, -1).transpose(2, 0, 1)[:channels]

    def _read(self, code: int, word: int, count: int, size: int) -> bytes:
        self._head(code, word, count)
        answer = self.line.read(count * size)
        if len(answer) != count * size:
            raise BoardError(f"the board sent {len(answer)} of {count * size} bytes")
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


def integers(image: NDArray[Any], facts: dict[str, Any]) -> NDArray[np.int64]:
    """Return an image in the integers that the accelerator takes."""
    if np.issubdtype(image.dtype, np.integer):
        return image.astype(np.int64)
    bits, signed = facts["activation_bits"], facts["signed"]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return np.clip(np.rint(image / facts["input"]["scale"]), low, high).astype(np.int64)


def main() -> None:
    """Run an image and print the real numbers that come out."""
    import serial  # type: ignore[import-untyped,import-not-found,unused-ignore]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--port", required=True)
    parser.add_argument("--load", type=Path, help="fill the board's memory first, from memory.bin")
    arguments = parser.parse_args()
    folder = Path(__file__).parent
    baud = json.loads((folder / "board.json").read_text(encoding="utf-8"))["baud"]
    with serial.Serial(arguments.port, baud, timeout=5) as line:
        board = Board(line, folder)
        if arguments.load:
            board.load(arguments.load.read_bytes())
        start = time.perf_counter()
        out = board.run(integers(np.load(arguments.image), board.facts))
    seconds = time.perf_counter() - start
    print(json.dumps({"output": (out * board.facts["output"]["scale"]).reshape(-1).tolist(), "seconds": seconds}))


if __name__ == "__main__":
    main()
