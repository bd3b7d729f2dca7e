"""Pooling: windows forward, one scatter or broadcast backward."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Cost, Rule, cost, over_largest
from hwsim.workload.operator import Operator

_SCATTERED = (
    "max_pool2d_with_indices_backward", "max_pool3d_with_indices_backward", "adaptive_max_pool2d_backward"
)  # fmt: skip


def _window(axes: int, *, average: bool) -> Rule:
    """Make a rule for windows over the last ``axes`` axes."""

    def rule(call: Call) -> list[Operator]:
        kernel = _each(call["kernel_size"], axes)
        stride = _each(call["stride"] or kernel, axes)
        padding = _each(call["padding"], axes)
        dilation = _each(call.record.arguments.get("dilation") or (1,), axes)
        arithmetic = cost(add=1, mult=1 / math.prod(kernel) if average else 0)
        return _windows(call, kernel, list(zip(stride, dilation, padding, strict=True)), arithmetic)

    return rule


def _windows(
    call: Call, kernel: tuple[int, ...], geometry: list[tuple[int, int, int]], arithmetic: Cost
) -> list[Operator]:
    data, result = call["self"], call.result
    if not result.elements:
        return []
    split = len(result.shape) - len(kernel)
    outer = tuple(f"n{axis}" for axis in range(split))
    places = tuple(f"p{axis}" for axis in range(len(kernel)))
    inner = {f"r{axis}": size for axis, size in enumerate(kernel)}
    read = tuple(
        f"{stride}*{place} + {dilation}*{offset} - {padding}"
        for place, offset, (stride, dilation, padding) in zip(places, inner, geometry, strict=True)
    )
    made = [ref for ref in call.record.outputs if ref is not None]
    written = [
        call.operand(name, ref, "write", outer + places)
        for name, ref in zip(("out", "indices"), made, strict=False)
    ]
    operator = call.operator(
        primitive="elementwise", dims=dict(zip(outer + places, result.shape, strict=True)) | inner,
        operands=(call.operand("self", data, projection=outer + read), *written), arithmetic=dict(arithmetic),
    )  # fmt: skip
    return [operator]


def _adaptive(call: Call) -> Cost:
    data = call["self"]
    return cost(add=1, mult=call.result.elements / max(data.elements, 1))


def _each(values: tuple[int, ...], axes: int) -> tuple[int, ...]:
    return tuple(values) if len(values) == axes else tuple(values) * axes


RULES: Mapping[str, Rule] = {
    "aten::max_pool2d_with_indices": _window(2, average=False),
    "aten::max_pool3d_with_indices": _window(3, average=False),
    "aten::avg_pool2d": _window(2, average=True),
    "aten::avg_pool3d": _window(3, average=True),
    "aten::adaptive_max_pool2d": over_largest(cost(add=1)),
    "aten::_adaptive_avg_pool2d": over_largest(_adaptive),
    **{f"aten::{name}": over_largest(cost(add=1)) for name in _SCATTERED},
    "aten::avg_pool2d_backward": over_largest(cost(add=1, mult=1)),
    "aten::avg_pool3d_backward": over_largest(cost(add=1, mult=1)),
    "aten::_adaptive_avg_pool2d_backward": over_largest(cost(mult=1)),
}
