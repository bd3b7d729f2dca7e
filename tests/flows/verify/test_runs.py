"""Runs reach the ends of an accumulator, and powers of two exactly."""

import numpy as np
import pytest

from flows.verify import runs, stimulus
from rtl.pe import CATALOG, find
from rtl.pe.element import Accumulator

SMALL = ["int2_mac_sat", "int4_mac", "shift2_sat", "adder2_sat", "matadd2_sat", "fusible4", "serial4", "psg4x6"]


def pe_of(name: str) -> Accumulator:
    pe = find(name)
    assert isinstance(pe, Accumulator)
    return pe


def last(pe: Accumulator, run: runs.Columns) -> int:
    terms = pe.terms(**run)
    exact = int(terms.sum())
    if "rest" not in run:
        assert int(pe.compute(np.arange(len(terms)) == 0, **run)["acc"][-1]) == exact
    return exact


@pytest.mark.parametrize("name", SMALL)
def test_a_landing_is_a_power_of_two_or_an_end(name: str) -> None:
    pe = pe_of(name)
    top = 1 << (pe.accumulator - 1)
    reached = {last(pe, run) for run in runs.landings(pe, stimulus._corner_rows(pe))}
    powers = {sign << exponent for exponent in range(pe.accumulator - 1) for sign in (1, -1)}
    assert reached <= powers | {top - 1, -top}
    assert -top in reached
    assert (top - 1 in reached) or name in {"adder2_sat", "psg4x6"}  # no positive terms, and steps of 32
    assert len(reached & powers) >= pe.accumulator - 2


@pytest.mark.parametrize("name", SMALL)
def test_an_overflowing_run_passes_an_end_and_not_before_its_last_beats(name: str) -> None:
    pe = pe_of(name)
    top = 1 << (pe.accumulator - 1)
    found = runs.overflowing(pe, stimulus._corner_rows(pe))
    assert found
    for run in found:
        sums = np.cumsum(pe.terms(**run))
        if sums[-1]:
            assert not -top <= sums[-1] < top
            assert -top <= sums[-3] < top


@pytest.mark.parametrize("name", CATALOG)
def test_runs_are_short(name: str) -> None:
    pe = find(name)
    if isinstance(pe, Accumulator):
        rows = stimulus._corner_rows(pe)
        lengths = [len(next(iter(run.values()))) for run in runs.overflowing(pe, rows) + runs.landings(pe, rows)]
        assert max(lengths) <= runs.LONGEST_RUN
        assert sum(lengths) < 3000
