"""Dropped partial mappings against a comparison of each with every other."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.mapping.dominance import ROUNDS, undominated
from hwsim.mapping.frontier import Frontier


def frontier(rng, count):
    few = lambda *shape: rng.integers(0, 3, shape).astype(float)  # noqa: E731 (ties and dominance are common)
    tile = rng.integers(0, 2, count)
    return Frontier(
        tile=tile, settled=few(count, 2), pending=few(count, 3, 2) * rng.integers(0, 2, (1, 3, 1)), words=few(count, 3) * 0 + 5,
        carried=np.stack([tile, tile, rng.integers(0, 2, count)], axis=-1), waiting=rng.integers(0, 2, (count, 3)) > 0,
        credit=few(count, 2), parent=np.arange(count), choice=np.full(count, -1),
    )  # fmt: skip


def place(one, i, mirror):
    tiles = (one.tile[i], *one.carried[i])
    return min(tiles, tuple(mirror[list(tiles)])), tuple(one.waiting[i])


def costs(one, i):
    return np.concatenate([one.settled[i], one.pending[i].ravel(), one.words[i], -one.credit[i]])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.booleans())
def test_what_is_dropped_has_one_of_its_tile_or_its_mirror_image_that_is_nowhere_worse(seed, count, exchange):
    one = frontier(np.random.default_rng(seed), count)
    mirror = np.array([1, 0] if exchange else [0, 1])
    kept = set(undominated(one, mirror).tolist())
    for i in range(count):
        better = [j for j in range(count) if j != i and place(one, j, mirror) == place(one, i, mirror) and (costs(one, j) <= costs(one, i)).all()]
        if i not in kept:
            assert kept & set(better)
        elif len([j for j in range(count) if place(one, j, mirror) == place(one, i, mirror)]) <= ROUNDS:
            assert not kept & {j for j in better if (costs(one, j) < costs(one, i)).any()}
