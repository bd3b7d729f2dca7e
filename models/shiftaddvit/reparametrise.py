"""Turning a pretrained vision transformer into one of additions and shifts that starts from its weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Literal, cast

import torch
from torch import nn

from hwsim.errors import InputError
from models.layers import ShiftLinear
from models.shiftaddvit.attention import LinearAngularAttention, PlainAttention
from models.shiftaddvit.codes import Codes
from models.shiftaddvit.mixture import Mixture
from models.zoo.pvt import PooledAttention, PVTv2
from models.zoo.transformer import Attention
from models.zoo.vit import VisionTransformer

Linears = Literal["multiply", "shift", "mixture"]
LINEARS: tuple[Linears, ...] = ("multiply", "shift", "mixture")


def reparametrise(network: nn.Module, *, attention: Codes | None = None, linears: Linears = "multiply") -> nn.Module:
    """Return a copy of a PVTv2 or a (Dei)T whose attention adds and whose linear layers shift.

    Weights are kept; only what has no counterpart starts anew: hash functions, the convolution over tokens, routers.
    Call it once for both, or once for each with training in between, as the paper does.

    Parameters
    ----------
    attention
        Codes of the linear attention that replaces softmax attention, but for a pyramid's last stage; none: keep it.
    linears
        What becomes of the linear layers of attention and feed-forward networks: ``shift`` rounds their weights to
        powers of two, ``mixture`` lets a router choose between both for each token.

    Raises
    ------
    InputError
        If the network is neither, is converted already, or ``linears`` is unknown.
    """
    if linears not in LINEARS:
        raise InputError(f"must be one of {', '.join(LINEARS)}", field="linears", value=linears)
    if not isinstance(network, PVTv2 | VisionTransformer):
        raise InputError("must be a PVTv2 or a VisionTransformer", field="network", value=type(network).__name__)
    network = copy.deepcopy(network)
    for block, is_last in _blocks(network):
        if attention is not None:
            block.attention = _attention(block.attention, attention, is_last)
        if linears != "multiply":
            _replace_linears(block, linears)
    return network


def _blocks(network: PVTv2 | VisionTransformer) -> Iterator[tuple[nn.Module, bool]]:
    """Yield the blocks, and whether they keep their softmax."""
    if isinstance(network, VisionTransformer):
        yield from ((block, False) for block in network.blocks)
        return
    stages = list(network.stages)
    for stage in stages:
        yield from ((block, stage is stages[-1]) for block in cast("nn.ModuleList", stage.blocks))


def _attention(old: nn.Module | torch.Tensor, codes: Codes, is_last: bool) -> nn.Module:
    if not isinstance(old, Attention | PooledAttention) or isinstance(old, PlainAttention):
        raise InputError("must not have been converted before", field="attention", value=type(old).__name__)
    width = old.out.in_features
    new = PlainAttention(width, old.heads) if is_last else LinearAngularAttention(width, old.heads, codes)
    if isinstance(old, PooledAttention):
        for name in ("weight", "bias"):
            joined = torch.cat((getattr(old.query, name), getattr(old.key_value, name)))
            getattr(new.qkv, name).data.copy_(joined.detach())
    else:
        new.qkv.load_state_dict(old.qkv.state_dict())
    new.out.load_state_dict(old.out.state_dict())
    return new


def _replace_linears(block: nn.Module, linears: Linears) -> None:
    paths = [name for name, child in block.named_modules() if isinstance(child, nn.Linear)]
    if any(isinstance(child, ShiftLinear) for child in block.modules()):
        raise InputError("must not have been converted before", field="linears", value=linears)
    for path in paths:
        linear = cast("nn.Linear", block.get_submodule(path))
        mixture = Mixture(linear)
        block.set_submodule(path, mixture if linears == "mixture" else mixture.experts[1])
