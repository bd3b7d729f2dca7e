"""im2col nests against the padded input's patches, taken one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtl.array import SystolicArray
from rtl.memory import Im2col
from rtl.pe.integer import IntegerMac


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 3))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pair), draw(pair), draw(pair)
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    height, width = (
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 9)) for d, k, p in zip(dilation, kernel, padding, strict=True)
    )
    lanes = draw(st.integers(1, 3))
    return Im2col(
        batch=draw(st.integers(1, 2)), channels=groups * draw(st.integers(1, 3)), height=height, width=width,
        kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups,
        passes=draw(st.integers(1, 2)), lanes=lanes, lane=draw(st.integers(0, lanes - 1)), base=draw(st.integers(0, 9)),
    )  # fmt: skip


def naive(convolution, image):
    """Elements of the patches in order: the input is padded for real, wide enough for the surplus lanes."""
    (above, left), (rows, columns) = convolution.padding, convolution.output_size
    image = np.pad(image, ((0, 0), (0, 0), (above, above), (left, left + 30)))
    depth, found = convolution.channels // convolution.groups, []
    for picture in image:
        for group in range(convolution.groups):
            for _ in range(convolution.passes):
                for row in range(rows):
                    for block in range(-(-columns // convolution.lanes)):
                        column = block * convolution.lanes + convolution.lane
                        y, x = row * convolution.stride[0], column * convolution.stride[1]
                        found += [
                            picture[group * depth + c, y + i * convolution.dilation[0], x + j * convolution.dilation[1]]
                            for c in range(depth)
                            for i in range(convolution.kernel[0])
                            for j in range(convolution.kernel[1])
                        ]
    return np.array(found)


def fetched(steps, memory):
    return np.where(steps["inside"], memory[np.where(steps["inside"], steps["address"], 0)], 0)


@given(convolutions())
def test_the_nest_fetches_the_patches(convolution):
    image = np.arange(1, convolution.words + 1)
    memory = np.concatenate([np.full(convolution.base, -1), image])
    steps = convolution.nest().compute()
    size = (convolution.batch, convolution.channels, convolution.height, convolution.width)
    np.testing.assert_array_equal(fetched(steps, memory), naive(convolution, image.reshape(size)))


@given(convolutions())
def test_sums_are_patches(convolution):
    steps = convolution.nest().compute()
    patch = convolution.channels // convolution.groups * convolution.kernel[0] * convolution.kernel[1]
    np.testing.assert_array_equal(steps["first"], np.arange(len(steps["first"])) % patch == 0)
    np.testing.assert_array_equal(steps["last"], np.roll(steps["first"], -1))


def test_nests_and_array_convolve():
    """A strided, padded, dilated convolution of two groups, on an array whose rows are the lanes."""
    lanes, filters, geometry = 4, 3, {
        "channels": 4, "height": 7, "width": 9, "kernel": (3, 2), "stride": (2, 1), "padding": (1, 2),
        "dilation": (1, 2), "groups": 2,
    }  # fmt: skip
    generator = np.random.default_rng(1)
    image, weights = generator.integers(-128, 128, (4, 7, 9)), generator.integers(-128, 128, (2, filters, 2, 3, 2))
    nests = [Im2col(**geometry, lanes=lanes, lane=lane).nest().compute() for lane in range(lanes)]
    rows, columns = Im2col(**geometry).output_size
    tiles = rows * -(-columns // lanes)
    array = SystolicArray(rows=lanes, columns=filters, pe=IntegerMac())
    sums = array.compute(
        nests[0]["first"], nests[0]["last"],
        x=np.stack([fetched(nest, image.ravel()) for nest in nests], axis=1),
        w=np.concatenate([np.tile(group.reshape(filters, -1).T, (tiles, 1)) for group in weights]),
    )  # fmt: skip
    found = sums.reshape(2, rows, -1, lanes, filters).transpose(0, 4, 1, 2, 3).reshape(2, filters, rows, -1)
    padded = np.pad(image, ((0, 0), (1, 1), (2, 2)))
    for group, f, row, column in np.ndindex(2, filters, rows, columns):
        patch = padded[2 * group : 2 * group + 2, 2 * row : 2 * row + 3, column : column + 3 : 2]
        assert found[group, f, row, column] == (patch * weights[group, f]).sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": 2}, "groups must divide the 3 channels"),
        ({"lanes": 2, "lane": 2}, "lane must be below the 2 lanes"),
        ({"kernel": (5, 1)}, "kernel must fit into the padded input"),
    ],
)
def test_geometry_that_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Im2col(**{"channels": 3, "height": 4, "width": 4, "kernel": (1, 1), **change})
