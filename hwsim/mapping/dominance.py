"""Dropping partial mappings that another one of the same tile cannot fall behind.

Whatever loops are added outside, costs grow with every entry of a partial mapping's cost vectors and with the words
it moves. Of two that cover the same tile and wait for the same reuse, one that is nowhere greater is never worse. The
same holds if one covers the mirror image of the other's tile, because whatever is added outside can be mirrored too.
"""

from __future__ import annotations

import numpy as np

from hwsim.mapping.frontier import Frontier
from hwsim.mapping.problem import Integers

ROUNDS = 12  # best partial mappings of a tile that the others are compared with


def undominated(frontier: Frontier, mirror: Integers) -> Integers:
    """Positions of partial mappings that are worth growing; keeps a few too many rather than one too few.

    Parameters
    ----------
    mirror
        Mirror image of every tile, see `hwsim.mapping.symmetry`.
    """
    n = len(frontier)
    costs = np.concatenate(
        [frontier.settled, frontier.pending.reshape(n, -1), frontier.words, -frontier.credit], axis=1
    )
    costs = costs[:, np.ptp(costs, axis=0) > 0]
    group = _groups(frontier, mirror)
    score = (costs / np.maximum(np.abs(costs).max(axis=0, initial=0.0), 1.0)).sum(axis=1)
    alive = np.lexsort((score, group))
    finished = []
    for _ in range(ROUNDS):
        first = np.flatnonzero(np.diff(group[alive], prepend=-1))
        leaders = alive[first]
        finished.append(leaders)
        leader = np.repeat(leaders, np.diff(first, append=len(alive)))
        beaten = (costs[leader] <= costs[alive]).all(axis=1)  # a leader beats itself, and is finished
        alive = alive[~beaten]
        if not len(alive):
            break
    return np.sort(np.concatenate([*finished, alive]))


def _groups(frontier: Frontier, mirror: Integers) -> Integers:
    """A number for every partial mapping, equal where what lies outside treats two alike."""
    tiles = _one_of_mirrored(np.stack([frontier.tile, *frontier.carried.T]), mirror)
    group: Integers = tiles[0]
    for column in (*tiles[1:], frontier.waiting @ np.array([1, 2, 4])):
        if not np.array_equal(column, group):
            _, group = np.unique(group, return_inverse=True)
            group = group * (int(column.max(initial=0)) + 1) + column
    return group


def _one_of_mirrored(tiles: Integers, mirror: Integers) -> Integers:
    """The tiles of each partial mapping, shape (tiles, n), or their mirror images, whichever come first in order."""
    images = mirror[tiles]
    differs = np.argmax(images != tiles, axis=0)[None]
    earlier = np.take_along_axis(images, differs, 0) < np.take_along_axis(tiles, differs, 0)
    return np.where(earlier, images, tiles)
