"""Sampled steps: which they are, that their words are those of the tensors, and that they change nothing."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hwsim
from hwsim.errors import InputError
from hwsim.trace.sampling import RUN, RUNS, layout_of, take
from hwsim.training import TrainingRun
from hwsim.training.measure import measure


def sampled(directory):
    return [(statistics and statistics.steps, times) for (_, times), statistics in pairs(directory)]


def pairs(directory):
    run = TrainingRun.load(directory)
    return list(zip(run.executions, run.statistics, strict=True))


@pytest.mark.parametrize(("every", "expected"), [(1, 8), (3, 3), (100, 1)])
def test_the_step_after_the_trace_and_then_every_so_many(net, momentum, step, tmp_path, every, expected):
    with hwsim.record(tmp_path, net, momentum, sample_every=every):
        for _ in range(10):  # two are traced
            step()
    assert sampled(tmp_path) == [(expected, 10)]


def test_no_sampling(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum, sample_every=0):
        for _ in range(4):
            step()
    assert sampled(tmp_path) == [(None, 4)]
    assert not (tmp_path / "statistics").exists()


def test_every_distinct_step_has_its_own(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum, sample_every=2):
        for batch in (4, 4, 4, 3, 3, 3, 4, 4, 3):
            step(batch)
    assert sampled(tmp_path) == [(2, 5), (2, 4)]


def test_a_step_that_turns_out_to_be_another_one_is_not_counted(net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum, sample_every=1):
        for batches in ((4,), (4,), (4,), (4, 4), (4,), (4,)):  # the last but one is traced
            step(*batches)
    run = TrainingRun.load(tmp_path)
    assert (run.statistics[0].steps, run.statistics[0].unmatched, run.untraced) == (2, 0, 1)


def test_statistics_are_those_of_the_tensors(tmp_path):
    """All weights of the run, and what a hook sees of the layer's input, counted again."""
    torch.manual_seed(0)
    layer = nn.Linear(6, 5, bias=False)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), layer)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, weights = [], []
    with hwsim.record(tmp_path, model, optimizer, sample_every=2, sample_format="int6"):
        for _ in range(9):
            x = torch.randn(3, 4)
            weights.append(layer.weight.detach().clone())
            handle = layer.register_forward_pre_hook(lambda module, args: inputs.append(args[0].detach().clone()))
            model(x).sum().backward()
            handle.remove()
            optimizer.step()
            optimizer.zero_grad()
    (workload, _), statistics = pairs(tmp_path)[0]
    product = next(o for o in workload.operators if o.module == "2" and o.is_contraction)
    for operand, seen in (("input", inputs), ("weight", weights)):
        expected = [measure(tensor.numpy().reshape(1, -1), "int6") for tensor in seen[2::2]]
        total = expected[0]
        for one in expected[1:]:
            total = total.merged(one)
        assert statistics.of(product.operand(operand)) == total
    zeros = sum(int((tensor == 0).sum()) for tensor in inputs[2::2])
    assert zeros
    assert product.operand("input").density == (4 * 18 - zeros) / (4 * 18)


def test_parts_of_one_tensor_are_counted_together(tmp_path):
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(4, 12, bias=False)

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, dim=-1)
            return (q @ k.mT) @ (v * 0)

    torch.manual_seed(0)
    model = Heads()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path, model, optimizer):
        for _ in range(3):
            model(torch.randn(2, 3, 4)).sum().backward()
            optimizer.step()
    (workload, _), statistics = pairs(tmp_path)[0]
    scores = next(o for o in workload.operators if o.source == "aten::bmm")
    assert statistics.of(scores.operand("input")).words == 3 * 2 * 3 * 4  # q, k and v: of equal size


def test_control_flow_on_data_is_noticed(tmp_path):
    class Switch(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x * self.w if x.sum() > 0 else x + self.w

    model = Switch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path, model, optimizer, sample_every=1):
        for sign in (1, 1, 1, -1, -1, 1):
            model(sign * torch.ones(3)).sum().backward()
            optimizer.step()
    ((_, times), statistics), = pairs(tmp_path)
    assert (times, statistics.steps, statistics.unmatched) == (6, 2, 2)


def test_an_error_in_a_sampled_step_ends_the_sampling(net, momentum, step, tmp_path):
    def loop():
        with hwsim.record(tmp_path, net, momentum, sample_every=1):
            step()
            step()
            net(torch.randn(4, 6))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert not torch.utils._python_dispatch._get_current_dispatch_mode_stack()
    assert sampled(tmp_path) == [(None, 2)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_every": -1}, r"^sample_every: must be a number of steps, or 0 for no sampling, not -1$"),
        ({"sample_every": "all"}, r"^sample_every: must be a number of steps, or 0 for no sampling, not 'all'$"),
        ({"sample_format": "uint8"}, r"^must be a format of integers .* not 'uint8'$"),
        ({"sample_format": "int"}, r"^format must be one of .* not 'int'$"),
    ],
)
def test_wrong_settings_are_named_before_anything_is_written(net, momentum, tmp_path, settings, message):
    with pytest.raises(InputError, match=message), hwsim.record(tmp_path / "run", net, momentum, **settings):
        pass
    assert not (tmp_path / "run").exists()


def test_large_tensors_are_taken_in_parts_that_move():
    size = 3 * RUNS * RUN + 5
    words = torch.arange(size)
    stratum = size // RUNS
    for turn, first in ((0, 0), (1, RUN), (5, 5 * RUN % (stratum - RUN + 1))):
        taken = take(words, turn)
        assert taken.shape == (RUNS, RUN)
        assert taken.tolist() == [list(range(i * stratum + first, i * stratum + first + RUN)) for i in range(RUNS)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_words_are_taken_in_the_order_of_memory(data):
    """Of any view: each stored element once, by rising address."""
    memory = torch.arange(64)
    shape = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    tensor = memory[data.draw(st.integers(0, 5)) :][: math.prod(shape)].reshape(shape)
    tensor = tensor.permute(*data.draw(st.permutations(range(len(shape)))))
    if data.draw(st.booleans()) and tensor.shape[-1] > 1:
        tensor = tensor[..., 1:]
    expected = sorted(tensor.flatten().tolist())
    expanded = tensor.expand(2, *tensor.shape) if data.draw(st.booleans()) else tensor
    assert take(expanded, 0).tolist() == [expected]


def test_views_of_the_same_elements_have_the_same_layout():
    x = torch.zeros(4, 6)
    views = [x, x.T, x.reshape(2, 12), x.flatten(), x[None].expand(3, 4, 6), x.unflatten(1, (2, 3)).permute(2, 0, 1)]
    assert len({layout_of(tuple(v.shape), v.stride(), v.storage_offset()) for v in views}) == 1
    assert layout_of((4, 3), (6, 1), 0) != layout_of((4, 3), (6, 1), 3)


def test_types_of_the_tensors_do_not_matter(tmp_path):
    torch.manual_seed(0)
    model = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path, model, optimizer, sample_format="fp16"):
        for _ in range(3):
            with torch.autocast("cpu", torch.bfloat16):
                y = model(torch.ones(2, 3))
            y.float().sum().backward()
            optimizer.step()
    (workload, _), statistics = pairs(tmp_path)[0]
    product = next(o for o in workload.operators if o.is_contraction)
    assert {o.format for o in product.operands} == {"bf16"}
    assert statistics.of(product.operand("input")) == measure(np.ones((1, 6)), "fp16")
