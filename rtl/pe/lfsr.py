"""Linear feedback shift registers: random signs that two sides can regenerate from a seed."""

from __future__ import annotations

from amaranth.hdl import Cat, Value

TAPS = {
    3: (3, 2), 4: (4, 3), 5: (5, 3), 6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4), 9: (9, 5), 10: (10, 7),
    11: (11, 9), 12: (12, 6, 4, 1), 13: (13, 4, 3, 1), 14: (14, 5, 3, 1), 15: (15, 14), 16: (16, 15, 13, 4),
    20: (20, 17), 24: (24, 23, 22, 17), 32: (32, 22, 2, 1),
}  # fmt: skip
"""Taps of maximal-length registers by width (Xilinx XAPP 052, table 3): every state but zero is visited."""


def step(state: int, bits: int) -> int:
    """Return the state after ``state``: shift up, and the parity of the taps enters below."""
    parity = sum(state >> (tap - 1) for tap in TAPS[bits]) & 1
    return ((state << 1) | parity) & ((1 << bits) - 1)


def step_value(state: Value, bits: int) -> Value:
    """Return the hardware of `step`."""
    parity = state[TAPS[bits][0] - 1]
    for tap in TAPS[bits][1:]:
        parity = parity ^ state[tap - 1]
    return Cat(parity, state[: bits - 1])
