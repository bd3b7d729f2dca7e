"""Lowering keeps every operation: checked against a direct count of the einsum's points."""

import math

from hypothesis import given, settings

from hwsim.mapping.lowering import convolution_nest, matrix_nest
from hwsim.mapping.row_stationary import Nest
from hwsim.workload.contraction import conv2d, matmul
from tests.strategies import convolutions, products


def points(nest):
    return math.prod([nest.n, nest.m, nest.c, nest.e, nest.f, nest.r, nest.s, nest.repeats])


@settings(max_examples=200, deadline=None)
@given(convolutions() | products())
def test_matrix_form_keeps_every_operation(operator):
    assert points(matrix_nest(operator)) == operator.macs


@settings(max_examples=200, deadline=None)
@given(convolutions(writes=("output",)) | products())
def test_own_geometry_keeps_every_operation(operator):
    nest = convolution_nest(operator)
    assert points(nest) == operator.macs
    sizes = [nest.sizes[name] * nest.repeats for name in ("input", "weight", "output")]
    assert sorted(sizes) == sorted(operand.elements for operand in operator.operands)


def test_convolution_geometry():
    operator = conv2d(
        "c", batch=2, in_channels=4, out_channels=6, input_size=(9, 7), kernel=(3, 2), stride=(2, 1), groups=2
    )
    assert convolution_nest(operator) == Nest(
        n=2, m=3, c=2, e=4, f=6, r=3, s=2, h=9, w=7, stride=(2, 1), repeats=2
    )
    assert convolution_nest(operator, fold_groups=True).n == 4


def test_input_gradient_with_unit_stride_is_a_convolution_with_channels_exchanged():
    geometry = {"batch": 2, "in_channels": 4, "out_channels": 6, "input_size": (8, 8), "kernel": (3, 3)}
    operator = conv2d("c", padding=(1, 1), writes="input", **geometry)
    assert convolution_nest(operator) == Nest(n=2, m=4, c=6, e=8, f=8, r=3, s=3, h=8, w=8)
    assert convolution_nest(conv2d("c", stride=(2, 2), writes="input", **geometry)) is None


def test_product_gradients_exchange_roles():
    sizes = {"rows": 5, "inner": 7, "columns": 3}
    assert convolution_nest(matmul("p", writes="output", **sizes)) == Nest(5, 3, 7)
    assert convolution_nest(matmul("p", writes="input", **sizes)) == Nest(5, 7, 3)
    assert convolution_nest(matmul("p", writes="weight", **sizes)) == Nest(7, 3, 5)
