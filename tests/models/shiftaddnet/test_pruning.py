"""Pruned adder weights are the smallest of the network, and stay zero."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from models.layers import AdderConv2d
from models.shiftaddnet import ShiftAddResNet
from models.shiftaddnet.pruning import prune_adders


@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_pruned_weights(method):
    torch.manual_seed(0)
    model = ShiftAddResNet(blocks=1, widths=(4, 8), inputs=1)
    layers = [module for module in model.modules() if isinstance(module, AdderConv2d)]
    before = torch.cat([layer.weight.detach().flatten().clone() for layer in layers])
    prune_adders(model, 0.5, method)
    kept = torch.cat([layer.weight.flatten() for layer in layers]) != 0
    assert (~kept).sum() == round(0.5 * len(before))
    assert (before[kept].abs().min() >= before[~kept].abs().max()) == (method == "magnitude")
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    model(torch.randn(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    model(torch.randn(4, 1, 8, 8))
    after = torch.cat([layer.weight.flatten() for layer in layers])
    assert torch.equal(after != 0, kept)


@pytest.mark.parametrize(
    ("model", "share", "method", "message"),
    [
        (nn.Conv2d(1, 1, 1), 0.5, "random", "model: must have an adder layer, not 'Conv2d'"),
        (AdderConv2d(1, 1, 1), 1.0, "random", "share: must be between 0 and 1, not 1.0"),
        (AdderConv2d(1, 1, 1), 0.5, "x", "method: must be one of magnitude, random, not 'x'"),
    ],
)
def test_errors(model, share, method, message):
    with pytest.raises(InputError) as error:
        prune_adders(model, share, method)
    assert str(error.value) == message
