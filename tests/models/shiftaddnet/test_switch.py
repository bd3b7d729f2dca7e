"""The switch bar, by hand."""

from __future__ import annotations

import pytest
import torch

from models.shiftaddnet.switch import SwitchBar


def stepped(weight, gradients, **options):
    parameter = torch.tensor([weight], requires_grad=True)
    optimizer = SwitchBar([parameter], lr=1.0, momentum=0.0, **options)
    for gradient in gradients:
        parameter.grad = torch.tensor([gradient])
        optimizer.step()
    return parameter.item()


@pytest.mark.parametrize(
    ("weight", "gradients", "expected"),
    [
        (0.25, [-1, -1], 0.25),  # below the bar
        (0.25, [-1, -1, -1], 0.5),  # up: doubles
        (0.25, [1, 1, 1], 0.125),  # down: halves
        (-0.25, [1, 1, 1], -0.5),
        (-0.25, [-1, -1, -1], -0.125),
        (0.25, [-1, 1, -1, -1, -1], 0.5),  # votes against are taken off
        (0.25, [-1, -1, 0.001, -1], 0.5),  # a small step is no vote
        (0.25, [-1] * 5, 0.5),  # votes start anew
        (1.0, [-1, -1, -1], 1.0),  # the largest
        (2.0**-7, [1, 1, 1], 0.0),  # below the least
        (0.0, [1, 1, 1], -(2.0**-7)),
        (0.0, [-1, -1, -1], 2.0**-7),
    ],
)
def test_votes(weight, gradients, expected):
    assert stepped(weight, [float(gradient) for gradient in gradients], bar=3) == expected


def test_momentum_is_that_of_sgd():
    theirs = torch.zeros(5, requires_grad=True)
    ours = torch.zeros(5, requires_grad=True)
    sgd, switch = torch.optim.SGD([theirs], 0.1, 0.9), SwitchBar([ours], 0.1, 0.9, bar=1000, threshold=0.0)
    torch.manual_seed(0)
    votes = torch.zeros(5)
    for _ in range(20):
        theirs.grad = torch.randn(5)
        ours.grad = theirs.grad.clone()
        before = theirs.detach().clone()
        sgd.step()
        switch.step()
        votes += (theirs.detach() - before).sign()
    assert torch.equal(switch.state[ours]["votes"], votes)
