"""A small network, compiled once."""

import pytest
import torch
from torch import nn

from flows.compile import compile_network
from rtl.accelerator import Accelerator

SMALL = {
    "rows": 1, "columns": 1, "pe": "int8_mac", "activation_words": 64, "weight_words": 64, "parameter_words": 8,
    "sum_words": 8, "memory_bits": 16, "burst": 8, "buffered_tiles": 1, "loop_bits": 8, "coordinate_bits": 6,
    "profiling": False,
}  # fmt: skip


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(0)
    return compile_network(nn.Conv2d(2, 3, 2), torch.rand(4, 2, 4, 4), Accelerator.model_validate(SMALL))
