"""A small model with its loop, and a stand-in for the capture that notes which steps were traced."""

import pytest
import torch
from torch import nn

from hwsim.training import recorder as recorder_module
from hwsim.workload import Workload
from hwsim.workload.contraction import matmul


class Net(nn.Module):
    """Two layers with a batch norm and dropout, so that buffers and the random state matter."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)

    def forward(self, x, scale=None, flag=False):
        y = self.head(self.body(x))
        return y if scale is None else y * scale


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def momentum(net):
    return torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)


@pytest.fixture
def step(net, momentum):
    """One step of a loop, with as many forward passes as batch sizes are given."""

    def run(*batches, optimizers=(momentum,)):
        for batch in batches or (4,):
            nn.functional.cross_entropy(net(torch.randn(batch, 6)), torch.zeros(batch, dtype=torch.long)).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return run


class FakeCapture:
    """Stands for the tracer: says in ``log`` when it ran."""

    log: list[str] = []
    records: list[object] = []

    def start(self, inside=None):
        self.log.append("start")

    def stop(self):
        self.log.append("stop")

    def workload(self, name, model, optimizers, inputs, samples):
        self.log.append(f"workload {name} {[tuple(tensor.shape) for tensor in inputs]} {samples} {len(optimizers)}")
        operator = matmul("m", rows=1, inner=1, columns=1)
        return Workload(name=name, samples=samples, operators=(operator,))


@pytest.fixture
def captured(monkeypatch):
    """Events of the fake capture, as a list."""
    log: list[str] = []
    monkeypatch.setattr(FakeCapture, "log", log)
    monkeypatch.setattr(recorder_module, "StepCapture", FakeCapture)
    return log
