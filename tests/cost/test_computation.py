"""FracTrain's computational cost reproduces the cost percentages of its training settings."""

import pytest

from hwsim import Workload
from hwsim.cost.computation import computational_cost
from hwsim.workload.contraction import conv2d
from hwsim.workload.forms import Elementwise


def step(activation, weight, gradient):
    """Forward (activation x weight), error (gradient x weight) and gradient (activation x gradient) of one layer."""
    formats = (f"int{activation}", f"int{weight}", f"int{gradient}")
    layer = {"batch": 2, "in_channels": 4, "out_channels": 6, "input_size": (8, 8), "kernel": (3, 3)}
    return Workload(
        name="step",
        operators=tuple(conv2d(w, writes=w, formats=formats, count=3, **layer) for w in ("output", "input", "weight")),
    )


@pytest.mark.parametrize(
    ("bits", "percent"),
    [
        # forward/backward bits of static training: activations and weights share the first
        ((3, 3, 6), 1.465), ((4, 4, 6), 2.083), ((4, 4, 8), 2.604), ((6, 6, 8), 4.297), ((8, 8, 8), 6.250),
        ((8, 8, 12), 8.333), ((8, 8, 16), 10.417),
        # dynamic fractional quantisation: weights of 4 bits (CIFAR; 4/6 and 4/8 stand above), then of 6 (ImageNet)
        ((3, 4, 6), 1.758), ((6, 4, 8), 3.385), ((6, 4, 12), 4.688),
        ((3, 6, 6), 2.344), ((4, 6, 8), 3.385), ((6, 6, 12), 5.859), ((8, 6, 16), 8.854),
    ],
)  # fmt: skip
def test_published_cost_percentages(bits, percent):
    work = step(*bits)
    assert round(100 * computational_cost(work) / work.macs, 3) == percent


def test_operators_that_are_no_contractions_cost_nothing():
    relu = Elementwise(kind="elementwise", name="relu", elements=100).operator()
    assert computational_cost(relu) == 0
