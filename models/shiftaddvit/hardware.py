"""What of a traced network the paper prices, and the same products in the formats of 8-bit hardware."""

from __future__ import annotations

from hwsim.workload import Operator, Workload

LINEARS = frozenset({"query", "key_value", "qkv", "out", "fc1", "fc2"})
"""Modules of a block that are linear layers, or mixtures of them."""

ELEMENT_FORMATS = {"mac": ("int8", "int8"), "shift": ("int8", "pow2z_4"), "binary_add": ("int8", "bin01")}
"""Activations, and weights or codes, of the processing elements of `rtl.pe` that do an 8-bit network's products."""


def priced_by_paper(workload: Workload) -> Workload:
    """Return the linear layers of all blocks, with their routers, and the products with codes."""
    return _with(workload, [operator for operator in products(workload).operators if _is_priced(operator)])


def products(workload: Workload) -> Workload:
    """Return the contractions: without how PyTorch makes weights and inputs of shift layers, norms and the like."""
    return _with(workload, [operator for operator in workload.operators if operator.is_contraction])


def multiplied(workload: Workload) -> Workload:
    """Return the workload with multiplications in place of MatAdd, codes in the format of the other operands."""
    return _with(workload, [_multiplied(o) if o.primitive == "binary_add" else o for o in workload.operators])


def _multiplied(operator: Operator) -> Operator:
    format_ = operator.operand("weight").format
    operands = tuple(operand.model_copy(update={"format": format_}) for operand in operator.operands)
    return operator.model_copy(update={"primitive": "mac", "operands": operands})


def in_8_bits(workload: Workload) -> Workload:
    """Return the contractions with 8-bit activations and results, and weights of 8, 4 or 1 bits by primitive."""
    return _with(workload, [_in_8_bits(operator) for operator in products(workload).operators])


def _in_8_bits(operator: Operator) -> Operator:
    activation, narrow = ELEMENT_FORMATS[operator.primitive]
    formats = {"input": activation, "weight": narrow, "output": activation}
    if operator.primitive == "binary_add":  # codes are the first factor
        formats |= {"input": narrow, "weight": activation}
    operands = tuple(
        operand.model_copy(update={"format": formats[operand.name]})
        for operand in operator.operands if operand.name in formats
    )  # fmt: skip
    return operator.model_copy(update={"operands": operands})


def _is_priced(operator: Operator) -> bool:
    return operator.primitive == "binary_add" or not LINEARS.isdisjoint(operator.module.split("."))


def _with(workload: Workload, operators: list[Operator]) -> Workload:
    return workload.model_copy(update={"operators": tuple(operators)})
