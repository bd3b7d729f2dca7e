"""Layers with binary and with few-bit weights."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from hwsim.errors import InputError
from models.layers.products import product_conv2d
from models.layers.quantisers import QUANTISERS, quantised_facts, quantisers


class _Binary(torch.autograd.Function):
    """A comparison with zero, whose gradient passes where the value lies in -1 .. 1."""

    @staticmethod
    def forward(ctx: Any, real: Tensor, low: float) -> Tensor:
        ctx.save_for_backward(real)
        return torch.where(real > 0, 1.0, low)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (real,) = ctx.saved_tensors
        return torch.where(real.abs() <= 1, gradient, 0.0), None


class BinaryLinear(nn.Module):
    """A linear layer that only adds: its weights are a mask {0, 1} (MatAdd) or signs {-1, 1}.

    Parameters
    ----------
    in_features, out_features
        As of `torch.nn.Linear`.
    weights
        ``bin01``: a mask; ``bin``: signs.

    Raises
    ------
    InputError
        If ``weights`` is neither.
    """

    def __init__(self, in_features: int, out_features: int, weights: Literal["bin01", "bin"] = "bin01") -> None:
        super().__init__()
        if weights not in {"bin01", "bin"}:
            raise InputError("must be bin01 or bin", field="weights", value=weights)
        self.weights = weights
        self.real = nn.Parameter(torch.empty(out_features, in_features).uniform_(-1, 1))

    @property
    def weight(self) -> Tensor:
        """The weights as they are used."""
        binary: Tensor = _Binary.apply(self.real, 0.0 if self.weights == "bin01" else -1.0)  # type: ignore[no-untyped-call]
        return binary

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        rows, weight = x.reshape(-1, x.shape[-1], 1, 1), self.weight[:, :, None, None]
        y: Tensor = product_conv2d(rows, weight, [1, 1], [0, 0], [1, 1], 1, "binary_add", self.weights)
        return y.view(*x.shape[:-1], len(weight))

    def hwsim_facts(self) -> dict[str, str]:
        """Return the formats, for recordings."""
        return {"weights": self.weights}


class QuantisedConv2d(nn.Conv2d):
    """A convolution whose inputs, weights and errors are quantised.

    Parameters
    ----------
    arguments
        As of `torch.nn.Conv2d`; zero padding only.
    quantise, bits
        Quantiser, ``wageubn`` or ``sbm``, and its bits.

    Raises
    ------
    InputError
        If there is no such quantiser.
    """

    def __init__(self, *arguments: Any, quantise: str = "wageubn", bits: int = 8, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if quantise not in QUANTISERS:
            raise InputError(f"must be one of {', '.join(QUANTISERS)}", field="quantise", value=quantise)
        if self.padding_mode != "zeros" or isinstance(self.padding, str):
            raise InputError("must be zeros around the image, given as numbers", field="padding", value=self.padding)
        self.bits = bits
        self.quantise_x, self.quantise_weight, self.quantise_errors = quantisers(quantise, bits)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in_channels, rows, columns)`` to ``(batch, out_channels, rows', columns')``."""
        x, weight = self.quantise_x(x), self.quantise_weight(self.weight)
        geometry = (list(self.stride), list(self.padding), list(self.dilation), self.groups)
        y: Tensor = self.quantise_errors(product_conv2d(x, weight, *geometry, "mac", f"int{self.bits}"))
        return y if self.bias is None else y + self.bias[:, None, None]

    def hwsim_facts(self) -> dict[str, str]:
        """Return the formats, for recordings."""
        return quantised_facts(self.quantise_x, self.quantise_weight, self.quantise_errors)


class QuantisedLinear(nn.Linear):
    """A linear layer whose inputs, weights and errors are quantised: see `QuantisedConv2d`."""

    def __init__(self, *arguments: Any, quantise: str = "wageubn", bits: int = 8, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if quantise not in QUANTISERS:
            raise InputError(f"must be one of {', '.join(QUANTISERS)}", field="quantise", value=quantise)
        self.bits = bits
        self.quantise_x, self.quantise_weight, self.quantise_errors = quantisers(quantise, bits)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        rows = self.quantise_x(x).reshape(-1, self.in_features, 1, 1)
        weight = self.quantise_weight(self.weight)[:, :, None, None]
        y: Tensor = product_conv2d(rows, weight, [1, 1], [0, 0], [1, 1], 1, "mac", f"int{self.bits}")
        y = self.quantise_errors(y).view(*x.shape[:-1], self.out_features)
        return y if self.bias is None else y + self.bias

    def hwsim_facts(self) -> dict[str, str]:
        """Return the formats, for recordings."""
        return quantised_facts(self.quantise_x, self.quantise_weight, self.quantise_errors)
