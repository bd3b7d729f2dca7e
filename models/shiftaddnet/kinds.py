"""The kinds of networks that the paper compares: what each has in place of a convolution."""

from __future__ import annotations

from typing import Literal

from torch import nn

from hwsim.errors import InputError
from models.layers import AdderConv2d, QuantisedConv2d, ShiftAddConv2d, ShiftConv2d
from models.layers.shift import Parametrisation

Kind = Literal["conv", "shift", "adder", "shiftadd", "shiftadd_frozen"]
KINDS: tuple[Kind, ...] = ("conv", "shift", "adder", "shiftadd", "shiftadd_frozen")
"""ConvNet, DeepShift, AdderNet, ShiftAddNet, and ShiftAddNet with frozen shifts."""

DEEPSHIFT_BITS = 3
"""Of DeepShift's weights: powers -2 .. 0."""


def layer(
    kind: Kind, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *, edge: bool = False,
    quantise: str | None = None, bits: int = 8, pruned: float = 0.0, switched: bool = False,
) -> nn.Module:  # fmt: skip
    """Return what a network of ``kind`` has in place of a convolution without bias.

    Parameters
    ----------
    inputs, outputs, kernel, stride, padding
        As of `torch.nn.Conv2d`.
    edge
        Whether it is the network's first or last layer: those have no adder layer.
    quantise, bits
        Of adder layers, and of the convolutions of a ConvNet between its edges; ``wageubn`` or ``sbm``.
    pruned
        Share of the frozen shifts that is zero.
    switched
        Whether learned shifts are powers of two in training as well, for `SwitchBar` to move.

    Raises
    ------
    InputError
        If there is no such kind, or an option is not the kind's.
    """
    _check(kind, quantise, pruned, switched)
    geometry = inputs, outputs, kernel, stride, padding
    if kind == "shift":
        return ShiftConv2d(*geometry, bits=DEEPSHIFT_BITS)
    if kind == "conv" and quantise and not edge:
        return QuantisedConv2d(*geometry, bias=False, quantise=quantise, bits=bits)
    if kind == "conv" or (kind == "adder" and edge):
        return nn.Conv2d(*geometry, bias=False)
    if kind == "adder":
        return AdderConv2d(*geometry, quantise=quantise, bits=bits)
    learned: Parametrisation = "q" if switched else "ps"
    parametrisation: Parametrisation = learned if kind == "shiftadd" else "frozen"
    made: ShiftConv2d | ShiftAddConv2d
    if edge:
        made = shift = ShiftConv2d(*geometry, parametrisation=parametrisation, pruned=pruned)
    else:
        made = ShiftAddConv2d(
            *geometry, parametrisation=parametrisation, pruned=pruned, quantise=quantise, quantise_bits=bits
        )
        shift = made.shift
    if switched:
        shift.adopt(ShiftConv2d(*geometry, parametrisation="frozen").weight)
    return made


def _check(kind: Kind, quantise: str | None, pruned: float, switched: bool) -> None:
    if kind not in KINDS:
        raise InputError(f"must be one of {', '.join(KINDS)}", field="kind", value=kind)
    if quantise and kind == "shift":
        raise InputError("must be none in DeepShift: its activations are 16.16", field="quantise", value=quantise)
    if pruned and kind != "shiftadd_frozen":
        raise InputError("must be 0 unless shifts are frozen", field="pruned", value=pruned)
    if switched and kind != "shiftadd":
        raise InputError("must be off unless the kind is shiftadd", field="switched", value=switched)
