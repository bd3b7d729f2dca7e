"""What a bitstream's memories hold, against the rule by which yosys places bits."""

import numpy as np
import pytest

from flows.fpga import contents
from flows.fpga.boards import ECP5, ICE40
from hwsim.errors import HwsimError


def ice40_text(memory, width):
    """Blocks of ``width`` bits as iceunpack prints them, by yosys's own rule (ice40/brams_map.v)."""
    text, depth = "", 4096 // width
    for first in range(0, len(memory), depth):
        for low in range(0, memory.shape[1], width):
            block = np.zeros((depth, width), np.uint8)
            part = memory[first : first + depth, low : low + width]
            block[: len(part), : part.shape[1]] = part
            initial = block.reshape(-1)
            text += ".ram_data 6 3\n"
            for row in range(16):
                code = 0
                for i in range(256):
                    place = row << 8 | (i >> 4) << 4 | (i & 1) << 3 | (i >> 1 & 1) << 2 | (i >> 2 & 1) << 1 | i >> 3 & 1
                    code |= int(initial[place]) << i
                text += f"{code:064x}\n"
    return text


def ecp5_text(memory):
    """Blocks of 36 bits as ecpunpack prints them: bytes of nine bits, the lowest first."""
    text = ""
    for first in range(0, len(memory), 512):
        block = np.zeros((512, 36), np.uint8)
        part = memory[first : first + 512]
        block[: len(part), : part.shape[1]] = part
        codes = block.reshape(-1, 9) @ (1 << np.arange(9))
        rows = (" ".join(f"{code:03x}" for code in codes[at : at + 8]) for at in range(0, 2048, 8))
        text += ".bram_init 1\n" + "\n".join(rows) + "\n\n"
    return text


def bits_of(bundle):
    return np.unpackbits(bundle.content.reshape(-1, 2), axis=1, bitorder="little")


@pytest.mark.parametrize(
    ("toolchain", "text"),
    [(ICE40, lambda bits: ice40_text(bits, 16)), (ICE40, lambda bits: ice40_text(bits, 4)), (ECP5, ecp5_text)],
)
def test_the_compiled_memory_is_found_and_a_wrong_bit_is_too(network, toolchain, text):
    bits = bits_of(network.bundle)
    assert contents.check(toolchain, text(bits), network.bundle) == len(network.bundle.content)
    wrong = bits.copy()
    wrong[len(wrong) // 2, 3] ^= 1
    with pytest.raises(HwsimError, match=r"^the bitstream lacks 1 blocks of the compiled memory$"):
        contents.check(toolchain, text(wrong), network.bundle)
