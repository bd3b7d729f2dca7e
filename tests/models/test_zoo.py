"""Every network of the zoo has its published parameters, and the multiply-accumulates a hand formula gives."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from hwsim.trace import trace
from models.zoo import ZOO


def resnet_macs(depths: tuple[int, ...], bottleneck: bool) -> int:
    """Sum over convolutions of output positions * outputs * inputs * kernel, and the classifier."""
    total, inputs, size = 112 * 112 * 64 * 3 * 49, 64, 56
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for index in range(depth):
            before, size = size, size // 2 if stage and not index else size
            if bottleneck:
                total += before**2 * width * inputs + size**2 * (width * width * 9 + 4 * width * width)
                outputs = 4 * width
            else:
                total += size**2 * (width * inputs * 9 + width * width * 9)
                outputs = width
            if not index and (stage or bottleneck):
                total += size**2 * outputs * inputs
            inputs = outputs
    return total + inputs * 1000


def vit_macs(width: int, depth: int, tokens: int) -> int:
    block = tokens * 12 * width**2 + 2 * tokens**2 * width
    return (tokens - 1) * width * 3 * 16 * 16 + depth * block + width * 1000


def decoder_macs(width: int, depth: int, tokens: int, vocabulary: int) -> int:
    block = tokens * 12 * width**2 + 2 * tokens**2 * width
    return depth * block + tokens * width * vocabulary


HAND = {
    "resnet18": resnet_macs((2, 2, 2, 2), bottleneck=False),
    "resnet50": resnet_macs((3, 4, 6, 3), bottleneck=True),
    "vit_b_16": vit_macs(768, 12, 197),
    "gpt2_small": decoder_macs(768, 12, 1024, 50257),
    "decoder_tiny": decoder_macs(32, 2, 16, 100),
}


@pytest.mark.parametrize("name", ZOO)
def test_published_numbers(name: str) -> None:
    entry = ZOO[name]
    with FakeTensorMode():
        model = entry.make()
    assert sum(parameter.numel() for parameter in model.parameters()) == entry.parameters
    assert entry.macs == HAND[name]
    workload = trace(model, entry.inputs(2), name=name)
    assert workload.macs == 2 * entry.macs
    assert workload.samples == 2
    assert {operator.phase for operator in workload.operators} == {"forward"}


@pytest.mark.parametrize("name", ["resnet18", "decoder_tiny"])
def test_small_networks_run_on_data(name: str) -> None:
    torch.manual_seed(0)
    entry = ZOO[name]
    with torch.no_grad():
        output = entry.make()(entry.inputs(1))
    assert output.shape[0] == 1
    assert output.isfinite().all()
