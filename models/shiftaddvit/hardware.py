"""What of a traced network the paper prices, and the network it compares with."""

from __future__ import annotations

from hwsim.workload import Operator, Workload
from models.elements import products

LINEARS = frozenset({"query", "key_value", "qkv", "out", "fc1", "fc2"})
"""Modules of a block that are linear layers, or mixtures of them."""


def priced_by_paper(workload: Workload) -> Workload:
    """Return the linear layers of all blocks, with their routers, and the products with codes."""
    return _with(workload, [operator for operator in products(workload).operators if _is_priced(operator)])


def multiplied(workload: Workload) -> Workload:
    """Return the workload with multiplications in place of MatAdd, codes in the format of the other operands."""
    return _with(workload, [_multiplied(o) if o.primitive == "binary_add" else o for o in workload.operators])


def _multiplied(operator: Operator) -> Operator:
    format_ = operator.operand("weight").format
    operands = tuple(operand.model_copy(update={"format": format_}) for operand in operator.operands)
    return operator.model_copy(update={"primitive": "mac", "operands": operands})


def _is_priced(operator: Operator) -> bool:
    return operator.primitive == "binary_add" or not LINEARS.isdisjoint(operator.module.split("."))


def _with(workload: Workload, operators: list[Operator]) -> Workload:
    return workload.model_copy(update={"operators": tuple(operators)})
