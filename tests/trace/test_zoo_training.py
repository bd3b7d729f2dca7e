"""A training step of every network of the zoo: closed, known throughout, and the contractions others count too."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from hwsim.trace import StepCapture
from hwsim.trace.step import in_parts
from models.zoo import ZOO
from tests.trace import reference

BATCH = 2
SLOW = {"llama_7b", "deep_speech_2"}
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in ZOO]


def network(name):
    given = ZOO[name].inputs(BATCH)
    return ZOO[name].make(), given if isinstance(given, tuple) else (given,)


def counted(operator):
    """What `FlopCounterMode` counts: no attention on the CPU (pytorch/pytorch#195460), and the weight gradient of a
    grouped convolution as if every group had all channels."""
    if "scaled_dot_product" in operator.source:
        return 0
    grouped = operator.source == "aten::convolution_backward" and operator.written.name == "weight"
    return operator.macs * (operator.dims["g"] if grouped else 1)


@pytest.mark.parametrize("name", NAMES)
def test_training_step(name):
    with in_parts(), FakeTensorMode():
        model, inputs = network(name)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)

        def step():
            optimizer.zero_grad()
            model(*inputs).mean().backward()
            optimizer.step()

        step()
        with FlopCounterMode(display=False) as counter, StepCapture() as capture:
            step()
        told = {"model": model, "optimizers": [optimizer], "inputs": inputs}
        closure = capture.closure(**told)
        assert closure.missing == closure.unexpected == frozenset()
        assert len(closure.expected) == 4 * len(list(model.parameters())) + len(list(model.buffers())) + len(inputs)
        workload = capture.workload(name=name, **told)
        assert not workload.skipped
        assert sum(o.macs for o in workload.operators if o.phase == "forward") == BATCH * ZOO[name].macs
        assert 2 * sum(counted(o) for o in workload.operators) == counter.get_total_flops()
        assert reference.of_workload(workload) == reference.of_graph(reference.traced(model, inputs))
