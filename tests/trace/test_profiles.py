"""Profiles of a real step give the contractions, phases and dependences that the tracer sees in the same step."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW
from torch.profiler import ExecutionTraceObserver, ProfilerActivity, profile

from hwsim.errors import InputError, UnknownOperatorError
from hwsim.trace import StepCapture
from hwsim.workload.importers import load
from models.zoo.resnet import BasicBlock, ResNet
from models.zoo.transformer import Decoder

DATA = Path(__file__).parents[1] / "data"


def contractions(work):
    return [(tuple(o.dims.items()), o.phase, o.written.name) for o in work.operators if o.is_contraction]


def needed(work):
    """Return, for every contraction, those of which it needs results, directly or through other operators."""
    reached = []
    for index, direct in enumerate(work.dependences()):
        assert all(producer < index for producer in direct)  # in order, and so without cycles
        reached.append(direct.union(*(reached[producer] for producer in direct)))
    places = [index for index, operator in enumerate(work.operators) if operator.is_contraction]
    return [[places.index(i) for i in sorted(reached[place]) if i in places] for place in places]


def profiled(folder, step):
    observer = ExecutionTraceObserver().register_callback(str(folder / "et.json"))
    activities = [ProfilerActivity.CPU]
    with profile(activities=activities, record_shapes=True, with_stack=True, execution_trace_observer=observer) as run:
        step()
    observer.unregister_callback()
    run.export_chrome_trace(str(folder / "kineto.json"))


class Einsum(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6, 5))
        self.up = nn.ConvTranspose2d(4, 3, 3, stride=2)

    def forward(self, x):
        return self.up(torch.einsum("bchw,cdk->bdhk", x, self.weight)[:, :4].contiguous()).flatten(1)


NETS = {
    "resnet": (lambda: ResNet(BasicBlock, (1, 1), classes=10, width=8), lambda: torch.randn(2, 3, 32, 32)),
    "square": (lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 8)), lambda: torch.randn(8, 8)),
    "tied": (lambda: Decoder(vocabulary=20, context=8, width=16, depth=1, heads=2, dropout=0.1), lambda: torch.randint(20, (2, 8))),
    "einsum": (Einsum, lambda: torch.randn(2, 4, 6, 6)),
}  # fmt: skip
OPTIMIZERS = {
    "adamw": lambda p: AdamW(p, foreach=False), "fused": lambda p: AdamW(p, fused=True), "sgd": lambda p: SGD(p, lr=0.1)
}  # fmt: skip
PAIRS = [("resnet", "adamw"), ("square", "sgd"), ("tied", "fused"), ("einsum", "sgd")]


@pytest.mark.parametrize(("net", "optimizer"), PAIRS)
@pytest.mark.parametrize("half", [False, True])
def test_profiles_of_a_step_equal_its_trace(net, optimizer, half, tmp_path):
    torch.manual_seed(0)
    model, inputs = NETS[net][0](), NETS[net][1]()
    update = OPTIMIZERS[optimizer](model.parameters())

    def step():
        update.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            scores = model(inputs)
        F.cross_entropy(scores.float().flatten(0, -2), torch.zeros(scores[..., 0].numel(), dtype=torch.long)).backward()
        update.step()

    step()
    profiled(tmp_path, step)
    with StepCapture() as capture:
        step()
    traced = capture.workload(name="step", model=model, optimizers=[update], inputs=inputs, level="aten")
    graph, flat = load(tmp_path / "et.json"), load(tmp_path / "kineto.json")
    assert contractions(graph) == contractions(traced)
    assert needed(graph) == needed(traced)
    assert Counter(o.phase for o in graph.operators) == Counter(o.phase for o in traced.operators)
    assert Counter(contractions(flat)) == Counter(contractions(traced))
    assert len(flat.operators) == len(traced.operators)
    assert not any(operand.tensor for operator in flat.operators for operand in operator.operands)
    assert "no dependences" in flat.source


@pytest.mark.parametrize("cell", [nn.GRU, nn.LSTM])
def test_profiles_of_recurrent_layers_have_their_products(cell, tmp_path):
    torch.manual_seed(0)
    model, x = cell(6, 5), torch.randn(3, 2, 6)

    def step():
        model.zero_grad()
        model(x)[0].sum().backward()

    profiled(tmp_path, step)
    with StepCapture() as capture:
        step()
    sizes = Counter(tuple(sorted(o.dims.values())) for o in capture.workload(name="step").operators if o.is_contraction)
    for name in ("et.json", "kineto.json"):
        operators = load(tmp_path / name).operators
        assert Counter(tuple(sorted(o.dims.values())) for o in operators if o.is_contraction) == sizes


def test_golden_execution_trace():
    work = load(DATA / "execution_trace/step.json")
    assert work.macs == 2 * (2 * 3 * 2 * 4 * 9) + 3 * (2 * 12 * 4)
    assert work.source == "PyTorch execution trace, schema 1.1.1-chakra.0.0.4 (19 ATen operators)"
    assert needed(work) == [[], [0], [0, 1], [0, 1], [0, 1, 2]]


def test_golden_kineto_trace():
    work = load(DATA / "kineto/step.json")
    assert Counter(contractions(work)) == Counter(contractions(load(DATA / "execution_trace/step.json")))
    modules = {o.name: (o.module, o.phase) for o in work.operators if o.is_contraction}
    assert modules == {
        "Conv2d_0.convolution": ("Conv2d_0", "forward"),
        "Linear_0.addmm": ("Linear_0", "forward"),
        "Linear_0.mm.grad_input": ("Linear_0", "grad_input"),
        "Linear_0.mm.grad_weight": ("Linear_0", "grad_weight"),
        "Conv2d_0.convolution_backward.weight": ("Conv2d_0", "grad_weight"),
    }


def edited(folder, change):
    """Write the golden Kineto trace with every event changed; return the path."""
    document = json.loads((DATA / "kineto/step.json").read_text())
    document["traceEvents"] = change(document["traceEvents"])
    path = folder / "kineto.json"
    path.write_text(json.dumps(document))
    return path


def test_the_last_marked_step_counts(tmp_path):
    def twice(events):
        end = max(e["ts"] + e["dur"] for e in events) + 1
        marks = [{"ph": "X", "cat": "user_annotation", "name": f"ProfilerStep#{i}", "pid": 1, "tid": 1, "ts": i * end - 0.1,
                  "dur": end - 0.2, "args": {}} for i in (0, 1)]  # fmt: skip
        return [*events, *({**e, "ts": e["ts"] + end} for e in events), *marks]

    assert load(edited(tmp_path, twice)).macs == load(DATA / "kineto/step.json").macs


def test_the_backward_pass_may_run_on_a_thread_of_its_own(tmp_path):
    """As on GPUs, while the main thread's outermost frame spans the whole step."""

    def apart(events):
        spans = [(e["ts"], e["ts"] + e["dur"]) for e in events if e["name"].startswith("autograd::engine")]
        inside = [any(begin <= e["ts"] <= end for begin, end in spans) for e in events]
        frame = {"ph": "X", "cat": "python_function", "name": "train.py(1): main", "pid": 1, "tid": 1, "ts": -1, "dur": 1e9}
        return [frame, *({**e, "tid": 2 if back else 1} for e, back in zip(events, inside, strict=True))]

    whole, split = load(DATA / "kineto/step.json"), load(edited(tmp_path, apart))
    assert [(o.name, o.phase) for o in split.operators] == [(o.name, o.phase) for o in whole.operators]


