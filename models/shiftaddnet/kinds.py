"""The kinds of networks that the paper compares: what each has in place of a convolution."""

from __future__ import annotations

from typing import Literal

from torch import nn

from hwsim.errors import InputError
from models.layers import AdderConv2d, ShiftAddConv2d, ShiftConv2d

Kind = Literal["conv", "shift", "adder", "shiftadd", "shiftadd_frozen"]
KINDS: tuple[Kind, ...] = ("conv", "shift", "adder", "shiftadd", "shiftadd_frozen")
"""ConvNet, DeepShift, AdderNet, ShiftAddNet, and ShiftAddNet with frozen shifts."""

DEEPSHIFT_BITS = 3
"""Of DeepShift's weights: powers -2 .. 0."""


def layer(
    kind: Kind, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *, edge: bool = False,
    quantise: str | None = None, bits: int = 8,
) -> nn.Module:  # fmt: skip
    """Return what a network of ``kind`` has in place of a convolution without bias.

    Parameters
    ----------
    inputs, outputs, kernel, stride, padding
        As of `torch.nn.Conv2d`.
    edge
        Whether it is the network's first or last layer: those have no adder layer.
    quantise, bits
        Of adder layers, ``wageubn`` or ``sbm``.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"must be one of {', '.join(KINDS)}", field="kind", value=kind)
    geometry = inputs, outputs, kernel, stride, padding
    if kind == "shift":
        return ShiftConv2d(*geometry, bits=DEEPSHIFT_BITS)
    if kind == "conv" or (kind == "adder" and edge):
        return nn.Conv2d(*geometry, bias=False)
    if kind == "adder":
        return AdderConv2d(*geometry, quantise=quantise, bits=bits)
    parametrisation: Literal["ps", "frozen"] = "ps" if kind == "shiftadd" else "frozen"
    if edge:
        return ShiftConv2d(*geometry, parametrisation=parametrisation)
    return ShiftAddConv2d(*geometry, parametrisation=parametrisation, quantise=quantise, quantise_bits=bits)
