"""Every operator of a training step is priced: forward, both gradients and the optimizer's update."""

import pytest
import torch

import hwsim
from models.zoo import ZOO

NETWORKS = ["resnet50", "deit_tiny", "gpt2_small", "gcn_cora", "mobilenet_v2", "lstm_medium"]
SLOW = {"resnet50", "gpt2_small", "mobilenet_v2"}  # to map


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NETWORKS])
def test_a_training_step_is_covered(name):
    step = hwsim.trace(
        ZOO[name].make(), ZOO[name].inputs(1), loss=lambda output: output.mean(), optimizer=torch.optim.AdamW, name=name
    )
    result = hwsim.score(step, on="free-dataflow-45nm")
    assert result.coverage == 1.0
    assert not step.skipped
    assert len(result.operators) == len(step.operators)
    for cost in result.operators:
        assert cost.covered
        assert cost.latency_s > 0, cost.name
        assert cost.energy_pj > 0, cost.name
    assert {phase for (phase,) in result.energy_j_by("phase")} == {"forward", "grad_input", "grad_weight", "optimizer"}
