"""Every preset prices an inference of ResNet-18, a training step of MobileNetV2 and one of a decoder like GPT-2."""

from functools import cache

import pytest

from hwsim import score
from hwsim.architecture import architectures, load_architecture
from tests.architecture import workloads

SMALL = {
    "resnet18": lambda: workloads.resnet18_inference(32),
    "mobilenet_v2": workloads.inverted_residuals_step,
    "decoder": lambda: workloads.decoder_step("decoder_tiny"),
}
WHOLE = {
    "resnet18": lambda: workloads.resnet18_inference(224),
    "mobilenet_v2": lambda: workloads.mobilenet_v2_step(224),
    "decoder": lambda: workloads.decoder_step("gpt2_small"),
}
PRICES_CONTRACTIONS_ALONE = {"bitfusion-16x32", "eyeriss-v1"}
"""Nothing is published about other operators there; the report lists them as not covered."""


SCORED = [name for name in architectures() if load_architecture(name)[0].kind != "accelerator"]
"""Programs have inference alone: tests/flows/compile/test_score.py."""


@cache
def small(name):
    return SMALL[name]()


@cache
def whole(name):
    return WHOLE[name]()


def check(workload, on):
    result = score(workload, on)
    priced = [cost for cost in result.operators if cost.covered]
    contractions = [operator for operator in workload.operators if operator.is_contraction]
    assert sum(cost.macs * cost.count for cost in priced) == sum(o.macs * o.count for o in contractions) > 0
    assert all(cost.energy_pj > 0 and cost.latency_s > 0 for cost in priced if cost.macs)
    if on in PRICES_CONTRACTIONS_ALONE:
        assert len(priced) == len(contractions)
    else:
        assert result.coverage == 1
    array = result.architecture.peak_operations_per_s * _speedup(result.architecture)
    assert all(cost.macs / cost.latency_s <= array * (1 + 1e-9) for cost in priced if cost.macs)


def _speedup(architecture):
    """Operations of the narrowest operands per cycle, to those of the widest."""
    if architecture.kind == "hierarchy":
        return max(architecture.lanes.values(), default=1)
    return architecture.narrow.elements_factor if architecture.narrow else 1


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("on", SCORED)
def test_small(on, name):
    check(small(name), on)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("on", SCORED)
def test_whole(on, name):
    check(whole(name), on)
