"""Cuts of layers: the best by the exact cycle model, and the array at work nearly all the time on wide layers."""

from __future__ import annotations

from itertools import chain, pairwise, product

import pytest
import torch
from torch import nn

from flows.compile import choice, compile_network
from flows.compile.memory import allocate
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from rtl.accelerator import Accelerator
from rtl.pe import find


def chip(**fields):
    return Accelerator(**{"rows": 8, "columns": 8, "pe": find("int8_mac_piped")} | fields)


def compiled(accelerator, channels, size, kernel=3):
    torch.manual_seed(0)
    layers = [nn.Conv2d(first, second, kernel, padding=kernel // 2) for first, second in pairwise(channels)]
    return compile_network(nn.Sequential(*layers), torch.rand(2, channels[0], size, size), accelerator)


@pytest.mark.parametrize(
    ("channels", "size", "fields"),
    [((5, 12, 9, 7), 4, {"weight_words": 150, "parameter_words": 3}), ((8, 16, 16, 8), 3, {"weight_words": 260}),
     ((16, 24, 8), 5, {"weight_words": 90, "sum_words": 64})],
)  # fmt: skip
def test_no_other_cuts_take_fewer_cycles(channels, size, fields):
    accelerator = chip(rows=4, columns=4, **fields)
    graph = compiled(accelerator, channels, size).graph
    tensors = allocate(graph, accelerator)
    options = [choice.options(graph, index, tensors, accelerator) for index in range(len(graph.layers))]
    assert max(map(len, options)) > 1
    everything = [choice.cycles(list(chain(*one)), accelerator) for one in product(*options)]
    assert choice.cycles(choice.chosen(graph, tensors, accelerator), accelerator) == min(everything) < max(everything)


@pytest.mark.parametrize("size", [7, 8, 14])
def test_wide_convolutions_keep_the_array_busy(size):
    """A 7 x 7 image fills 49 of 56 places: the beats are those of full blocks, nearly all cycles have one."""
    accelerator = chip()
    network = compiled(accelerator, (64, 64, 96, 64), size)
    counters = predict(accelerator, network.commands, Memory())
    assert counters.beats / counters.cycles >= 0.95
    assert counters.load_stall <= 0.01 * counters.cycles + 1200  # nothing hides the first layer's weights
