"""Binary codes: values, clipped gradients against a formulation by autograd, and what the hash functions keep."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hwsim.errors import InputError
from models.shiftaddvit.codes import KernelHash, MeanThreshold, likeness, step


def passed(x, low, high):
    """The same values and gradient, made of operators whose gradients autograd knows."""
    through = x.clamp(low, high)
    return (x > 0).float() + through - through.detach()


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([(0, 1), (-1, 1)]))
def test_gradient_passes_between_the_bounds(seed, bounds):
    torch.manual_seed(seed)
    x, weight = (2 * torch.randn(5, 7)).requires_grad_(), torch.randn(5, 7)
    (step(x, *bounds) * weight).sum().backward()
    (wanted,) = torch.autograd.grad((passed(x, *bounds) * weight).sum(), x)
    assert torch.equal(step(x, *bounds), (x > 0).float())
    torch.testing.assert_close(x.grad, wanted)


def test_a_channel_is_one_above_the_mean_of_its_token():
    x = torch.tensor([[[[1.0, 2.0, 6.0], [-3.0, 0.0, 0.0]]]])
    assert MeanThreshold()(x).tolist() == [[[[0, 0, 1], [0, 1, 1]]]]


def test_likeness_marks_the_ten_nearest_and_the_ten_farthest():
    torch.manual_seed(0)
    tokens = torch.randn(2, 25, 4)
    found = likeness(tokens)
    for head, token in ((0, 3), (1, 24)):
        order = sorted(range(25), key=lambda other: float(tokens[head, token] @ tokens[head, other]))
        wanted = [-1.0] * 10 + [0.0] * 5 + [1.0] * 10
        assert [found[head, token, other].item() for other in order] == wanted


def naive_codes(layer, x):
    """Codes of one head's token, kernel by kernel."""
    codes = torch.zeros(*x.shape[:3], layer.weights.shape[2])
    for image, head, token in torch.cartesian_prod(*map(torch.arange, x.shape[:3])).tolist():
        distances = (layer.anchors[head] - x[image, head, token]).square().sum(1)
        kernels = torch.exp(-distances / (2 * layer.variance[head, 0, 0])) - layer.mean[head, 0]
        codes[image, head, token] = (kernels @ layer.weights[head] > 0).float()
    return codes


def test_codes_are_signs_of_weighted_kernels():
    torch.manual_seed(0)
    layer, x = KernelHash(2, 4), torch.randn(3, 2, 6, 4)
    layer.fit(torch.randn(2, 40, 4))
    assert torch.equal(layer(x), naive_codes(layer, x))
    assert not list(layer.parameters())


def test_fitted_codes_tell_the_alike_from_the_others():
    """Tokens of two clusters: codes of one cluster agree, those of both do not, better than random functions do."""
    torch.manual_seed(0)
    centres = F.normalize(torch.randn(1, 2, 8), dim=-1)
    tokens = F.normalize(centres.repeat_interleave(100, 1) + 0.2 * torch.randn(1, 200, 8), dim=-1)
    layer = KernelHash(1, 8)

    def agreement():
        codes = layer(tokens[None])[0, 0]
        same = (codes[:, None] == codes).float().mean(2)
        return (same[:100, :100].mean() - same[:100, 100:].mean()).item()

    before = agreement()
    layer.fit(tokens)
    assert agreement() > max(before, 0.5)
    chosen = (layer.anchors[0, :, None] == tokens[0]).all(2)
    assert chosen.any(1).all()
    assert chosen.any(0).sum() == 25  # different tokens
    variance = torch.cdist(layer.anchors, layer.anchors).square().mean()
    torch.testing.assert_close(layer.variance.squeeze(), variance)


def test_errors():
    with pytest.raises(InputError, match=r"^anchors: must be at least 20, not 19$"):
        KernelHash(1, 4, anchors=19)
    with pytest.raises(InputError, match=r"^tokens: must hold at least the 25 anchors, not 24$"):
        KernelHash(1, 4).fit(torch.randn(1, 24, 4))
