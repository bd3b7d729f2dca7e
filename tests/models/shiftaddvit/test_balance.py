"""The balance loss: its minimum, what training with it alone leads to, and latencies from the simulator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hwsim
from hwsim.errors import InputError
from hwsim.workload import Workload
from hwsim.workload.forms import Linear
from models.shiftaddvit import Mixture, balance_loss, simulate_latencies
from models.shiftaddvit.balance import imbalance, routing_loss

LATENCIES = st.lists(st.floats(0.1, 10), min_size=2, max_size=4)


@given(LATENCIES, st.floats(1, 1e4))
def test_loss_is_zero_where_load_is_inverse_to_latency(latencies, tokens):
    alpha = torch.tensor(latencies) / sum(latencies)
    inverse = 1 / alpha
    assert imbalance(tokens * inverse / inverse.sum(), alpha).item() == pytest.approx(0, abs=1e-5)


@given(LATENCIES, st.lists(st.floats(1, 100), min_size=4, max_size=4))
def test_loss_is_the_squared_coefficient_of_variation(latencies, loads):
    alpha, amounts = torch.tensor(latencies), torch.tensor(loads[: len(latencies)])
    values = (alpha * amounts).tolist()
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    assert imbalance(amounts, alpha).item() == pytest.approx(variance / mean**2, rel=1e-3, abs=1e-6)


@settings(max_examples=8)
@given(st.floats(0.15, 0.85), st.integers(0, 1000))
def test_training_balances_load_as_latencies_say(alpha, seed):
    """With the loss alone, the faster expert ends up with more tokens, in inverse proportion to the latencies."""
    torch.manual_seed(seed)
    mixture = Mixture(nn.Linear(3, 2)).train()
    mixture.alpha.copy_(torch.tensor([alpha, 1 - alpha]))
    tokens = torch.randn(512, 3)
    optimizer = torch.optim.Adam([*mixture.router.parameters(), *mixture.noise.parameters()], lr=0.05)
    for _ in range(150):
        mixture._scores(tokens)
        loss = routing_loss(mixture.routing, mixture.alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    load = torch.stack([mixture._scores(tokens).argmax(1) for _ in range(8)]).float().mean().item()
    assert load == pytest.approx(alpha, abs=0.06)  # the second expert's share; its latency is 1 - alpha
    assert (load > 0.5) == (alpha > 0.5) or abs(alpha - 0.5) < 0.06


def test_loss_of_a_network_reaches_every_router():
    torch.manual_seed(0)
    network = nn.Sequential(Mixture(nn.Linear(4, 4)), nn.ReLU(), Mixture(nn.Linear(4, 4))).train()
    for mixture in (network[0], network[2]):
        mixture.alpha.copy_(torch.tensor([0.8, 0.2]))
    network(torch.randn(30, 4))
    loss = balance_loss(network)
    parts = [routing_loss(m.routing, m.alpha) for m in (network[0], network[2])]
    torch.testing.assert_close(loss, 0.01 * (parts[0] + parts[1]))
    loss.backward()
    assert all(network[i].router.weight.grad.abs().max() > 0 for i in (0, 2))
    assert all(network[i].noise.weight.grad.abs().max() > 0 for i in (0, 2))


def latency_s(primitive, format_, accounting):
    form = Linear(
        kind="linear", name="x", batch=200, in_features=64, out_features=32, primitive=primitive, format=format_
    )
    return hwsim.score(Workload(name="x", operators=(form.operator(),)), accounting=accounting).latency_s


def test_alpha_is_the_share_of_simulated_latencies():
    network = nn.Sequential(Mixture(nn.Linear(64, 32)), Mixture(nn.Linear(32, 8))).train()
    simulate_latencies(network, torch.zeros(4, 50, 64), "eyeriss-45nm", "shiftaddvit")
    multiply, shift = latency_s("mac", "fp32", "shiftaddvit"), latency_s("shift", "int32", "shiftaddvit")
    assert network[0].alpha.tolist() == pytest.approx([multiply / (multiply + shift), shift / (multiply + shift)])
    assert network[1].alpha[0].item() == pytest.approx(3.2 / 4.2)
    assert network.training
    simulate_latencies(network, torch.zeros(4, 50, 64), "eyeriss-45nm", "operator")
    assert network[1].alpha[0].item() < 0.6  # without the constant, shifts are hardly faster


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (balance_loss, "network: must have mixtures and have run in training mode, not 'Linear'"),
        (
            lambda network: simulate_latencies(network, torch.zeros(1, 2), "eyeriss-45nm"),
            "network: must have mixtures, not 'Linear'",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(InputError) as error:
        call(nn.Linear(2, 2))
    assert str(error.value) == message
