"""ShiftAddViT's accounting with its assumptions switched off, one at a time and all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwsim.cost.accounting import Convention, PrimitiveRule, Width, load_convention

Rules = Mapping[str, Mapping[str, Any]]
"""By primitive, what to change of its rule."""

WORDS: Rules = {"shift": {"memory_bits": None}}
CYCLES: Rules = {"shift": {"latency_divisor": 1.0}}
ON_CHIP: Rules = {"binary_add": {"on_chip": False}}
ACCUMULATE: Rules = {"mac": {"operations": {"mult": 1, "add": 1}}, "shift": {"operations": {"shift": 1, "accumulate": 1}}}
"""An addition behind every multiplication and every shift, in FP32 and INT32; MatAdd is one already."""
ELEMENT: Rules = {name: {"operations": {"element": 1}} for name in ("mac", "shift", "binary_add")}

PAPER, ALL_OFF = "all on", "all off"
SHIFT_WORD_BITS = (8 + 5) // 2
"""The paper's rule for the words of shift layers, ``(16 + 5) // 2`` = 10 bits, for activations of 8 bits."""


def published_ladder() -> dict[str, Convention]:
    """Return the paper's convention, 32 bits, with each assumption off, and with all."""
    paper = load_convention("shiftaddvit")
    widths = tuple(_with_accumulator(width) for width in paper.widths)
    return _ladder(paper.model_copy(update={"widths": widths}), {"accumulate": ACCUMULATE})


def gates_ladder() -> dict[str, Convention]:
    """Return the same assumptions over our own operators at 8 bits; the last step charges whole elements."""
    whole = load_convention("pe")
    assumed = _changed(whole, {
        "mac": {"operations": {"mult": 1}},
        "shift": {"operations": {"shift": 1}, "memory_bits": SHIFT_WORD_BITS, "latency_divisor": 3.2},
        "binary_add": {"operations": {"add": 1}, "on_chip": True},
    })  # fmt: skip
    return _ladder(assumed, {"elements": ELEMENT})


def faster_shifts(convention: Convention, divisor: float) -> Convention:
    """Return a convention whose shifts take fewer cycles, as of more elements."""
    return _changed(convention, {"shift": {"latency_divisor": divisor}})


def _ladder(assumed: Convention, priced: Mapping[str, Rules]) -> dict[str, Convention]:
    steps = {"words": WORDS, "cycles": CYCLES, "on chip": ON_CHIP, **priced}
    last = assumed
    for step in steps.values():
        last = _changed(last, step)
    return {PAPER: assumed, **{name: _changed(assumed, step) for name, step in steps.items()}, ALL_OFF: last}


def _changed(convention: Convention, rules: Rules) -> Convention:
    primitives = dict(convention.primitives)
    for name, update in rules.items():
        primitives[name] = PrimitiveRule.model_validate(primitives[name].model_dump() | dict(update))  # type: ignore[index]
    return convention.model_copy(update={"primitives": primitives})


def _with_accumulator(width: Width) -> Width:
    return width.model_copy(update={"formats": {**width.formats, "accumulate": f"int{width.bits}"}})
