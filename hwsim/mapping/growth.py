"""Growing partial mappings through one node outwards: spatial loops, temporal loops, arrival at a memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwsim.mapping.frontier import Frontier
from hwsim.mapping.hierarchy import Array
from hwsim.mapping.lattice import Flags, Floats, total
from hwsim.mapping.problem import Integers
from hwsim.mapping.setting import Setting

OPERANDS = np.arange(3)


def seed(setting: Setting) -> Frontier:
    """The one mapping without loops: a single point at the compute unit, which latches nothing."""
    points = float(setting.problem.points)
    settled = np.zeros((1, setting.metrics))
    settled[0, -1] = points / setting.hierarchy.lanes  # of the compute unit; energy if there is no other metric
    settled[0, 0] = points * setting.hierarchy.compute_pj
    return Frontier(
        tile=np.zeros(1, np.int64), settled=settled, pending=np.zeros((1, 3, setting.metrics)),
        words=np.full((1, 3), points), carried=np.zeros((1, 3), np.int64),
        waiting=np.zeros((1, 3), bool), credit=np.zeros((1, setting.metrics)),
        parent=np.zeros(1, np.int64), choice=np.full(1, -1),
    )  # fmt: skip


def unroll(setting: Setting, frontier: Frontier, k: int, array: Array, origin: Integers, tile: Integers) -> Frontier:
    """Spread partial mappings ``origin`` over ``array``, node ``k``, so that all instances together cover ``tile``."""
    lattice, result = setting.lattice, setting.problem.result
    state = frontier.take(origin)
    spatial = lattice.points[tile] / lattice.points[state.tile]
    carried = state.words * np.array(array.hop_pj) * np.where(result == OPERANDS, 2.0, 1.0)
    pending, settled, credit = state.pending.copy(), state.settled.copy(), state.credit.copy()
    pending[:, :, 0] += np.where(state.waiting, carried, 0.0)
    settled[:, 0] += total(np.where(state.waiting, 0.0, carried))
    credit[:, 0] += array.hop_pj[result] * setting.totals[result]
    credit *= (lattice.irrelevant[tile, result] / lattice.irrelevant[state.tile, result])[:, None]
    factor = tile - state.tile  # flat indices add where tiles multiply
    carried = state.carried + np.where(array.shared, factor[:, None], 0)
    merged = lattice.footprint[carried, OPERANDS] / lattice.footprint[state.carried, OPERANDS] / spatial[:, None]
    share = np.where(setting.inside(k), spatial[:, None], 1.0)
    settled /= share
    if setting.passes is not None:
        settled[:, setting.passes] += array.pass_cycles * lattice.points[-1] / lattice.points[tile]
    return replace(
        state, tile=tile, settled=settled, pending=pending / share[:, None, :], credit=credit / share,
        words=state.words * np.where(array.shared, merged, 1.0), carried=carried,
        parent=origin, choice=np.full(len(tile), -1),
    )  # fmt: skip


def loop(setting: Setting, frontier: Frontier, k: int, origin: Integers, tile: Integers) -> Frontier:
    """Put temporal loops of memory ``k`` around partial mappings ``origin`` in every order that matters.

    The operand whose irrelevant dimensions run innermost stays in place meanwhile; of the others, those that no
    loop moves stay in place too, whatever the order.

    Parameters
    ----------
    tile
        What each covers with these loops, a multiple of its tile.
    """
    lattice, demanded = setting.lattice, setting.hierarchy.memory(k).stationary
    state = replace(frontier.take(origin), parent=origin)
    moved = lattice.relevant[tile] != lattice.relevant[state.tile]
    reuse = lattice.irrelevant[tile] / lattice.irrelevant[state.tile]
    state = replace(state, tile=tile)
    useful = (reuse > 1) & moved & state.waiting
    if demanded is not None:  # its order leaves others a choice where all loops move it, or none does
        useful &= (demanded == OPERANDS) | (reuse[:, [demanded]] == 1) | ~moved[:, [demanded]]
    parts = [_stay(state, moved, reuse, -1, ~useful.any(axis=1))]
    parts += [_stay(state, moved, reuse, operand, useful[:, operand]) for operand in range(3)]
    return Frontier.join(parts)


def _stay(state: Frontier, moved: Flags, reuse: Floats, operand: int, chosen: Flags) -> Frontier:
    """Partial mappings ``chosen`` with ``operand`` kept in place (-1 for none)."""
    state, moved, reuse = state.take(chosen), moved[chosen], reuse[chosen]
    divisor = np.where(state.waiting & ((operand == OPERANDS) | ~moved), reuse, 1.0)
    pending = state.pending / divisor[:, :, None]
    settles = (moved & state.waiting)[:, :, None]
    return replace(
        state, settled=state.settled + total(np.where(settles, pending, 0.0)),
        pending=np.where(settles, 0.0, pending), words=state.words / divisor, waiting=state.waiting & ~moved,
        choice=np.full(len(state), operand),
    )  # fmt: skip


def arrive(setting: Setting, state: Frontier, k: int) -> Frontier:
    """Pay memory ``k`` for the words that reach it, and begin those that fill it."""
    settled, pending, words = state.settled.copy(), state.pending.copy(), state.words.copy()
    carried = state.carried.copy()
    waiting, credit = state.waiting.copy(), state.credit.copy()
    outside = setting.lattice.points[-1] / setting.lattice.points[state.tile]
    for operand in setting.hierarchy.memory(k).held:
        cost, first = setting.word(k, operand, inward=True)
        paid = words[:, operand, None] * cost
        still = waiting[:, operand, None]
        settled += np.where(still, 0.0, paid)
        pending[:, operand] += np.where(still, paid, 0.0)
        if k > 0:
            fill, fill_first = setting.word(k, operand, inward=False)
            words[:, operand] = setting.lattice.footprint[state.tile, operand] * outside
            pending[:, operand] += words[:, operand, None] * fill
            carried[:, operand] = state.tile
            waiting[:, operand] = True
            first = first + fill_first
        credit += setting.totals[operand] * first
    return replace(
        state, settled=settled, pending=pending, words=words, carried=carried, waiting=waiting, credit=credit
    )
