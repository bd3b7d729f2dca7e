"""A contraction as an array sees it, after the architecture's choices and the accounting convention's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim import formats
from hwsim.architecture import Architecture
from hwsim.cost.accounting import Convention, Operation, PrimitiveRule
from hwsim.errors import HwsimError
from hwsim.formats import Format
from hwsim.technology.modelled import format_pair
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator, Primitive

ACCUMULATOR_BITS = 32  # of integer contractions


@dataclass(frozen=True)
class Work:
    """Primitive, formats and widths with which a contraction runs."""

    primitive: Primitive
    rule: PrimitiveRule
    formats: Mapping[Operation, str]
    """Format at which each operation works."""
    memory_bits: Mapping[str, int]
    """Width of input, weight and output words."""
    partial_sum_bits: int
    on_chip: bool
    operand_formats: Mapping[str, Format]
    """Format of input, weight and output, which ``memory_bits`` may override in memory."""
    factor_bits: int
    """Width of the wider factor."""
    densities: tuple[float, float]
    """Shares of the factors that are not zero, in the order of an element's ports."""


def work_of(operator: Operator, architecture: Architecture, convention: Convention) -> Work:
    """Decide how ``operator`` runs on ``architecture`` under ``convention``.

    Raises
    ------
    HwsimError
        If the convention has no rule for its primitive or its width.
    """
    operands = {name: operator.operand(name) for name in MAIN_OPERANDS}
    factors = [operand for operand in operands.values() if operand is not operator.written]
    primitive = _primitive(operator, factors, architecture)
    rule = convention.primitives.get(primitive)
    if rule is None:
        raise HwsimError(f"accounting {convention.name} has no rule for primitive {primitive}")
    used = {name: _format(operand, architecture) for name, operand in operands.items()}
    as_ports = _as_ports(factors, used)
    widest = max((used[factor.name] for factor in factors), key=lambda factor: factor.bits)
    accumulator = widest.name if widest.kind == "fp" else f"int{ACCUMULATOR_BITS}"
    at: Mapping[Operation, str] = {
        "mult": widest.name, "add": widest.name, "shift": widest.name, "accumulate": accumulator,
        "element": format_pair(*(used[factor.name].name for factor in as_ports)),
    }  # fmt: skip
    bits = {name: format_.bits for name, format_ in used.items()}
    partial_sum_bits = formats.parse(accumulator).bits
    if convention.widths:
        at, partial_sum_bits = _published_width(widest, convention)
        bits = dict.fromkeys(bits, partial_sum_bits)
    if uniform := operator.memory_bits or rule.memory_bits:
        bits, partial_sum_bits = dict.fromkeys(bits, uniform), uniform
    on_chip = rule.on_chip if operator.on_chip is None else operator.on_chip
    densities = as_ports[0].density, as_ports[1].density
    return Work(primitive, rule, at, bits, partial_sum_bits, on_chip, used, widest.bits, densities)


def _as_ports(factors: list[Operand], used: Mapping[str, Format]) -> list[Operand]:
    """Both factors as an element's ports take them: the parameter last, else the wider first."""
    return sorted(factors, key=lambda factor: (factor.role == "parameter", -used[factor.name].bits))


def _primitive(operator: Operator, factors: list[Operand], architecture: Architecture) -> Primitive:
    replacement = architecture.contractions.weight_primitive
    by_weight = any(factor.role == "parameter" for factor in factors)
    return replacement if replacement and by_weight and operator.primitive == "mac" else operator.primitive


def _format(operand: Operand, architecture: Architecture) -> formats.Format:
    wanted = architecture.contractions
    chosen = wanted.weight_format if operand.role == "parameter" else None
    found = formats.parse(chosen or wanted.format or operand.format)
    return formats.parse(wanted.float_format) if found.kind == "fp" and wanted.float_format else found


def _published_width(widest: formats.Format, convention: Convention) -> tuple[Mapping[Operation, str], int]:
    for width in convention.widths:
        if width.bits == widest.bits:
            return width.formats, width.bits
    offered = " or ".join(str(width.bits) for width in convention.widths)
    raise HwsimError(f"accounting {convention.name} prices {offered} bits, not {widest.bits} ({widest.name})")
