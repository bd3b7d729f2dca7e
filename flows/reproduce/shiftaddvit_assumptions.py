"""The assumptions of ShiftAddViT's accounting over prices of our own gates, one at a time off and all."""

from __future__ import annotations

from flows.reproduce.ablation import ASSUMPTIONS, without
from hwsim.cost.accounting import Convention, PrimitiveRule, load_convention
from hwsim.workload.operator import Primitive

ALL_ON, ALL_OFF = "all assumptions", "none of the four"
SHIFT_WORD_BITS = (8 + 5) // 2
"""The paper's rule for the words of shift layers, ``(16 + 5) // 2`` = 10 bits, for activations of 8 bits."""
OPERATORS: dict[Primitive, PrimitiveRule] = {
    "mac": PrimitiveRule(operations={"mult": 1}),
    "shift": PrimitiveRule(operations={"shift": 1}, memory_bits=SHIFT_WORD_BITS, latency_divisor=3.2),
    "binary_add": PrimitiveRule(operations={"add": 1}, on_chip=True),
}


def gates_ladder() -> dict[str, Convention]:
    """Return conventions by the assumption that they lack; instead of accumulations, whole elements are charged."""
    whole = load_convention("pe")
    assumed = whole.model_copy(update={"primitives": {**whole.primitives, **OPERATORS}})
    *kept, _ = ASSUMPTIONS
    ladder = {ALL_ON: assumed, **{f"no {assumption}": without(assumed, assumption) for assumption in kept}}
    ladder["no bare operators"] = of_elements(assumed)
    return ladder | {ALL_OFF: of_elements(without(assumed, *kept))}


def of_elements(convention: Convention) -> Convention:
    """Return the convention with whole processing elements in place of operators."""
    rules = {
        name: rule.model_copy(update={"operations": {"element": 1}}) for name, rule in convention.primitives.items()
    }
    return convention.model_copy(update={"primitives": rules})


def faster_shifts(convention: Convention, divisor: float) -> Convention:
    """Return a convention whose shifts take fewer cycles, as of more elements."""
    shift = convention.primitives["shift"].model_copy(update={"latency_divisor": divisor})
    return convention.model_copy(update={"primitives": {**convention.primitives, "shift": shift}})
