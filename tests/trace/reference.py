"""Independent captures of the contractions of a training step: `make_fx` and `FlopCounterMode`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from hwsim.workload import Workload

Sizes = tuple[int, ...]
"""Sizes of an iteration space, sorted, without ones: all that role and order cannot change."""


def of_workload(workload: Workload) -> Counter[Sizes]:
    return Counter(_sizes(list(o.dims.values())) for o in workload.operators if o.is_contraction)


def of_graph(graph: GraphModule) -> Counter[Sizes]:
    return Counter(_sizes(sizes) for node in graph.graph.nodes for sizes in _contractions(node))


def traced(model: nn.Module, inputs: tuple[Tensor, ...]) -> GraphModule:
    """Return the forward and backward pass of ``model(*inputs).mean()`` as `make_fx` sees it."""

    def step(parameters: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Any:
        value = functional_call(model, parameters, inputs).mean()
        return torch.autograd.grad(value, list(parameters.values()))

    return make_fx(step)(dict(model.named_parameters()), inputs)


def _sizes(sizes: Sequence[int]) -> Sizes:
    return tuple(sorted(size for size in sizes if size > 1))


def _contractions(node: Node) -> Iterator[Sequence[int]]:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return
    name = node.target._schema.name.removeprefix("aten::")
    tensors = [a.meta["val"] for a in node.args if isinstance(a, Node)]
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if name in {"mm", "bmm", "mv", "dot"}:
        yield from _product(*tensors)
    elif name in {"addmm", "baddbmm"}:
        yield from _product(*tensors[1:])
    elif name == "convolution":
        yield _convolution(shapes[0], shapes[1], tuple(node.meta["val"].shape), node.args[8])
    elif name == "convolution_backward":
        gradient, data, weight = shapes
        yield from [_convolution(data, weight, gradient, node.args[9])] * sum(node.args[10][:2])
    elif name.startswith("_scaled_dot_product"):
        backward = name.endswith("backward")
        query, key, value = shapes[1:4] if backward else shapes[:3]
        scores = (math.prod(key[:2]), query[1] // key[1] * query[2], key[2])  # heads that share keys are rows
        yield from [(*scores, query[3])] * (3 if backward else 1)
        yield from [(*scores, value[3])] * (2 if backward else 1)


def _product(a: Tensor, b: Tensor) -> Iterator[Sequence[int]]:
    """A batch that shares one factor (expanded) is a product with more rows, or columns, and no batch."""
    columns = b.shape[-1] if b.dim() > 1 else 1
    if a.dim() == 3 and b.stride(0) == 0:
        yield a.shape[0] * a.shape[1], a.shape[2], columns
    elif a.dim() == 3 and a.stride(0) == 0:
        yield a.shape[1], a.shape[2], a.shape[0] * columns
    else:
        yield *a.shape, columns


def _convolution(data: Sizes, weight: Sizes, output: Sizes, groups: Any) -> Sequence[int]:
    return (groups, output[0], output[1] // groups, *weight[1:], *output[2:])
