"""Recording around a real loop: it changes nothing, holds nothing, and survives a kill."""

import gc
import re
import signal
import subprocess
import sys
import weakref

import pytest
import torch
from torch import nn

import hwsim
from hwsim.errors import InputError
from hwsim.training import TrainingRun


def trained(make, tmp_path=None):
    """Parameters, buffers, losses and random state after a few steps; recorded if a path is given."""
    torch.manual_seed(7)
    net = make()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    losses = []

    def loop():
        for batch in (8, 8, 8, 5, 8, 8):
            x, y = torch.randn(batch, 6), torch.randint(3, (batch,))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            losses.append(loss.detach())
            optimizer.step()

    if tmp_path:
        with hwsim.record(tmp_path, net, optimizer):
            loop()
    else:
        loop()
    gradients = [parameter.grad for parameter in net.parameters()]
    return [*net.state_dict().values(), *gradients, *losses, torch.get_rng_state()]


def test_training_is_bitwise_the_same_with_and_without_recording(net, tmp_path):
    plain, recorded = trained(type(net)), trained(type(net), tmp_path)
    assert len(plain) == len(recorded)
    assert all(torch.equal(one, other) for one, other in zip(plain, recorded, strict=True))
    assert TrainingRun.load(tmp_path).steps == 6


def test_the_structure_is_a_whole_step_in_its_steady_state(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for batch in (4, 4, 3):
            step(batch)
    run = TrainingRun.load(tmp_path)
    assert [(workload.name, workload.samples, times) for workload, times in run.executions] == [
        ("Net/0", 4, 2), ("Net/1", 3, 1),
    ]  # fmt: skip
    macs = 6 * 8 + 8 * 3
    for workload, _ in run.executions:
        assert workload.macs == workload.samples * (3 * macs - 6 * 8)  # the input needs no gradient
        updates = [o for o in workload.operators if o.phase == "optimizer"]
        assert len(updates) == len(list(net.parameters()))
        assert {o.primitive for o in updates} == {"elementwise"}  # no allocation of the momentum


def test_a_recorded_run_can_be_scored(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for batch in (4, 4, 3):
            step(batch)
    result = hwsim.score(tmp_path, on="eyeriss-45nm")
    assert (result.workload, result.steps, result.samples) == ("Net", 3, 11)
    parts = [hwsim.score(workload).energy_j * times for workload, times in TrainingRun.load(tmp_path).executions]
    assert result.energy_j == pytest.approx(sum(parts), rel=1e-12)


def test_nothing_of_a_step_is_kept_alive(net, momentum, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for _ in range(3):
            x = torch.randn(4, 6)
            y = net(x)
            y.sum().backward()
            momentum.step()
            dead = [weakref.ref(x), weakref.ref(y)]
            del x, y
            gc.collect()
            assert [ref() for ref in dead] == [None, None]


def test_metrics_are_stored_with_their_step(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum, name="with metrics") as run:
        step()
        run.log(loss=torch.tensor(0.5), accuracy=1)
        step()
        run.log(loss=0.25)
    loaded = TrainingRun.load(tmp_path)
    assert loaded.name == "with metrics"
    assert loaded.metrics == {"loss": ((1, 0.5), (2, 0.25)), "accuracy": ((1, 1.0),)}


def test_a_second_recording_into_the_same_directory_is_refused(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        step()
    message = f"{tmp_path}: holds a recorded run already: choose another directory or delete it"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"), hwsim.record(tmp_path, net, momentum):
        pytest.fail("the block must not run")
    assert TrainingRun.load(tmp_path).steps == 1


def test_arguments_are_checked(net, momentum, tmp_path):
    cases = [
        ((momentum, momentum), "model must be a torch.nn.Module, not SGD"),
        ((net,), "at least one optimizer must be given"),
        ((net, net), "optimizer must be a torch.optim.Optimizer, not Net"),
    ]
    for arguments, message in cases:
        with pytest.raises(InputError, match=f"^{re.escape(message)}"), hwsim.record(tmp_path / "run", *arguments):
            pytest.fail("the block must not run")
    assert not (tmp_path / "run").exists()


KILLED = """
import os, signal, sys, torch, hwsim
directory, last, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
net = torch.nn.Linear(6, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
with hwsim.record(directory, net, optimizer) as run:
    while True:
        y = net(torch.randn(4, 6))
        if run.steps == last and where == "forward":
            os.kill(os.getpid(), signal.SIGKILL)
        y.sum().backward()
        optimizer.step()
        if run.steps == last:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("last", "where"), [(1, "step"), (1, "forward"), (57, "forward"), (1000, "step")])
def test_a_killed_process_leaves_all_its_finished_steps(tmp_path, last, where):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(last), where])
    assert killed.returncode == -signal.SIGKILL
    run = TrainingRun.load(tmp_path)
    assert (run.steps, run.samples, run.untraced) == (last, 4 * last, 0)


def test_a_compiled_model_is_traced_eagerly_and_stays_compiled(net, tmp_path):
    calls = []

    def backend(graph, example):
        return lambda *inputs: calls.append(None) or graph(*inputs)

    model = torch.compile(net.body[:1], backend=backend)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path, model, optimizer, sample_every=2):
        for _ in range(7):
            model(torch.randn(4, 6)).sum().backward()
            optimizer.step()
    run = TrainingRun.load(tmp_path)
    assert (run.steps, run.statistics[0].steps, run.statistics[0].unmatched) == (7, 3, 0)
    assert len(calls) == 7 - 2 - 3  # all but the traced and the sampled ones
