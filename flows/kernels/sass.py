"""How many instructions of which kind a thread of a kernel executes, from the listing of its machine code.

The kernels of `flows.kernels.cuda` have at most one loop, whose count is known; all the rest is unrolled. What is under
a predicate, or jumped over at the edge of a matrix, counts as executed.
"""

from __future__ import annotations

import re
from collections import Counter

from flows.kernels.worker import KernelError

_LABEL = re.compile(r"^(\.L_x_\d+):")
_INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)(?:\.\w+)*\s*([^;]*);")
_BRANCH = re.compile(r"`\((\.L_x_\d+)\)")


def executed(listing: str, steps: int) -> Counter[str]:
    """Return executions of a thread by opcode without its modifiers.

    Parameters
    ----------
    listing
        Of nvdisasm.
    steps
        How often the loop is taken, if there is one.

    Raises
    ------
    KernelError
        If there are several loops, or none though ``steps`` is above one, or no instructions at all.
    """
    opcodes, loops = _parsed(listing)
    if not opcodes:
        raise KernelError("the listing has no instructions")
    if len(loops) > 1 or (not loops and steps > 1):
        raise KernelError(f"machine code must have one loop to be counted, not {len(loops)}")
    counts = Counter(opcodes)
    for first, last in loops:
        for opcode in opcodes[first : last + 1]:
            counts[opcode] += steps - 1
    counts.pop("NOP", None)  # padding behind the end
    return counts


def _parsed(listing: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Opcodes in order, and the first and last of every loop; a branch to itself, which ends every kernel, is none."""
    opcodes: list[str] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for line in listing.splitlines():
        label = _LABEL.match(line)
        if label:
            labels[label[1]] = len(opcodes)
            continue
        found = _INSTRUCTION.search(line)
        if not found:
            continue
        target = _BRANCH.search(found[3]) if found[2] == "BRA" else None
        if target and target[1] in labels and labels[target[1]] < len(opcodes):
            loops.append((labels[target[1]], len(opcodes)))
        if not (target and labels.get(target[1]) == len(opcodes)):
            opcodes.append(found[2])
    return opcodes, loops
