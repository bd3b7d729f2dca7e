"""Tiles that operators agree on cover the same elements of the tensors they pass on."""

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwsim.fusion.chains import Link
from hwsim.fusion.tiling import Tiling, agrees, halo_bits, tile_of, tilings_of
from hwsim.workload.contraction import matmul
from tests.fusion.chains import conv, pointwise


def elements(tensor_shape, tiling, samples, tile):
    """Flat indices of part ``tile`` of a tensor, by the meaning of the tiling."""
    flat = np.arange(math.prod(tensor_shape)).reshape(tensor_shape)
    if tiling.part == "rows":
        return set(np.array_split(flat.reshape(-1), tiling.tiles)[tile])
    parts = tiling.tiles // samples
    sample, part = divmod(tile, parts)
    return set(np.array_split(flat[sample], parts, axis=1)[part].reshape(-1))


def written_by(operator, tile, tiling, tile_index):
    """Flat indices of the result that a tile's loops write, when tiles take the leading dimensions in order."""
    names = list(operator.dims)
    result = operator.written
    counts = [operator.dims[name] // tile.dims[name] for name in names]
    offsets = dict(zip(names, np.unravel_index(tile_index, counts), strict=True))
    axes = []
    for name in ("g", "n", "m", "p", "q"):
        if name in operator.dims and (name != "g" or len(result.shape) == 3):
            begin = offsets[name] * tile.dims[name]
            axes.append(range(begin, begin + tile.dims[name]))
    flat = np.arange(result.elements).reshape(result.shape)
    return set(flat[np.ix_(*axes)].reshape(-1))


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.data())
def test_tiles_of_products_and_convolutions_are_parts_of_their_results(batch, rows, columns, data):
    operator = data.draw(st.sampled_from([
        matmul("p", batch=batch, rows=rows, inner=2, columns=columns), conv("c", "1.0", "2.0", size=rows, batch=batch),
    ]))  # fmt: skip
    tiling = data.draw(st.sampled_from([one for one in tilings_of(operator) if agrees(operator, one)]))
    tile = tile_of(operator, tiling)
    assert tile.points * tiling.tiles == operator.points
    shape = operator.written.shape
    for index in range(tiling.tiles):
        assert written_by(operator, tile, tiling, index) == elements(shape, tiling, shape[0], index)


@given(st.integers(1, 12), st.sampled_from([1, 3, 5]), st.integers(1, 2), st.data())
def test_line_buffers_hold_the_rows_that_the_next_part_sees_again(rows, kernel, stride, data):
    operator = conv("c", "1.0", "2.0", size=rows, kernel=kernel, stride=stride, batch=1)
    out_rows = operator.dims["p"]
    parts = data.draw(st.sampled_from([n for n in range(1, out_rows + 1) if out_rows % n == 0]))
    tiling = Tiling("pixels", parts)
    height = out_rows // parts
    windows = [
        {stride * p + r - kernel // 2 for p in range(i * height, (i + 1) * height) for r in range(kernel)}
        for i in range(parts)
    ]
    again = max((len(one & following) for one, following in itertools.pairwise(windows)), default=0)
    image = operator.operand("input")
    link = Link(image, image)
    words = halo_bits(link, operator, tiling) / 32 / (image.shape[1] * image.shape[3])
    assert words >= again
    assert words == max(kernel - stride, 0)
    if parts > 1:
        span = max(max(window) - min(window) + 1 for window in windows)
        assert tile_of(operator, tiling).operand("input").shape[2] == min(rows, span)


def test_statistics_bind_the_rows_that_they_need():
    softmax = pointwise("s", (4, 6, 8), "1.0", "2.0", reduced=(2,))
    assert [n for n in range(1, 30) if agrees(softmax, Tiling("rows", n))] == [1, 2, 3, 4, 6, 8, 12, 24]
    batch_norm = pointwise("b", (4, 6, 8, 8), "1.0", "2.0", reduced=(0, 2, 3))
    assert [n for n in range(1, 300) if agrees(batch_norm, Tiling("rows", n))] == [1]
    assert not any(agrees(batch_norm, Tiling("pixels", n)) for n in range(1, 300))
    copy = pointwise("c", (4, 6, 8), "1.0", "2.0").model_copy(update={"primitive": "copy"})
    assert [n for n in range(1, 30) if agrees(copy, Tiling("rows", n))] == [1]
    relu = pointwise("r", (2, 6, 8, 8), "1.0", "2.0")
    assert [n for n in range(1, 40) if agrees(relu, Tiling("pixels", n))] == [2, 4, 8, 16]
