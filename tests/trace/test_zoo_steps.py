"""Whole training steps of ResNet-50 and ViT-B/16: multiply-accumulates and operator counts by hand."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from hwsim.trace import trace
from models.zoo import ZOO
from tests.trace.steps import OPTIMIZERS

BATCH = 2


def step(name, optimizer):
    entry = ZOO[name]
    with FakeTensorMode():
        model = entry.make()
    target = torch.zeros(BATCH, dtype=torch.long)
    return trace(model, entry.inputs(BATCH), loss=lambda y: F.cross_entropy(y, target), optimizer=optimizer)


def macs(workload):
    total = Counter()
    for operator in workload.operators:
        total[operator.phase] += operator.macs
    return {phase: count // BATCH for phase, count in total.items() if count}


@pytest.fixture(scope="module")
def resnet50():
    return step("resnet50", OPTIMIZERS["sgd-momentum-foreach"])


def test_resnet50_macs(resnet50):
    """Each gradient costs as much as the forward pass, but the images need none."""
    forward, stem = 4_089_184_256, 112 * 112 * 64 * 3 * 49
    assert macs(resnet50) == {"forward": forward, "grad_input": forward - stem, "grad_weight": forward}


def test_resnet50_macs_agree_with_the_flop_counter(resnet50):
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        ZOO["resnet50"].make()(ZOO["resnet50"].inputs(BATCH)).sum().backward()
    assert 2 * resnet50.macs == counter.get_total_flops()


def test_resnet50_operators(resnet50):
    layers, blocks, relus = 53, 16, 49  # of convolution and normalisation
    assert Counter(o.phase for o in resnet50.operators) == {
        # convolution, norm, batch counter; additions; pooling twice, classifier; loss twice
        "forward": 3 * layers + relus + blocks + 2 + 1 + 2,
        # the first convolution has none; sums of two paths; pooling twice, classifier; seed, loss twice
        "grad_input": layers - 1 + layers + relus + blocks + 2 + 1 + 3,
        "grad_weight": layers + 2,
        "optimizer": 3 * layers + 2,
    }
    assert not resnet50.skipped


def test_resnet50_modules(resnet50):
    modules = {o.module for o in resnet50.operators if o.is_contraction}
    assert {"conv1", "stages.0.0.downsample.0", "stages.3.2.conv3", "fc"} <= modules
    assert len(modules) == 54


@pytest.fixture(scope="module")
def vit():
    return step("vit_b_16", OPTIMIZERS["adamw-fused"])


def test_vit_macs(vit):
    """The images need no gradient; fused attention computes its scores again in the backward pass."""
    tokens, width, depth = 197, 768, 12
    patches, head = 196 * width * 768, width * 1000
    layers, product = depth * tokens * 12 * width**2 + head, depth * tokens**2 * width
    assert macs(vit) == {
        "forward": patches + layers + 2 * product,
        "grad_input": layers + 5 * product,
        "grad_weight": patches + layers,
    }
    assert macs(vit)["forward"] == 17_563_828_224


def test_vit_operators(vit):
    # norms 2, qkv and out 2, attention 3, feed-forward 3, sums 2; patches, class token, positions, norm, head, loss 2
    count = Counter(o.phase for o in vit.operators)
    assert count["forward"] == 12 * 12 + 5 + 2
    assert count["optimizer"] == 152
    # per block 4 layers with a weight and a bias; patches and head likewise; class token and positions
    assert count["grad_weight"] == 2 * (4 * 12 + 2) + 2
