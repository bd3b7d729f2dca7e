"""What the block memories of an unpacked bitstream hold, against the memory that was compiled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flows.compile.bundle import Bundle
from flows.fpga.boards import Toolchain
from hwsim.errors import HwsimError

Bits = NDArray[np.uint8]


def check(toolchain: Toolchain, unpacked: str, bundle: Bundle) -> int:
    """Return the bytes of the compiled memory, all of which were found in the bitstream.

    Synthesis cuts a memory into blocks of ``depth`` words and ``width`` bits; each must be in a block of the
    bitstream of its own.

    Raises
    ------
    HwsimError
        If some are not.
    """
    held = Counter(block.tobytes() for block in READERS[toolchain.packer](unpacked))
    memory = _memory_bits(bundle)
    missing = min(
        sum((Counter(_pieces(memory, width, toolchain.packer)) - held).values()) for width in WIDTHS[toolchain.packer]
    )
    if missing:
        raise HwsimError(f"the bitstream lacks {missing} blocks of the compiled memory")
    return len(bundle.content)


def _memory_bits(bundle: Bundle) -> Bits:
    """Bits of the memory, of shape ``(words, bits)``."""
    size = bundle.accelerator.memory_bits // 8
    return np.unpackbits(bundle.content.reshape(-1, size), axis=1, bitorder="little")


def _pieces(memory: Bits, width: int, packer: str) -> Iterator[bytes]:
    """Blocks of the memory: ``width`` bits of consecutive words each, filled up with zeros."""
    parity = packer == "ecppack" and width < PARITY_BYTE
    depth = (BLOCK_BITS[packer] // PARITY_BYTE * 8 if parity else BLOCK_BITS[packer]) // width
    words, bits = memory.shape
    padded = np.zeros((-(-words // depth) * depth, -(-bits // width) * width), np.uint8)
    padded[:words, :bits] = memory
    for first in range(0, len(padded), depth):
        for low in range(0, padded.shape[1], width):
            block = padded[first : first + depth, low : low + width]
            yield (np.pad(block.reshape(-1, 8), ((0, 0), (0, 1))) if parity else block).tobytes()


def ice40_blocks(text: str) -> Iterator[Bits]:
    """Contents of iCE40 memories in iceunpack's text, 4096 bits each in the order of words.

    A row of 256 bits holds 16 words. Place ``abcd`` (binary) in a word is its bit ``dcba``: so narrower words, whose
    lowest address bits choose among places, follow each other too.
    """
    order = np.array([16 * word + int(f"{place:04b}"[::-1], 2) for word in range(16) for place in range(16)])
    for rows in re.findall(r"^\.ram_data \d+ \d+\n((?:[0-9a-f]{64}\n){16})", text, re.MULTILINE):
        bits = np.array([[int(row, 16) >> place & 1 for place in range(256)] for row in rows.split()], np.uint8)
        linear = np.zeros_like(bits)
        linear[:, order] = bits
        yield linear.reshape(-1)


def ecp5_blocks(text: str) -> Iterator[Bits]:
    """Contents of ECP5 memories in ecpunpack's text: 2048 bytes of 9 bits each, the ninth only in wide words."""
    for rows in re.findall(r"^\.bram_init \d+\n((?:[0-9a-f ]+\n)+)", text, re.MULTILINE):
        codes = np.array([int(code, 16) for code in rows.split()], np.uint16)
        yield (codes[:, None] >> np.arange(PARITY_BYTE) & 1).astype(np.uint8).reshape(-1)


PARITY_BYTE = 9
READERS = {"icepack": ice40_blocks, "ecppack": ecp5_blocks}
BLOCK_BITS = {"icepack": 4096, "ecppack": 18432}
WIDTHS = {"icepack": (16, 8, 4, 2), "ecppack": (36, 18, 9, 4, 2, 1)}
