"""Reparametrised networks: what is replaced, what is kept, and that unchanged parts keep their function."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from models.layers import ShiftLinear
from models.shiftaddvit import LinearAngularAttention, Mixture, reparametrise
from models.shiftaddvit.attention import PlainAttention
from models.zoo.pvt import PVTv2
from models.zoo.transformer import Attention
from models.zoo.vit import VisionTransformer


def pyramid():
    torch.manual_seed(0)
    return PVTv2((8, 16, 20, 32), (1, 1, 1, 1), 10).eval()


def plain():
    torch.manual_seed(0)
    return VisionTransformer(size=32, patch=16, width=24, depth=2, heads=3, classes=5).eval()


def kinds(network):
    return [type(module).__name__ for module in network.modules()]


@pytest.mark.parametrize("make", [pyramid, plain])
@pytest.mark.parametrize("codes", ["hash", "mean"])
def test_attention(make, codes):
    network = make()
    made = reparametrise(network, attention=codes)
    expected = (3, 1) if isinstance(network, PVTv2) else (2, 0)
    assert (kinds(made).count("LinearAngularAttention"), kinds(made).count("PlainAttention")) == expected
    assert "LinearAngularAttention" not in kinds(network)  # the given one is not touched
    images = torch.randn(2, 3, 32, 32)
    assert made(images).shape == network(images).shape
    made(images).sum().backward()


def test_queries_keys_and_values_are_those_of_the_pyramid():
    network = pyramid()
    made = reparametrise(network, attention="mean")
    old, new = network.stages[0].blocks[0].attention, made.stages[0].blocks[0].attention
    x = torch.randn(1, 9, 8)
    torch.testing.assert_close(new.qkv(x), torch.cat((old.query(x), old.key_value(x)), 2))
    assert torch.equal(new.out.weight, old.out.weight)
    last, kept = network.stages[3].blocks[0].attention, made.stages[3].blocks[0].attention
    assert isinstance(kept, PlainAttention)
    y = torch.randn(2, 4, 32)
    torch.testing.assert_close(kept(y, 2), last(y, 2))


@pytest.mark.parametrize("make", [pyramid, plain])
def test_linears(make):
    network = make()
    images = torch.randn(2, 3, 32, 32)
    shifted, mixed = reparametrise(network, linears="shift"), reparametrise(network, linears="mixture").eval()
    blocks = [m for name, m in network.named_modules() if isinstance(m, nn.Linear) and "blocks" in name]
    assert kinds(shifted).count("ShiftLinear") == kinds(mixed).count("Mixture") == len(blocks)
    assert isinstance(shifted.head, nn.Linear)
    for expert, reference in ((0, network), (1, shifted)):
        for module in mixed.modules():
            if isinstance(module, Mixture):
                module.router.weight.data.zero_()
                module.router.bias.data = torch.eye(2)[expert]
        torch.testing.assert_close(mixed(images), reference(images), atol=1e-5, rtol=1e-4)


def test_both_at_once_or_one_after_the_other():
    once = reparametrise(pyramid(), attention="mean", linears="mixture")
    twice = reparametrise(reparametrise(pyramid(), attention="mean"), linears="mixture")
    assert once.state_dict().keys() == twice.state_dict().keys()
    assert sum(isinstance(m, LinearAngularAttention) for m in once.modules()) == 3
    assert any(isinstance(m, ShiftLinear) for m in once.modules())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reparametrise(nn.Linear(2, 2)), "network: must be a PVTv2 or a VisionTransformer, not 'Linear'"),
        (lambda: reparametrise(plain(), linears="x"), "linears: must be one of multiply, shift, mixture, not 'x'"),
        (lambda: reparametrise(plain(), attention="x"), "codes: must be one of hash, mean, not 'x'"),
        (
            lambda: reparametrise(reparametrise(plain(), attention="mean"), attention="mean"),
            "attention: must not have been converted before, not 'LinearAngularAttention'",
        ),
        (
            lambda: reparametrise(reparametrise(plain(), linears="shift"), linears="mixture"),
            "linears: must not have been converted before, not 'mixture'",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == message


def test_attention_of_the_zoo_is_what_is_replaced():
    assert isinstance(plain().blocks[0].attention, Attention)
