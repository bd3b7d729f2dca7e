"""Shift layers: weights are signed powers of two. M. Elhoushi et al., DeepShift, CVPR 2021 workshops.

Activations are rounded to 16.16 fixed point. Weights are ``s * 2**p`` with ``p`` in ``-(2**(bits - 1) - 2) .. 0`` and
``s`` in {-1, 0, 1}: the format ``pow2z_{bits}``. They come from one of

- ``ps``: real ``p`` and ``s`` are learned and rounded, so that ``dw/dp = w * ln 2`` and ``dw/ds = 2**p``;
- ``q``: a real weight is learned and rounded to ``sign(w) * 2**round(log2|w|)``; its gradient is that of ``w``;
- ``frozen``: drawn once and never learned (ShiftAddNet's fixed shift): ``p ~ N(-lowest / 2, 1)``, ``lowest`` being the
  exponent of the threshold 5e-3, and ``s`` zero for half of the weights.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _pair

from hwsim.errors import InputError
from models.layers.products import product_conv2d
from models.layers.rounding import fixed_point, straight_through

Parametrisation = Literal["ps", "q", "frozen"]
ACTIVATION = "int32"
"""What 16.16 fixed point is to hardware."""
FROZEN_LOWEST = math.floor(-math.log2(5e-3))
"""The frozen variant's largest shift, 7."""


class ShiftConv2d(nn.Module):
    """A convolution with weights that are powers of two.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        As of `torch.nn.Conv2d`.
    bits
        Of a weight, sign included.
    parametrisation
        ``ps``, ``q`` or ``frozen``.
    pruned
        Share of the frozen weights, the smallest, that become zero.

    Raises
    ------
    InputError
        If a parameter breaks its rule.
    """

    shift: Tensor
    sign: Tensor
    real: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1,
        groups: int = 1, bias: bool = False, *, bits: int = 5, parametrisation: Parametrisation = "ps",
        pruned: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise InputError(f"channels must divide by groups={groups}", value=(in_channels, out_channels))
        if not 2 <= bits <= 8:
            raise InputError("must be 2 to 8", field="bits", value=bits)
        if not 0 <= pruned < 1 or (pruned and parametrisation != "frozen"):
            raise InputError("must be at least 0 and below 1, and 0 unless frozen", field="pruned", value=pruned)
        self.stride, self.padding, self.dilation = _pair(stride), _pair(padding), _pair(dilation)
        self.groups, self.bits, self.parametrisation = groups, bits, parametrisation
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        size = (out_channels, in_channels // groups, *_pair(kernel_size))
        if parametrisation == "ps":
            self.shift = nn.Parameter(torch.empty(size).uniform_(self.lowest / 2, 0))
            self.sign = nn.Parameter(torch.empty(size).uniform_(-1, 1))
        elif parametrisation == "q":
            self.real = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(size), a=math.sqrt(5)))
        elif parametrisation == "frozen":
            self._freeze(size, pruned)
        else:
            raise InputError("must be ps, q or frozen", field="parametrisation", value=parametrisation)

    @property
    def lowest(self) -> int:
        """The least exponent ``p``."""
        return -((1 << (self.bits - 1)) - 2)

    @property
    def weight(self) -> Tensor:
        """The weights as they are used: signed powers of two and zeros."""
        if self.parametrisation == "q":
            return straight_through(self.real, self._nearest)
        shift = straight_through(self.shift.clamp(self.lowest, 0), torch.round)
        sign = straight_through(self.sign.clamp(-1, 1), torch.round)
        return sign * torch.exp2(shift)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in_channels, rows, columns)`` to ``(batch, out_channels, rows', columns')``."""
        geometry = (list(self.stride), list(self.padding), list(self.dilation), self.groups)
        y: Tensor = product_conv2d(fixed_point(x), self.weight, *geometry, "shift", f"pow2z_{self.bits}")
        return y if self.bias is None else y + self.bias[:, None, None]

    @torch.no_grad()
    def adopt(self, weight: Tensor) -> None:
        """Start from the weights of a convolution.

        Raises
        ------
        InputError
            If the layer is frozen or the shapes differ.
        """
        if self.parametrisation == "frozen":
            raise InputError("a frozen shift layer keeps its own weights", field="parametrisation", value="frozen")
        own = self.real if self.parametrisation == "q" else self.shift
        if weight.shape != own.shape:
            raise InputError(f"must have the shape {tuple(own.shape)}", field="weight", value=tuple(weight.shape))
        if self.parametrisation == "q":
            own.copy_(weight)
            return
        self.shift.copy_(weight.abs().clamp(min=2.0**self.lowest).log2().clamp(max=0))
        self.sign.copy_(self._nearest(weight).sign())

    def _nearest(self, weight: Tensor) -> Tensor:
        """Return the powers of two whose logarithms are nearest; below half a step of the least, zero."""
        exponent = weight.abs().clamp(min=2.0 ** (self.lowest - 1)).log2().round().clamp(max=0)
        return torch.where(exponent < self.lowest, 0.0, weight.sign() * torch.exp2(exponent))

    def _freeze(self, size: tuple[int, ...], pruned: float) -> None:
        lowest = max(self.lowest, -FROZEN_LOWEST)
        shift = (lowest / 2 + torch.randn(size)).round().clamp(lowest, 0)
        sign = torch.empty(size).uniform_(-1, 1).round()
        if pruned:
            magnitude = (sign.abs() * torch.exp2(shift)).flatten()
            sign.view(-1)[magnitude.argsort(stable=True)[: int(pruned * sign.numel())]] = 0
        self.register_buffer("shift", shift)
        self.register_buffer("sign", sign)
        self._frozen = -1, 1.0  # version of the signs, and the share of them that is not zero

    def hwsim_facts(self) -> dict[str, Any]:
        """Return the formats, and of frozen weights the share that is not zero, for recordings."""
        facts: dict[str, Any] = {"weights": f"pow2z_{self.bits}", "reads": ACTIVATION}
        if self.parametrisation == "frozen":
            state = self.sign._version
            if self._frozen[0] != state:
                self._frozen = state, max(int(self.sign.count_nonzero()), 1) / self.sign.numel()
            facts["density"] = self._frozen[1]
        return facts

    def extra_repr(self) -> str:
        """Return the geometry and the format."""
        return f"{self.parametrisation}, bits={self.bits}, stride={self.stride}, padding={self.padding}"


class ShiftLinear(ShiftConv2d):
    """A linear layer with weights that are powers of two."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, bits: int = 5,
        parametrisation: Parametrisation = "ps",
    ) -> None:  # fmt: skip
        super().__init__(in_features, out_features, 1, bias=bias, bits=bits, parametrisation=parametrisation)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        y: Tensor = super().forward(x.reshape(-1, x.shape[-1], 1, 1))
        return y.view(*x.shape[:-1], y.shape[1])
