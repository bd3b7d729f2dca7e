"""Adder layers: ``-sum |x - w|`` in place of a convolution. H. Chen et al., AdderNet, CVPR 2020.

Gradients are AdderNet's, not the derivative's: of the weight the full difference ``x - w`` instead of its sign, of the
input the difference ``w - x`` clipped to -1 .. 1. A layer's weight gradient is scaled to the norm ``eta * sqrt(k)``,
``k`` being the number of its weights. Padding counts as zeros: it adds ``-|w|``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.utils import _pair

from hwsim.errors import InputError
from models.layers.adder_kernel import clipped_gradient, distances
from models.layers.quantisers import quantised_facts, quantisers

UNFOLDED = 1 << 24
"""Most elements of a part of the batch after im2col: 64 mebibytes of float32."""


@torch.library.custom_op("hwsim::adder_conv2d", mutates_args=())
def adder_conv2d(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int,
    eta: float,
) -> Tensor:  # fmt: skip
    """Return minus the L1 distance of every window of ``x`` to every filter.

    Parameters
    ----------
    x, weight
        ``(batch, in_channels, rows, columns)`` and ``(out_channels, in_channels / groups, rows, columns)``.
    stride, padding, dilation
        Rows and columns.
    eta
        What the norm of the weight's gradient is scaled to, per square root of its elements; 0: not scaled.
    """
    size = _output_size(x, weight, stride, padding, dilation)
    out = x.new_empty(len(x), len(weight), *size)
    for images, group, windows, filters in _parts(x, weight, stride, padding, dilation, groups):
        sums = distances(windows, filters)
        out[images, group] = sums.neg_().view(-1, *size, len(filters)).movedim(-1, 1)
    return out


@adder_conv2d.register_fake
def _(x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int, eta: float) -> Tensor:
    return F.conv2d(x, weight, None, stride, padding, dilation, groups)


@torch.library.custom_op("hwsim::adder_conv2d_input", mutates_args=())
def adder_conv2d_input(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    """Return AdderNet's gradient of `adder_conv2d` with respect to its input."""
    depth, kernel, out = weight.shape[1], weight.shape[2:], torch.empty_like(x)
    for images, group, windows, filters in _parts(x, weight, stride, padding, dilation, groups):
        given = gradient[images, group].movedim(1, -1).reshape(len(windows), -1)
        columns = clipped_gradient(given, windows, filters).view(images.stop - images.start, -1, windows.shape[1])
        first = group.start // len(filters) * depth
        out[images, first : first + depth] = F.fold(
            columns.transpose(1, 2), x.shape[2:], kernel, tuple(dilation), tuple(padding), tuple(stride)
        )
    return out


@adder_conv2d_input.register_fake
def _(gradient: Tensor, x: Tensor, *named: Any) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("hwsim::adder_conv2d_weight", mutates_args=())
def adder_conv2d_weight(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    """Return AdderNet's gradient of `adder_conv2d` with respect to its weight, not scaled."""
    out = torch.zeros_like(weight)
    for images, group, windows, filters in _parts(x, weight, stride, padding, dilation, groups):
        given = gradient[images, group].transpose(0, 1).flatten(1)
        total = given @ windows - given.sum(1, keepdim=True) * filters
        out[group] += total.view_as(out[group])
    return out


@adder_conv2d_weight.register_fake
def _(gradient: Tensor, x: Tensor, weight: Tensor, *named: Any) -> Tensor:
    return torch.empty_like(weight)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, *ctx.geometry, ctx.eta = inputs
    ctx.save_for_backward(x, weight)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    to_x = adder_conv2d_input(gradient, x, weight, *ctx.geometry) if ctx.needs_input_grad[0] else None
    to_weight = None
    if ctx.needs_input_grad[1]:
        to_weight = adder_conv2d_weight(gradient, x, weight, *ctx.geometry)
        if ctx.eta:
            norm = to_weight.norm().clamp(min=torch.finfo(weight.dtype).tiny)
            to_weight = to_weight * (ctx.eta * math.sqrt(weight.numel()) / norm)
    return to_x, to_weight, *(None,) * 5


adder_conv2d.register_autograd(_gradients, setup_context=_remember)


def _output_size(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    axes = zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    return tuple((extent + 2 * p - d * (kernel - 1) - 1) // s + 1 for extent, kernel, s, p, d in axes)


def _parts(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Images, output channels, windows ``(points, terms)`` and filters ``(filters, terms)``, a group at a time."""
    depth, width = weight.shape[1], len(weight) // groups
    terms = weight[0].numel()
    points = math.prod(_output_size(x, weight, stride, padding, dilation))
    step = max(1, UNFOLDED // (points * terms))
    for group in range(groups):
        channels, outputs = slice(group * depth, group * depth + depth), slice(group * width, group * width + width)
        filters = weight[outputs].flatten(1)
        for image in range(0, len(x), step):
            images = slice(image, min(image + step, len(x)))
            windows = F.unfold(x[images, channels], weight.shape[2:], tuple(dilation), tuple(padding), tuple(stride))
            yield images, outputs, windows.transpose(1, 2).reshape(-1, terms), filters


class AdderConv2d(nn.Module):
    """A convolution's geometry with ``-|x - w|`` as its term.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        As of `torch.nn.Conv2d`.
    eta
        Of the adaptive scale of the weight's gradient; 0.2 in the paper, 0: plain gradient.
    quantise, bits
        Quantiser of inputs, weights and errors, ``wageubn`` or ``sbm``; none: full precision. As published, ``wageubn``
        rounds to ``2**(1 - bits)`` but does not saturate.

    Raises
    ------
    InputError
        If the channels do not divide by the groups, or there is no such quantiser.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1,
        groups: int = 1, *, eta: float = 0.2, quantise: str | None = None, bits: int = 8,
    ) -> None:  # fmt: skip
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise InputError(f"channels must divide by groups={groups}", value=(in_channels, out_channels))
        self.stride, self.padding, self.dilation = _pair(stride), _pair(padding), _pair(dilation)
        self.groups, self.eta = groups, eta
        self.quantise_x, self.quantise_weight, self.quantise_errors = quantisers(quantise, bits, saturate=False)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels // groups, *_pair(kernel_size)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in_channels, rows, columns)`` to ``(batch, out_channels, rows', columns')``."""
        geometry = (list(self.stride), list(self.padding), list(self.dilation), self.groups)
        y: Tensor = self.quantise_errors(
            adder_conv2d(self.quantise_x(x), self.quantise_weight(self.weight), *geometry, self.eta)
        )
        return y

    def hwsim_facts(self) -> dict[str, str]:
        """Return the formats of a quantised layer, for recordings."""
        return quantised_facts(self.quantise_x, self.quantise_weight, self.quantise_errors)

    def extra_repr(self) -> str:
        """Return the geometry."""
        return f"{tuple(self.weight.shape)}, stride={self.stride}, padding={self.padding}, groups={self.groups}"


class AdderLinear(AdderConv2d):
    """``-sum |x - w|`` over the features."""

    def __init__(
        self, in_features: int, out_features: int, *, eta: float = 0.2, quantise: str | None = None, bits: int = 8
    ) -> None:
        super().__init__(in_features, out_features, 1, eta=eta, quantise=quantise, bits=bits)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        rows = x.reshape(-1, x.shape[-1], 1, 1)
        return super().forward(rows).view(*x.shape[:-1], len(self.weight))
