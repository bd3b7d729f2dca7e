"""Pooling: windows forward, one scatter or broadcast backward."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Cost, Rule, cost, over_largest
from hwsim.trace.records import TensorRef
from hwsim.workload.operator import Operator


def _window(average: bool) -> Rule:
    def rule(call: Call) -> list[Operator]:
        data, result = call["self"], call.result
        if not result.elements:
            return []
        kernel = _pair(call["kernel_size"])
        arithmetic = cost(add=1, mult=1 / (kernel[0] * kernel[1]) if average else 0)
        return [_windows(call, data, result, kernel, arithmetic)]

    return rule


def _windows(
    call: Call, data: TensorRef, result: TensorRef, kernel: tuple[int, int], arithmetic: Cost
) -> Operator:
    stride = _pair(call["stride"] or kernel)
    padding = _pair(call["padding"])
    dilation = _pair(call.record.arguments.get("dilation") or (1,))
    outer = {f"n{axis}": size for axis, size in enumerate(result.shape[:-2])}
    dims = outer | {"p": result.shape[-2], "q": result.shape[-1], "r": kernel[0], "s": kernel[1]}
    read = tuple(
        f"{stride[i]}*{out} + {dilation[i]}*{inner} - {padding[i]}"
        for i, (out, inner) in enumerate((("p", "r"), ("q", "s")))
    )
    written = [
        call.operand("out" if i == 0 else "indices", ref, "write", (*outer, "p", "q"))
        for i, ref in enumerate(ref for ref in call.record.outputs if ref is not None)
    ]
    return call.operator(
        primitive="elementwise", dims=dims, arithmetic=dict(arithmetic),
        operands=(call.operand("self", data, projection=(*outer, *read)), *written),
    )  # fmt: skip


def _adaptive(call: Call) -> Cost:
    data = call["self"]
    return cost(add=1, mult=call.result.elements / max(data.elements, 1))


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return (values[0], values[-1])


RULES: Mapping[str, Rule] = {
    "aten::max_pool2d_with_indices": _window(average=False),
    "aten::avg_pool2d": _window(average=True),
    "aten::_adaptive_avg_pool2d": over_largest(_adaptive),
    "aten::max_pool2d_with_indices_backward": over_largest(cost(add=1)),
    "aten::avg_pool2d_backward": over_largest(cost(add=1, mult=1)),
    "aten::_adaptive_avg_pool2d_backward": over_largest(cost(mult=1)),
}
