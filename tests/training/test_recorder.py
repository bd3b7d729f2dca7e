"""Which steps are traced and which are only counted, with the tracer replaced by a note."""

import pytest
import torch

import hwsim
from hwsim.training import TrainingRun


def traced(captured):
    return [event.removeprefix("workload ") for event in captured if event.startswith("workload")]


def counts(directory):
    return [(workload.samples, times) for workload, times in TrainingRun.load(directory).executions]


def test_the_first_step_is_traced_twice_and_all_others_are_counted(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for _ in range(5):
            step()
    assert captured == ["start", "stop", "workload Net/0 [(4, 6)] 4 1"] * 2
    assert counts(tmp_path) == [(4, 5)]


def test_a_further_structure_is_traced_once_since_the_state_exists(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for batch in (4, 4, 3, 4, 3):
            step(batch)
    assert traced(captured) == ["Net/0 [(4, 6)] 4 1", "Net/0 [(4, 6)] 4 1", "Net/1 [(3, 6)] 3 1"]
    assert counts(tmp_path) == [(4, 3), (3, 2)]


def test_a_structure_whose_step_allocates_state_is_traced_again(captured, net, step, tmp_path):
    net.head.requires_grad_(False)
    optimizer = torch.optim.Adam(net.parameters())
    with hwsim.record(tmp_path, net, optimizer):
        for _ in range(3):
            step(optimizers=[optimizer])
        net.head.requires_grad_(True)  # Adam allocates the state of the head in the next step
        for _ in range(3):
            step(3, optimizers=[optimizer])
    assert [event.split()[0] for event in traced(captured)] == ["Net/0", "Net/0", "Net/1", "Net/1"]
    assert counts(tmp_path) == [(4, 3), (3, 3)]


def test_accumulated_passes_are_one_step(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for _ in range(3):
            step(4, 4, 2)
    assert traced(captured) == ["Net/0 [(4, 6), (4, 6), (2, 6)] 10 1"] * 2
    assert counts(tmp_path) == [(10, 3)]


def test_a_shorter_accumulation_is_found_when_it_recurs(captured, net, momentum, step, tmp_path):
    epoch = [(4, 4), (4, 4), (4, 4), (4,)]
    with hwsim.record(tmp_path, net, momentum):
        for batches in epoch:
            step(*batches)
        assert TrainingRun.load(tmp_path).untraced == 1
        assert counts(tmp_path) == [(8, 3)]
        for batches in epoch * 2:
            step(*batches)
    assert counts(tmp_path) == [(8, 9), (4, 3)]
    assert captured.count("start") < 3 + 4  # two for the first, one after the unknown one, then where it recurred


def test_evaluation_is_not_counted(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum) as run:
        step()
        with torch.no_grad():
            net(torch.randn(100, 6))
        with torch.inference_mode():
            net(torch.randn(50, 6))
        step()
        assert run.steps == 2
    assert counts(tmp_path) == [(4, 2)]


@pytest.mark.parametrize(
    ("first", "second", "distinct"),
    [
        ({}, {"scale": 2.0}, True),
        ({"scale": 1.0}, {"scale": 2.0}, False),
        ({"flag": True}, {"flag": False}, True),
        ({"scale": torch.ones(3)}, {"scale": torch.ones(1)}, True),
        ({"scale": torch.ones(3)}, {"scale": torch.zeros(3)}, False),
        ({"scale": torch.ones(3)}, {"scale": torch.ones(3, dtype=torch.float64)}, True),
    ],
)
def test_what_distinguishes_steps(captured, net, momentum, tmp_path, first, second, distinct):
    with hwsim.record(tmp_path, net, momentum):
        for arguments in (first, second, first, second):
            net(torch.randn(4, 6), **arguments).sum().backward()
            momentum.step()
    assert len(counts(tmp_path)) == 1 + distinct


def test_training_flag_and_trained_parameters_distinguish_steps(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for _ in range(2):
            step()
        net.eval()
        for _ in range(2):
            step()
        net.body.requires_grad_(False)
        for _ in range(2):
            step()
    assert counts(tmp_path) == [(4, 2)] * 3


def test_optimizers_that_follow_each_other_end_one_step(captured, net, step, tmp_path):
    body = torch.optim.SGD(net.body.parameters(), lr=0.1)
    head = torch.optim.Adam(net.head.parameters())
    with hwsim.record(tmp_path, net, body, head):
        for _ in range(4):
            step(optimizers=[body, head])
    assert traced(captured) == ["Net/0 [(4, 6)] 4 1", "Net/0 [(4, 6)] 4 2"]
    assert counts(tmp_path) == [(4, 4)]


def test_optimizers_with_a_forward_pass_each_end_two_steps(captured, net, step, tmp_path):
    body = torch.optim.SGD(net.body.parameters(), lr=0.1)
    head = torch.optim.SGD(net.head.parameters(), lr=0.1)
    with hwsim.record(tmp_path, net, body, head):
        for _ in range(3):
            step(4, optimizers=[body])
            step(3, optimizers=[head])
    assert counts(tmp_path) == [(4, 3), (3, 3)]


def test_steps_of_an_optimizer_without_a_forward_pass_do_not_count(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        momentum.step()
        for _ in range(2):
            step()
            momentum.step()
    assert counts(tmp_path) == [(4, 2)]


def test_an_optimizer_that_steps_before_and_after_another_one(captured, net, step, tmp_path):
    body = torch.optim.SGD(net.body.parameters(), lr=0.1)
    head = torch.optim.SGD(net.head.parameters(), lr=0.1)
    with hwsim.record(tmp_path, net, body, head):
        for _ in range(4):
            step(optimizers=[body, head, body])
    assert counts(tmp_path) == [(4, 4)]


def test_a_closure_is_part_of_the_step(captured, net, tmp_path):
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=2)

    def closure():
        optimizer.zero_grad()
        loss = net(torch.ones(4, 6)).square().mean()
        loss.backward()
        return loss

    with hwsim.record(tmp_path, net, optimizer) as run:
        optimizer.step(closure)
        optimizer.step(closure)
        assert run.steps == 2


def test_samples_of_inputs_without_a_first_dimension_are_one(captured, momentum, net, tmp_path):
    class Scalar(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.w * x

    model = Scalar()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path, model, optimizer):
        model(torch.tensor(2.0)).backward()
        optimizer.step()
        model(3.0).backward()
        optimizer.step()
    assert counts(tmp_path) == [(1, 1), (1, 1)]


def test_an_error_of_the_loop_propagates_and_leaves_the_record(captured, net, momentum, step, tmp_path):
    hooks = (len(net._forward_pre_hooks), len(momentum._optimizer_step_post_hooks))

    def loop():
        with hwsim.record(tmp_path, net, momentum):
            step()
            net(torch.randn(4, 6))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert captured.count("start") == captured.count("stop") == 2
    assert counts(tmp_path) == [(4, 1)]
    assert (len(net._forward_pre_hooks), len(momentum._optimizer_step_post_hooks)) == hooks == (0, 0)


def test_a_kill_while_lowering_loses_the_structure_but_no_step(captured, net, momentum, step, tmp_path, monkeypatch):
    def killed(self, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(hwsim.training.recorder.StepCapture, "workload", killed)
    with pytest.raises(KeyboardInterrupt), hwsim.record(tmp_path, net, momentum):
        step()
    run = TrainingRun.load(tmp_path)
    assert (run.steps, run.samples, run.executions, run.untraced) == (0, 0, (), 1)
