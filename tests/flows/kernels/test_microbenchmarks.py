"""Microbenchmarks consist of the instructions that they count."""

import re

import pytest

from flows.kernels.cubin import compile_cuda
from flows.kernels.microbenchmarks import MICROBENCHMARKS
from hwsim.errors import MissingPackageError

COUNTS = {
    "shared-read": 4, "dram-write": 9, "dram-read": 8, "cache-read": 8, "spinning": 4,
    "ffma": 128, "iadd3": 128, "lop3": 128, "shf": 128, "imad": 128, "dp4a": 128,
    "hmma-fp16": 64, "hmma-bf16": 64, "hmma-tf32": 64, "imma-int8": 64,
}  # fmt: skip
"""Of an iteration, of which one writes what nobody asks for in dram-write; spinning has three to begin with."""
_INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\d+\s+)?([A-Z0-9_.]+)(.*)$", re.MULTILINE)


def largest_loop(listing):
    """Opcodes between the target of a branch back and the branch, of the longest such stretch without another one."""
    label_at, code = {}, []
    for line in listing.splitlines():
        if label := re.match(r"^\s*\.(L_x_\d+):", line):
            label_at[label[1]] = len(code)
        elif found := _INSTRUCTION.match(line):
            code.append((found[2], found[3]))
    loops = []
    for end, (opcode, rest) in enumerate(code):
        target = re.search(r"\.(L_x_\d+)", rest)
        if opcode.startswith("BRA") and target and label_at.get(target[1], end) < end:
            loops.append([name for name, _ in code[label_at[target[1]] : end]])
    return max((loop for loop in loops if "BRA" not in loop), key=len)


@pytest.mark.parametrize("one", MICROBENCHMARKS, ids=lambda one: one.name)
def test_its_loop_is_of_the_instruction_that_it_counts(one):
    try:
        listing = compile_cuda(one.code, "sm_90").listing
    except MissingPackageError as error:
        pytest.skip(str(error))
    code = largest_loop(listing) if one.unit == "operation" else [name for _, name, _ in _INSTRUCTION.findall(listing)]
    found = sum(opcode.startswith(one.opcode) for opcode in code)
    assert found == COUNTS[one.name]
    if one.unit == "operation":
        assert len(code) - found <= 6  # the loop itself


def test_names_are_those_of_the_table():
    assert {one.name for one in MICROBENCHMARKS} == set(COUNTS)
