"""Operators as the facts of their module change them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hwsim.training.facts import Facts
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator


def varied(operator: Operator, facts: Facts) -> Operator:
    """Return ``operator`` with what ``facts`` say of formats, masks and sizes; the optimizer's own stay as traced.

    Formats and masks are those of the three operands of contractions. Which sizes ``tokens``, ``heads`` and ``rows``
    select is told by `_selected`; ``edges`` thin out operands stored as compressed rows.
    """
    if operator.phase in ("optimizer", "control"):
        return operator
    if operator.is_contraction:
        operands = tuple(_formatted(operand, operator, facts) for operand in operator.operands)
        operator = operator.model_copy(update={"operands": operands})
    for pair in (facts.tokens, facts.rows):
        operator = _scaled(operator, pair, heads=False) if pair else operator
    operator = _scaled(operator, facts.heads, heads=True) if facts.heads else operator
    return _thinned(operator, facts.edges) if facts.edges else operator


def _formatted(operand: Operand, operator: Operator, facts: Facts) -> Operand:
    if operand.name not in MAIN_OPERANDS:
        return operand
    activations, gradients = facts.activations, facts.gradients
    if operand.access == "read":
        activations, gradients = facts.reads or activations, facts.errors or gradients
    formats = {"parameter": facts.weights, "activation": activations, "gradient": gradients}
    role = "parameter" if operand.role == "state" and operand.name == "weight" else operand.role  # not trained
    changes: dict[str, object] = {}
    if formats.get(role):
        changes["format"] = formats[role]
    if facts.density is not None and _holds_weights(operand, operator):
        changes |= {"density": facts.density, "density_structure": facts.structure}
    return operand.model_copy(update=changes) if changes else operand


def _holds_weights(operand: Operand, operator: Operator) -> bool:
    """Whether it is the weight, or the gradient of one, which a mask thins out alike."""
    return operand.name == "weight" and (operand.role in {"parameter", "state"} or operator.phase == "grad_weight")


def _selected(operator: Operator, of: int, *, heads: bool) -> list[str]:
    """Dimensions of a contraction that run over tokens (or rows) or heads.

    With a weight: the one that the weight does not have, if it is a multiple. Between activations: tokens are the
    dimensions of exactly that size that not all three operands share; heads are shared ones that are a multiple.
    """
    weight = operator.operand("weight")
    shared = frozenset.intersection(*(operator.operand(name).dimensions for name in MAIN_OPERANDS))
    bare = [n for n in operator.dims if all(n in o.projection for o in operator.operands if n in o.dimensions)]
    if _holds_weights(weight, operator):
        return [] if heads else [n for n in bare if n not in weight.dimensions and operator.dims[n] % of == 0][:1]
    if heads:
        return [name for name in bare if name in shared and operator.dims[name] % of == 0][:1]
    return [name for name in bare if name not in shared and operator.dims[name] == of]


def _scaled(operator: Operator, pair: tuple[int, int], *, heads: bool) -> Operator:
    kept, of = pair
    if operator.is_contraction:
        chosen = _selected(operator, of, heads=heads)
        sizes = {name: operator.dims[name] * kept // of for name in chosen}
        operands = tuple(_resized(operand, sizes) for operand in operator.operands)
        return operator.model_copy(update={"dims": {**operator.dims, **sizes}, "operands": operands})
    before = operator.largest
    operands = tuple(one.model_copy(update={"shape": _axes(one.shape, kept, of)}) for one in operator.operands)
    left = math.prod(_axes(before.shape, kept, of)) / before.elements if before.elements else 1.0
    if list(operator.dims) == ["x"]:
        dims: Mapping[str, int] = {"x": max(1, round(operator.dims["x"] * left))}
    else:
        dims = {name: size * kept // of if size == of else size for name, size in operator.dims.items()}
    return operator.model_copy(update={"dims": dims, "operands": operands})


def _resized(operand: Operand, sizes: Mapping[str, int]) -> Operand:
    """Give the axes that a dimension runs along its new size."""
    if len(operand.projection) != len(operand.shape):
        return operand
    axes = zip(operand.projection, operand.shape, strict=True)
    return operand.model_copy(update={"shape": tuple(sizes.get(name, size) for name, size in axes)})


def _axes(shape: tuple[int, ...], kept: int, of: int) -> tuple[int, ...]:
    """Scale the axes of that size, or the first that is a multiple if there is none."""
    if of in shape:
        return tuple(size * kept // of if size == of else size for size in shape)
    first = next((axis for axis, size in enumerate(shape) if size and size % of == 0), None)
    return tuple(size * kept // of if axis == first else size for axis, size in enumerate(shape))


def _thinned(operator: Operator, pair: tuple[int, int]) -> Operator:
    operands = tuple(
        operand.model_copy(update={"density": operand.density * pair[0] / pair[1]})
        if operand.density_structure == "csr" else operand
        for operand in operator.operands
    )  # fmt: skip
    return operator.model_copy(update={"operands": operands})
