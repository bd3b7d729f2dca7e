"""A traced network in the formats of this project's processing elements: what 8-bit hardware would compute of it."""

from __future__ import annotations

from hwsim.errors import InputError
from hwsim.workload import Operand, Operator, Workload

PRIMITIVES = ("mac", "shift", "add", "binary_add")
"""What there are elements for."""
POWERS = "pow2z_4"
"""Weights of the shift element: a sign, zero, and powers of two."""
OPERANDS = ("input", "weight", "output")


def products(workload: Workload) -> Workload:
    """Return the contractions: without how PyTorch makes weights and inputs of shift layers, norms and the like."""
    return workload.model_copy(update={"operators": tuple(o for o in workload.operators if o.is_contraction)})


def in_8_bits(workload: Workload) -> Workload:
    """Return the contractions in 8 bits, without biases: weights of shifts have 4 bits, masks and codes their one.

    Raises
    ------
    InputError
        If there is no element for a primitive.
    """
    return workload.model_copy(update={"operators": tuple(map(_in_8_bits, products(workload).operators))})


def _in_8_bits(operator: Operator) -> Operator:
    if (primitive := operator.primitive) not in PRIMITIVES:
        raise InputError(f"must be one of {', '.join(PRIMITIVES)}", field=f"{operator.name}.primitive", value=primitive)

    def form(operand: Operand) -> str:
        if operand.format.startswith("bin"):
            return operand.format
        return POWERS if primitive == "shift" and operand.name == "weight" else "int8"

    operands = (operand for operand in operator.operands if operand.name in OPERANDS)
    narrow = tuple(operand.model_copy(update={"format": form(operand)}) for operand in operands)
    return operator.model_copy(update={"operands": narrow})
