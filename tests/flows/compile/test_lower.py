"""The program, run by the accelerator's NumPy model, computes what the PyTorch reference says, on random layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from flows.compile import reference
from flows.compile.network import assemble
from hwsim.errors import InputError
from rtl.control import Convolution, Load, Pooling
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