def test_shapes_must_be_recorded(tmp_path):
    def without(events):
        return [{**e, "args": {}} for e in events]

    path = edited(tmp_path, without)
    with pytest.raises(InputError, match=r"must have Input Dims: record with record_shapes=True$") as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: traceEvents[")


def test_unknown_operators_stop_or_are_listed(tmp_path):
    def renamed(events):
        return [{**e, "name": "mine::relu"} if e["name"] == "aten::clamp_min" else e for e in events if e["name"] != "aten::relu"]

    path = edited(tmp_path, renamed)
    with pytest.raises(UnknownOperatorError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: mine::relu has no lowering rule; it reads 0 fp32[2, 3, 2, 2]")
    assert [skipped.source for skipped in load(path, unknown="skip").skipped] == ["mine::relu"]


def test_arguments_that_pytorch_refuses_are_errors_of_the_file(tmp_path):
    def wrong(events):
        def change(e):
            dims = [[2, 99] if d == [2, 12] else d for d in e["args"].get("Input Dims", [])]
            return {**e, "args": {**e["args"], "Input Dims": dims}} if "Input Dims" in e["args"] else e

        return [change(e) if e["name"] == "aten::addmm" else e for e in events]

    path = edited(tmp_path, wrong)
    with pytest.raises(InputError, match=r"traceEvents\[\d+\]: aten.addmm.default must accept its arguments"):
        load(path)
