"""Mixtures: the function of the layer they replace, routing, gradients of the router, and what a recording is told."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import hwsim
from hwsim.errors import InputError
from hwsim.trace import trace
from hwsim.training.annotation import facts_of
from models.shiftaddvit import Mixture, set_shares
from models.shiftaddvit.mixture import LEAST_NOISE


@pytest.fixture
def mixture():
    torch.manual_seed(0)
    made = Mixture(nn.Linear(6, 4))
    made.router.weight.data.normal_()
    return made


def quantised(x):
    return (x * 65536).round() / 65536


def expert_outputs(mixture, x):
    """Outputs of both experts for every token."""
    multiply, shift = mixture.experts
    return torch.stack(
        (F.linear(x, multiply.weight, multiply.bias), F.linear(quantised(x), shift.weight[:, :, 0, 0], shift.bias))
    )


def test_experts_start_from_the_layer(mixture):
    multiply, shift = mixture.experts
    w = multiply.weight.detach()
    torch.testing.assert_close(
        shift.weight.detach()[:, :, 0, 0], w.sign() * torch.exp2(w.abs().log2().round().clamp(-14, 0))
    )
    assert torch.equal(multiply.bias, shift.bias)
    assert multiply.bias is not shift.bias


def test_each_token_goes_to_the_expert_with_the_higher_score(mixture):
    x = torch.randn(3, 5, 6)
    chosen = mixture.router(x).argmax(2)
    assert 0 < chosen.sum() < 15
    wanted = torch.where((chosen == 0)[..., None], *expert_outputs(mixture, x))
    torch.testing.assert_close(mixture.eval()(x), wanted)


def test_training_and_evaluation_compute_the_same(mixture, monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x = torch.randn(2, 9, 6)
    torch.testing.assert_close(mixture.train()(x), mixture.eval()(x))


def test_noise_moves_scores_by_its_deviation(mixture, monkeypatch):
    """With noise of one deviation for the second expert, exactly the tokens within it change over."""
    x = torch.randn(400, 6)
    mixture.noise.weight.data.normal_()
    drawn = torch.tensor([0.0, 1.0]).expand(400, 2)
    monkeypatch.setattr(torch, "randn_like", lambda like: drawn)
    deviation = F.softplus(mixture.noise(x)) + LEAST_NOISE
    scores = mixture.router(x) + drawn * deviation
    wanted = torch.where((scores[:, :1] >= scores[:, 1:]), *expert_outputs(mixture, x))
    torch.testing.assert_close(mixture.train()(x), wanted)
    clean, other = mixture.router(x), scores.flip(1)
    normal = torch.distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(mixture.routing.chances, normal.cdf((clean - other) / deviation), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mixture.routing.probabilities, scores.softmax(1))


def test_the_router_gets_the_gradient_of_a_scaled_output(mixture, monkeypatch):
    """That of ``p * y`` over ``p``, written with both experts' outputs and a one-hot choice."""
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x, gradient = torch.randn(50, 6), torch.randn(50, 4)
    parameters = [mixture.router.weight, mixture.router.bias]
    ours = torch.autograd.grad(mixture.train()(x), parameters, gradient)
    log_p = mixture.router(x).log_softmax(1)
    y = expert_outputs(mixture, x).detach()
    chosen = log_p.argmax(1)
    per_token = (y[chosen, torch.arange(50)] * gradient).sum(1)
    wanted = torch.autograd.grad((log_p[torch.arange(50), chosen] * per_token).sum(), parameters)
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-4)
    assert all(part.abs().max() > 1e-3 for part in ours)


@pytest.mark.parametrize(("shifted", "tokens"), [(0.0, 0), (0.5, 24), (0.6, 29), (1.0, 49)])
def test_fixed_shares_go_to_the_tokens_that_prefer_shifting_most(mixture, shifted, tokens):
    set_shares(mixture, shifted)
    x = torch.randn(49, 6)
    scores = mixture.router(x)
    order = (scores[:, 1] - scores[:, 0]).argsort(descending=True)
    wanted, shifts = expert_outputs(mixture, x).detach()
    wanted[order[:tokens]] = shifts[order[:tokens]]
    torch.testing.assert_close(mixture.eval()(x), wanted)
    torch.testing.assert_close(mixture(x[None])[0], wanted)


def test_fixed_shares_need_no_data(mixture):
    set_shares(mixture, 0.25)
    step = trace(mixture.eval(), torch.zeros(1, 40, 6), name="forward")
    found = {o.module: (o.primitive, o.macs) for o in step.operators if o.is_contraction}
    assert found == {"router": ("mac", 480), "experts.0": ("mac", 720), "experts.1": ("shift", 240)}


def test_a_recording_is_told_how_many_tokens_each_expert_ran(mixture, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    optimizer = torch.optim.SGD(mixture.parameters(), lr=0.0)
    x = torch.randn(20, 6)
    shifted = int((mixture.router(x)[:, 1] > mixture.router(x)[:, 0]).sum())
    with hwsim.record(tmp_path / "run", mixture, optimizer):
        for _ in range(3):
            mixture.train()(x).sum().backward()
            optimizer.step()
    assert 0 < shifted < 20
    assert facts_of(mixture.experts[1])[0].executed == pytest.approx(shifted / 20)
    priced = hwsim.score(tmp_path / "run", on="eyeriss-45nm-int8").operators
    for i, share in enumerate((1 - shifted / 20, shifted / 20)):
        found = sum(
            c.count * c.energy_pj for c in priced if c.module == f"experts.{i}" and c.macs and c.phase == "forward"
        )
        whole = trace(mixture.experts[i], x, name="whole")
        alone = hwsim.score(whole, on="eyeriss-45nm-int8").operators
        assert found == pytest.approx(3 * share * sum(c.energy_pj for c in alone if c.macs))


def test_errors(mixture):
    with pytest.raises(InputError, match=r"^shifted: must be 0 to 1, not 1\.5$"):
        set_shares(mixture, 1.5)
