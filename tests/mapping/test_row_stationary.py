"""The vectorised enumeration against a naive walk over all integer factorizations."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.mapping.row_stationary import Limits, Nest, factorizations, tilings, why_none

sizes = st.integers(1, 12)


def naive_factorizations(number, parts):
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    return {tiles for tiles in itertools.product(divisors, repeat=parts) if math.prod(tiles) == number}


def naive_tilings(nest, limits):
    """The constraint table of ShiftAddNAS, one candidate at a time."""

    def fits(need, size):
        return need < size if limits.strict else need <= size

    for (n0, n3), (m0, m1, m2, m3), (c0, c1, c2), (e1, e3) in itertools.product(
        naive_factorizations(nest.n, 2), naive_factorizations(nest.m, 4),
        naive_factorizations(nest.c, 3), naive_factorizations(nest.e, 2),
    ):  # fmt: skip
        rows = (e1 - 1) * nest.stride[0] + nest.dilation[0] * (nest.r - 1) + 1
        columns = (nest.f - 1) * nest.stride[1] + nest.dilation[1] * (nest.s - 1) + 1
        if (
            m0 <= limits.output_words
            and fits(m1 * c1 * e1 * nest.r, limits.processing_elements)
            and fits(c0 * nest.s, limits.input_words)
            and fits(m0 * c0 * nest.s, limits.weight_words)
            and fits(n0 * c1 * c0 * rows * columns + n0 * m2 * m1 * m0 * e1 * nest.f, limits.buffer_words)
            and (nest.is_fully_connected or not limits.spread_rows or e1 != 1)
        ):
            yield n0, n3, m0, m1, m2, m3, c0, c1, c2, e1, e3


nests = st.builds(
    Nest, n=sizes, m=sizes, c=sizes, e=st.integers(1, 6), f=st.integers(1, 6), r=st.integers(1, 3),
    s=st.integers(1, 3), h=st.integers(1, 8), w=st.integers(1, 8), stride=st.just((1, 1)) | st.just((2, 1)),
    dilation=st.just((1, 1)) | st.just((1, 2)),
)  # fmt: skip
limit_sets = st.builds(
    Limits, processing_elements=st.integers(1, 40), input_words=st.integers(1, 12), weight_words=st.integers(1, 64),
    output_words=st.integers(1, 8), buffer_words=st.integers(1, 400), strict=st.booleans(), spread_rows=st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(nests, limit_sets)
def test_enumerates_exactly_the_legal_tilings(nest, limits):
    found = tilings(nest, limits)
    listed = [tuple(found.factors(i).values()) for i in range(len(found))]
    assert len(set(listed)) == len(listed)
    assert set(listed) == set(naive_tilings(nest, limits))


@settings(max_examples=150, deadline=None)
@given(nests, limit_sets)
def test_a_reason_is_given_exactly_when_nothing_fits(nest, limits):
    reason = why_none(nest, limits)
    if "smallest tile needs" in reason or "single output row" in reason:
        assert not list(naive_tilings(nest, limits))


@pytest.mark.parametrize(("number", "parts"), [(1, 3), (12, 2), (60, 4), (97, 3), (64, 4)])
def test_factorizations_are_complete(number, parts):
    rows = [tuple(row) for row in factorizations(number, parts).tolist()]
    assert len(rows) == len(set(rows))
    assert set(rows) == naive_factorizations(number, parts)


def test_first_factors_come_by_descending_exponent_of_each_prime():
    assert factorizations(12, 2)[:, 0].tolist() == [12, 4, 6, 2, 3, 1]


def published_filter(tiles, bound):
    """The published loop, which removes items from the list it walks."""
    tiles = list(tiles)
    for tile in tiles:
        if tile[0] > bound:
            tiles.remove(tile)
    return tiles


@pytest.mark.parametrize("m", [30, 64, 96, 2048, 77])
def test_the_published_filter_of_output_tiles_is_reproduced(m):
    limits = Limits(1 << 40, 1 << 40, 1 << 40, 32, 1 << 40, unfiltered_outputs_above=16)
    found = tilings(Nest(1, m, 1), limits)
    ours = [tuple(found.factors(i)[name] for name in ("m0", "m1", "m2", "m3")) for i in range(len(found))]
    kept = published_filter([tuple(row) for row in factorizations(m, 4).tolist()], 16)
    assert ours == [tile for tile in kept if tile[0] <= 32]


def test_reason_names_the_limit():
    limits = Limits(168, 12, 960, 16, 65536)
    assert why_none(Nest(1, 64, 3, e=14, f=14, r=16, s=16, h=224, w=224, stride=(16, 16)), limits) == (
        "the smallest tile needs 16 input words in the register file; 12 are there"
    )
