"""Turning a convolutional network into one of shifts and additions, as H. You et al., ShiftAddNet, NeurIPS 2020, do."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, cast

from torch import Tensor, nn

from hwsim.errors import InputError
from models.layers.adder import AdderConv2d
from models.layers.shift import Parametrisation, ShiftConv2d


class ShiftAddConv2d(nn.Module):
    """A shift layer with a convolution's geometry, then an adder layer of the same kernel that keeps the size.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        As of `torch.nn.Conv2d`; the kernel must be odd, for the adder layer to keep the size.
    bits, parametrisation, pruned
        Of the shift layer.
    eta, quantise, quantise_bits
        Of the adder layer.

    Raises
    ------
    InputError
        If the kernel is even.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1,
        groups: int = 1, *, bits: int = 5, parametrisation: Parametrisation = "ps", pruned: float = 0.0,
        eta: float = 0.2, quantise: str | None = None, quantise_bits: int = 8,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shift = ShiftConv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
            bits=bits, parametrisation=parametrisation, pruned=pruned,
        )  # fmt: skip
        kernel = self.shift.weight.shape[2:]
        if not all(extent % 2 for extent in kernel):
            raise InputError("must be odd in a shift-add layer", field="kernel_size", value=tuple(kernel))
        same = tuple(d * (k - 1) // 2 for k, d in zip(kernel, self.shift.dilation, strict=True))
        self.adder = AdderConv2d(
            out_channels, out_channels, cast("tuple[int, int]", tuple(kernel)), padding=cast("tuple[int, int]", same),
            dilation=dilation, groups=groups, eta=eta, quantise=quantise, bits=quantise_bits,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in_channels, rows, columns)`` to ``(batch, out_channels, rows', columns')``."""
        y: Tensor = self.adder(self.shift(x))
        return y


def convert_to_shiftadd(
    module: nn.Module,
    *,
    shift_only: Collection[str] | None = None,
    bits: int = 5,
    parametrisation: Parametrisation = "ps",
    quantise: str | None = None,
    quantise_bits: int = 8,
) -> nn.Module:
    """Return a copy of ``module`` whose convolutions are shift-add layers that start from the convolutions' weights.

    Linear layers stay. A convolution's bias is kept only where its layer is shift-only: the batch norm behind an adder
    layer makes up for it.

    Parameters
    ----------
    shift_only
        Paths of convolutions without an adder layer behind them; default: the first one, and those with even kernels.
    bits, parametrisation
        Of the shift layers.
    quantise, quantise_bits
        Of the adder layers.

    Raises
    ------
    InputError
        If there is no convolution, a path is none's, or a convolution does not pad with zeros by numbers.
    """
    module = copy.deepcopy(module)
    paths = [name for name, child in module.named_modules() if isinstance(child, nn.Conv2d)]
    if not paths:
        raise InputError("must hold a Conv2d", field="module", value=type(module).__name__)
    for name in shift_only or ():
        if name not in paths:
            raise InputError(f"must be one of {', '.join(paths)}", field="shift_only", value=name)
    for name in paths:
        layer = cast("nn.Conv2d", module.get_submodule(name))
        even = any(extent % 2 == 0 for extent in layer.kernel_size)
        new: nn.Module
        if name == paths[0] or even if shift_only is None else name in shift_only:
            biased = layer.bias is not None
            shift = ShiftConv2d(*_geometry(name, layer), biased, bits=bits, parametrisation=parametrisation)
            new = shift
        else:
            new = ShiftAddConv2d(
                *_geometry(name, layer), bits=bits, parametrisation=parametrisation,
                quantise=quantise, quantise_bits=quantise_bits,
            )  # fmt: skip
            shift = new.shift
        if parametrisation != "frozen":
            shift.adopt(layer.weight.detach())
        if shift.bias is not None and layer.bias is not None:
            shift.bias.data.copy_(layer.bias.detach())
        if not name:
            return new
        module.set_submodule(name, new)
    return module


def _geometry(name: str, layer: nn.Conv2d) -> tuple[int, int, Any, Any, Any, Any, int]:
    """Return the positional arguments that the layers share with `torch.nn.Conv2d`, without the bias."""
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise InputError("must pad with zeros, by numbers", field=name, value=layer.padding)
    return (
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
        layer.groups,
    )  # fmt: skip
