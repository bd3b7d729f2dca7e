"""Sums that bring a register to where its defects show: past its ends, exactly to a limit, far from its seed.

Random beats neither fill an accumulator nor meet one number among thousands. A run repeats the beat of the largest
term; a *landing* ends it with beats that make up the difference to a power of two or to the end of the accumulator.
They also seed a shift register so often that most of its bits never reach a tap, which a *walk* lets them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl.pe.element import Accumulator
from rtl.pe.ternary import TernaryAddPE

Columns = dict[str, NDArray[Any]]

LONGEST_RUN = 600
"""Beats after which an accumulator that has not overflowed counts as one that simulation cannot fill."""

LONGEST_LANDING = 64
"""Beats of a landing on a power of two that is not the accumulator's end."""

_WALKS = 6


def overflowing(pe: Accumulator, rows: Columns) -> list[Columns]:
    """Return for each sign the beat of the largest term, repeated until the sum overflows, if `LONGEST_RUN` does.

    Parameters
    ----------
    pe
        Whose accumulator.
    rows
        Beats to choose from, one column per operand.
    """
    rows, terms = _own(pe, rows)
    found = []
    for row in (int(np.argmin(terms)), int(np.argmax(terms))):
        room = (1 << (pe.accumulator - 1)) - (terms[row] > 0)
        length = int(room // max(abs(int(terms[row])), 1)) + 2
        if length <= LONGEST_RUN:
            found.append({name: np.full(length, column[row]) for name, column in rows.items()})
    return found


def landings(pe: Accumulator, rows: Columns) -> list[Columns]:
    """Return sums of beats of ``rows`` that end exactly at a power of two, its opposite, or the accumulator's ends."""
    rows, terms = _own(pe, rows)
    index = {int(term): row for row, term in enumerate(terms.tolist())}
    found = []
    for target in _targets(pe.accumulator):
        end = target in {-(1 << (pe.accumulator - 1)), (1 << (pe.accumulator - 1)) - 1}
        chosen = [index[step] for step in _steps(target, index, LONGEST_RUN if end else LONGEST_LANDING)]
        if chosen:
            found.append({name: column[chosen] for name, column in rows.items()})
    return found


def walks(pe: TernaryAddPE, generator: np.random.Generator) -> list[Columns]:
    """Return sums whose signs all come from one seed, each twice as many as the shift register has bits."""
    length = 2 * pe.lfsr_bits
    half = 1 << (pe.x_bits - 1)
    return [
        {
            "x": generator.integers(-half, half, length),
            "keep": np.ones(length, np.int64),
            "reseed": (np.arange(length) == 0).astype(np.int64),
            "seed": generator.integers(0, 1 << pe.lfsr_bits, length),
        }
        for _ in range(_WALKS)
    ]


def _targets(bits: int) -> list[int]:
    powers = [1 << exponent for exponent in range(bits - 1)]
    return [*powers, (1 << (bits - 1)) - 1, *(-power for power in powers), -(1 << (bits - 1))]


def _steps(target: int, terms: dict[int, int], most: int) -> list[int]:
    """At most ``most`` terms that sum to ``target``: the largest of its sign, then up to two others; else none."""
    largest = max(terms) if target > 0 else min(terms)
    count = target // largest if largest * target > 0 else most
    if count + 2 > most:
        return []
    for less in range(min(count, 2) + 1):
        rest = target - (count - less) * largest
        if not rest:
            return [largest] * (count - less)
        if rest in terms:
            return [*[largest] * (count - less), rest]
        same = (term for term in terms if term * target > 0 and (rest - term) * target > 0)  # never past the target
        pair = next((term for term in same if rest - term in terms), None)
        if pair is not None:
            return [*[largest] * (count - less), pair, rest - pair]
    return []


def _own(pe: Accumulator, rows: Columns) -> tuple[Columns, NDArray[Any]]:
    """Rows whose term depends on nothing but themselves, and their terms."""
    if "reseed" in rows:  # a regenerated sign
        rows = {name: column[rows["reseed"] == 1] for name, column in rows.items()}
    return rows, pe.terms(**rows)
