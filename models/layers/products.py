"""Convolutions whose weights are powers of two, masks or small integers, as operators that the tracer knows by name.

PyTorch computes them in floating point. What hardware would do instead, the *primitive*, and the formats it would move
are arguments of the operator, so that `hwsim.trace` and the compiler see them. A linear layer is a 1x1 convolution over
images of one pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight


@torch.library.custom_op("hwsim::product_conv2d", mutates_args=())
def product_conv2d(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int,
    primitive: str, weight_format: str,
) -> Tensor:  # fmt: skip
    """Return ``conv2d(x, weight)``, as `torch.nn.functional.conv2d` does.

    Parameters
    ----------
    x, weight
        ``(batch, in_channels, rows, columns)`` and ``(out_channels, in_channels / groups, rows, columns)``.
    stride, padding, dilation
        Rows and columns.
    primitive
        ``mac``, ``shift`` or ``binary_add``: what hardware does for a term.
    weight_format
        One of `hwsim.formats`; empty: that of the tensor. That of ``x`` follows from what rounds it.
    """
    if x.shape[2:] == weight.shape[2:] == (1, 1) and groups == 1:
        return F.linear(x.flatten(1), weight.flatten(1))[:, :, None, None]
    return F.conv2d(x, weight, None, list(stride), list(padding), list(dilation), groups)


@product_conv2d.register_fake
def _(x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int, *named: str) -> Tensor:
    return F.conv2d(x, weight, None, stride, padding, dilation, groups)


@torch.library.custom_op("hwsim::product_conv2d_input", mutates_args=())
def product_conv2d_input(
    gradient: Tensor, weight: Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int, primitive: str, weight_format: str,
) -> Tensor:  # fmt: skip
    """Return the gradient of `product_conv2d` with respect to its input, which has the shape ``size``."""
    geometry = tuple(stride), tuple(padding), tuple(dilation), groups
    to_x: Tensor = conv2d_input(tuple(size), weight, gradient, *geometry)
    return to_x


@product_conv2d_input.register_fake
def _(gradient: Tensor, weight: Tensor, size: Sequence[int], *named: Any) -> Tensor:
    return gradient.new_empty(size)


@torch.library.custom_op("hwsim::product_conv2d_weight", mutates_args=())
def product_conv2d_weight(
    gradient: Tensor, x: Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    """Return the gradient of `product_conv2d` with respect to its weight, which has the shape ``size``."""
    geometry = tuple(stride), tuple(padding), tuple(dilation), groups
    to_weight: Tensor = conv2d_weight(x, tuple(size), gradient, *geometry)
    return to_weight


@product_conv2d_weight.register_fake
def _(gradient: Tensor, x: Tensor, size: Sequence[int], *named: Any) -> Tensor:
    return gradient.new_empty(size)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, *ctx.geometry, ctx.primitive, ctx.weight_format = inputs
    ctx.save_for_backward(x, weight)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    to_x = to_weight = None
    if ctx.needs_input_grad[0]:
        named = (*ctx.geometry, ctx.primitive, ctx.weight_format)
        to_x = product_conv2d_input(gradient, weight, list(x.shape), *named)
    if ctx.needs_input_grad[1]:
        to_weight = product_conv2d_weight(gradient, x, list(weight.shape), *ctx.geometry)
    return to_x, to_weight, *(None,) * 6


product_conv2d.register_autograd(_gradients, setup_context=_remember)
