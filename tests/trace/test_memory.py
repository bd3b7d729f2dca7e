"""Peak live bytes: a small step by hand, and the categories of larger ones by formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from hwsim.trace import StepCapture, trace
from hwsim.workload import Memory, Workload
from models.zoo import ZOO


class Tiny(nn.Module):
    """relu(x @ a) @ b"""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4, bias=False)
        self.b = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        return self.b(F.relu(self.a(x)))


@pytest.mark.parametrize("fake", [False, True])
def test_a_step_by_hand(fake):
    """The peak is where the gradient of relu's result becomes that of its input: both are alive, as is the result."""
    workload = trace(Tiny(), torch.zeros(5, 3), loss=lambda y: y.sum(), optimizer=lambda p: torch.optim.SGD(p, lr=0.1),
                     fake=fake)  # fmt: skip
    hidden, loss_and_seed = 5 * 4 * 4, 4 + 4
    assert workload.memory == Memory(
        parameters_bytes=4 * (12 + 8), gradients_bytes=4 * 8, activations_bytes=hidden + loss_and_seed,
        other_bytes=4 * 15 + 2 * hidden, at="aten::threshold_backward",
    )  # fmt: skip
    assert workload.memory.peak_bytes == 420


def test_inference_lets_go_of_activations():
    workload = trace(Tiny(), torch.zeros(5, 3))
    assert workload.memory.activations_bytes == 2 * 5 * 4 * 4  # before and after relu
    assert workload.memory.at == "aten::relu"


def test_what_is_never_touched_counts_too():
    model = Tiny()
    model.register_buffer("unused", torch.zeros(100))
    model.extra = nn.Linear(10, 10, bias=False)
    memory = trace(model, torch.zeros(5, 3)).memory
    assert memory.parameters_bytes == 4 * (20 + 100)
    assert memory.other_bytes == 4 * (15 + 100)


def test_nothing_is_counted_twice_through_views():
    with StepCapture() as capture:
        x = torch.zeros(100)
        y = x.view(10, 10).t()[2:]
        y * 2
    memory = capture.workload(name="views").memory
    assert memory.peak_bytes == 400 + 320


def test_memory_survives_a_file(tmp_path):
    workload = trace(Tiny(), torch.zeros(5, 3))
    assert Workload.load(workload.save(tmp_path / "tiny.json")).memory == workload.memory


@pytest.mark.parametrize(
    ("name", "batch", "optimizer", "gibibytes"),
    [
        ("resnet50", 256, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, foreach=True), 20.9),
        ("vit_b_16", 256, lambda p: torch.optim.AdamW(p, fused=True), 29.6),
    ],
)
def test_peaks_of_large_steps(name, batch, optimizer, gibibytes):
    """As an independent tracer, which counts at every allocation, measured them."""
    target = torch.zeros(batch, dtype=torch.long)
    with FakeTensorMode():
        model = ZOO[name].make()
    memory = trace(
        model, ZOO[name].inputs(batch), loss=lambda y: F.cross_entropy(y, target), optimizer=optimizer
    ).memory
    assert memory.peak_bytes / 2**30 == pytest.approx(gibibytes, rel=0.01)
    assert memory.parameters_bytes == 4 * ZOO[name].parameters
