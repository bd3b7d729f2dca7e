"""What kernels compute and how their operands lie in memory, without TVM."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.kernels.kernel import Shape
from flows.kernels.packing import pack, per_byte, unpack
from flows.kernels.registry import KERNELS, find
from hwsim import formats
from hwsim.errors import HwsimError, InputError

SIZES = st.integers(1, 20)
SHAPES = st.builds(Shape, batch=SIZES, m=SIZES, k=SIZES, n=SIZES)


@given(st.sampled_from(["pow2_4", "bin", "bin01", "int8", "ternary"]), SIZES, SIZES, st.integers(0, 1000))
def test_packed_weights_round_trip_with_hwsim_formats(name, rows, k, seed):
    bits = formats.parse(name).bits
    codes = np.random.default_rng(seed).integers(0, 1 << bits, (rows, k))
    values = formats.decode(codes, name)
    packed = pack(values, name)
    assert packed.dtype == np.uint8
    assert packed.shape == (rows, -(-k * bits // 8))
    assert (unpack(packed, name, k) == values).all()
    assert (formats.encode(unpack(packed, name, k), name) == formats.encode(values, name)).all()


def test_codes_lie_in_bytes_from_the_lowest_bits():
    assert pack([[1.0, -0.5, 2.0**-7]], "pow2_4").tolist() == [[0x90, 0x07]]
    assert pack([[1, -1, 1, 1, 1, 1, 1, -1, -1]], "bin").tolist() == [[0x82, 0x01]]


def test_formats_that_do_not_fill_a_byte_are_refused():
    with pytest.raises(InputError, match=r"^format must have 1, 2, 4 or 8 bits to be packed in bytes, not 'pow2_5'$"):
        per_byte("pow2_5")


@given(st.sampled_from(list(KERNELS)), SHAPES, st.integers(0, 100))
def test_stored_weights_hold_the_values_and_have_the_stated_sizes(name, shape, seed):
    kernel = find(name)
    values = kernel.draw(np.random.default_rng(seed), (shape.batch, shape.n, shape.k))
    stored = kernel.encode(values)
    assert (kernel.decode(stored, shape.k) == values.astype(kernel.decode(stored, shape.k).dtype)).all()
    for one, array in zip(kernel.weights, stored, strict=True):
        assert array.dtype == one.dtype
        assert array.shape == (shape.batch, shape.n, -(-shape.k // one.per_element))
    a = kernel.random(shape, seed)[0]
    c_bytes = 4 * shape.batch * shape.m * shape.n
    assert kernel.operand_bytes(shape) == a.nbytes + sum(array.nbytes for array in stored) + c_bytes


def test_matshift_as_published_rounds_towards_minus_infinity():
    kernel = find("matshift-published")
    stored = kernel.encode(np.array([[[-0.25]]]))
    assert [array.item() for array in stored] == [2, -1]
    assert kernel.reference(np.array([[[-5]]], np.int32), stored).item() == 2  # -(-5 >> 2)


def test_adder_sums_negated_distances():
    kernel = find("adder")
    a, w = np.array([[[1, -128]]], np.int8), np.array([[[4, 127]]], np.int8)
    assert kernel.reference(a, (w,)).item() == -(3 + 255)


def test_a_wrong_result_is_an_error():
    kernel = find("int8")
    a, stored = kernel.random(Shape(m=2, k=3, n=4), seed=0)
    result = kernel.reference(a, stored)
    assert kernel.check(result, a, stored) == 0
    result[0, 1, 2] += 1
    with pytest.raises(HwsimError, match=r"^int8 differs from NumPy by \S+ of the largest result$"):
        kernel.check(result, a, stored)


@pytest.mark.parametrize(("text", "sizes"), [("2x3x4", (1, 2, 3, 4)), ("5x2x3x4", (5, 2, 3, 4))])
def test_shapes_are_read_and_written(text, sizes):
    shape = Shape.parse(text)
    assert (shape.batch, shape.m, shape.k, shape.n) == sizes
    assert str(shape) == text
    assert shape.macs == np.prod(sizes)


@pytest.mark.parametrize("text", ["", "2x3", "0x1x1", "1x2x3x4x5", "axbxc", "99999999x1x1"])
def test_bad_shapes_are_refused(text):
    with pytest.raises(InputError, match=rf"^shape: must be MxKxN or BATCHxMxKxN, not '{text}'$"):
        Shape.parse(text)


def test_unknown_kernels_are_refused():
    with pytest.raises(InputError, match=r"^kernel: must be one of matshift, .*, fp32, not 'gemm'$"):
        find("gemm")
