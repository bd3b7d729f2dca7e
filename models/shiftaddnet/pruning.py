"""Pruning of adder weights after training, as the paper compares AdderNet and ShiftAddNet."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.utils import prune

from hwsim.errors import InputError
from models.layers import AdderConv2d

METHODS = {"magnitude": prune.L1Unstructured, "random": prune.RandomUnstructured}


def prune_adders(model: nn.Module, share: float, method: Literal["magnitude", "random"] = "magnitude") -> None:
    """Set a share of all adder weights of ``model`` to zero, the smallest of the network or random ones.

    They stay zero in later training, by a mask that recordings notice. A zero weight still adds ``|x|`` to the
    distance: it saves storage, no operation.

    Raises
    ------
    InputError
        If there is no adder layer, the share is not between 0 and 1, or there is no such method.
    """
    layers = [(module, "weight") for module in model.modules() if isinstance(module, AdderConv2d)]
    if not layers:
        raise InputError("must have an adder layer", field="model", value=type(model).__name__)
    if not 0 < share < 1:
        raise InputError("must be between 0 and 1", field="share", value=share)
    if method not in METHODS:
        raise InputError(f"must be one of {', '.join(METHODS)}", field="method", value=method)
    prune.global_unstructured(layers, METHODS[method], amount=share)
