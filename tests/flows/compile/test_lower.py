"""The program, run by the accelerator's NumPy model, computes what the PyTorch reference says, on random layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from flows.compile import reference
from flows.compile.network import assemble
from flows.compile.operators import Add, Geometry, Graph
from flows.compile.operators import Convolution as Filters
from flows.compile.quantise import quantise
from flows.compile.stages import fuse
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.control import Convolution, Load, Pooling
from rtl.pe.adder import AdderPE
from tests.flows.compile.layers import ELEMENTS, cases


def check(integers, accelerator, images):
    network = assemble(integers, accelerator)
    expected = reference.run(integers, torch.from_numpy(images))[integers.output].numpy()
    np.testing.assert_array_equal(network.bundle.run(images), expected)
    check_background(network.commands)
    return network


def check_background(commands):
    """Nothing that a command reads is still being loaded when it begins, or while it runs."""
    loading = []
    for command in commands:
        if command.wait_for_loads:
            loading = []
        if isinstance(command, Load) and command.background:
            loading.append((command.target, range(command.address, command.address + command.count)))
        elif isinstance(command, Convolution | Pooling):
            used = {"parameters": {command.post.parameters + tile for tile in range(command.write.counts[0])}}
            if command.post.sums_write:
                used = {}
            if isinstance(command, Convolution):
                used["weights"] = set(command.weights.compute()["address"].tolist())
            else:
                used["parameters"] = {command.post.parameters}
            assert not any(used.get(target, set()).intersection(words) for target, words in loading)


@settings(max_examples=30, deadline=None)
@given(cases())
def test_random_layers(case):
    check(*case)


@pytest.mark.slow
@pytest.mark.parametrize("element", ELEMENTS)
def test_many_random_layers(element):
    @settings(max_examples=40, deadline=None)
    @given(cases(elements=(element,)))
    def layers_of_one_element(case):
        check(*case)

    layers_of_one_element()


def shrink(case, **limits):
    """Lower with smaller memories: None if they are too small."""
    integers, accelerator, images = case
    small = accelerator.model_copy(update=limits)
    try:
        return check(integers, small, images)
    except InputError:
        return None


@settings(max_examples=15, deadline=None)
@given(cases())
def test_small_memories_give_the_same_or_an_error(case):
    whole = check(*case)
    most = max([getattr(c, "count", 0) for c in whole.commands if getattr(c, "target", "") == "weights"], default=1)
    for weight_words in {max(1, most // 2), max(1, most // 5)}:
        shrink(case, weight_words=weight_words, parameter_words=2, sum_words=64)


def test_groups_leave_the_residual_of_the_others_alone():
    """The second layer writes over its residual, group by group, several groups in the columns of a tile."""
    random, operators = np.random.default_rng(0), []
    for index, groups in enumerate((1, 3)):
        weight = random.normal(size=(6, 6 // groups, 1, 1))
        operators.append(Filters(f"c{index}", "xa"[index], "ab"[index], "adder", weight, Geometry(), groups))
    graph = Graph("x", "y", dict.fromkeys("xaby", (6, 2, 2)), (*operators, Add("add", "b", "y", "x")), {})
    chip = Accelerator(rows=2, columns=4, pe=AdderPE(), activation_words=64, weight_words=64, parameter_words=8)
    integers = quantise(graph, fuse(graph), {"x": (-3.0, 3.0), "a": (-3.0, 3.0), "y": (-5.0, 5.0)}, chip)
    network = check(integers, chip, random.integers(-128, 128, (2, 6, 2, 2)))
    assert [command.post.residual for command in network.commands if isinstance(command, Convolution)] == [None, 0, 0, 0]
