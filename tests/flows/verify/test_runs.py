"""Runs reach the ends of an accumulator, and powers of two exactly; walks shift every bit of a seed out."""

import numpy as np
import pytest

from flows.verify import runs, stimulus
from rtl.pe import CATALOG, find
from rtl.pe.element import Accumulator
from rtl.pe.ternary import TernaryAddPE

SMALL = ["int2_mac_sat", "int4_mac", "shift2_sat", "adder2_sat", "matadd2_sat", "fusible4", "serial4", "psg4x6"]


def pe_of(name: str) -> Accumulator:
    pe = find(name)
    assert isinstance(pe, Accumulator)
    return pe


def rows_of(pe: Accumulator) -> runs.Columns:
    """Corner beats; those of a predictor only, where there is one."""
    rows = stimulus._corner_rows(pe)
    return {name: column[rows["rest"] == 0] for name, column in rows.items()} if "rest" in rows else rows


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
    reached = {last(pe, run) for run in runs.landings(pe, rows_of(pe))}
    powers = {sign << exponent for exponent in range(pe.accumulator - 1) for sign in (1, -1)}
    assert reached <= powers | {top - 1, -top}
    assert -top in reached
    assert (top - 1 in reached) or name in {"adder2_sat", "psg4x6"}  # no positive terms, and steps of 32
    assert len(reached & powers) >= pe.accumulator - 2


@pytest.mark.parametrize("name", SMALL)
def test_an_overflowing_run_passes_an_end_and_not_before_its_last_beats(name: str) -> None:
    pe = pe_of(name)
    top = 1 << (pe.accumulator - 1)
    found = runs.overflowing(pe, rows_of(pe))
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
        rows = rows_of(pe)
        lengths = [len(next(iter(run.values()))) for run in runs.overflowing(pe, rows) + runs.landings(pe, rows)]
        assert max(lengths) <= runs.LONGEST_RUN
        assert sum(lengths) < 3000


@pytest.mark.parametrize("name", ["ternary8", "ternary4_piped", "ternary16"])
def test_walks_take_every_sign_from_their_seed_until_each_of_its_bits_has_mattered(name: str) -> None:
    pe = find(name)
    assert isinstance(pe, TernaryAddPE)
    for walk in runs.walks(pe, np.random.default_rng(1)):
        assert walk["reseed"].tolist() == [1] + [0] * (2 * pe.lfsr_bits - 1)
        assert walk["keep"].all()
        seed = int(walk["seed"][0])
        for bit in range(pe.lfsr_bits):
            other = {**walk, "seed": np.full_like(walk["seed"], seed ^ (1 << bit)), "x": np.ones_like(walk["x"])}
            assert (pe.terms(**other) != pe.terms(**{**other, "seed": walk["seed"]})).any()
