"""Thresholds of predicted signs lie where the predictor ends, and every sum takes both of its passes."""

import itertools

import numpy as np
import pytest

from flows.verify import sign_stimulus, stimulus
from rtl.pe import find
from rtl.pe.predictive import PredictiveSignPE


@pytest.mark.parametrize("name", ["psg4x6", "psg8x16", "psg8_sat"])
def test_most_thresholds_are_at_or_beside_what_the_predictor_reaches(name: str) -> None:
    pe, generator = find(name), np.random.default_rng(1)
    assert isinstance(pe, PredictiveSignPE)
    half_x, half_g = 1 << (pe.x_bits - 1), 1 << (pe.g_bits - 1)
    beats = {
        "x": generator.integers(-half_x, half_x, 600), "g": generator.integers(-half_g, half_g, 600),
        "rest": np.zeros(600, np.int64), "threshold": np.zeros(600, np.int64),
    }  # fmt: skip
    met, starts = sign_stimulus.meeting(pe, beats, generator)
    edges = [*np.flatnonzero(starts), len(starts)]
    beside, seen = 0, []
    for begin, end in itertools.pairwise(edges):
        middle = (begin + end) // 2
        assert (met["rest"][begin:end] == np.repeat([0, 1], middle - begin)).all()
        assert (met["x"][begin:middle] == met["x"][middle:end]).all()
        assert len(set(met["threshold"][begin:end])) == 1
        reached = abs(int(np.sum(pe.high_terms(met["x"][begin:middle], met["g"][begin:middle]))))
        beside += abs(int(met["threshold"][begin]) - reached) <= 1
        seen += met["x"][begin:middle].tolist()
    assert seen == beats["x"].tolist()
    assert beside > 0.6 * starts.sum()
    sure = pe.compute(starts, **met)["sure"]
    assert 0.2 < sure.mean() < 0.8


def test_the_full_sum_passes_both_ends_and_meets_them() -> None:
    pe = find("psg8_sat")
    assert isinstance(pe, PredictiveSignPE)
    found = sign_stimulus.limits(pe, stimulus._corner_rows(pe), np.random.default_rng(1))
    sums, exact = [], []
    for run in found:
        starts = np.arange(len(run["x"])) == 0
        results = pe.compute(starts, **run)
        unsure = results["sure"] == 0
        sums += results["acc"][unsure].tolist()
        exact += np.cumsum(pe.terms(**run))[unsure].tolist()
    top = 1 << (pe.accumulator - 1)
    assert {top - 1, -top} <= set(sums)
    assert max(exact) > top
    assert min(exact) < -top


def test_one_beat_of_the_second_pass_meets_each_threshold_at_the_predictor() -> None:
    pe = find("psg8x16")
    assert isinstance(pe, PredictiveSignPE)
    found = sign_stimulus.limits(pe, stimulus._corner_rows(pe), np.random.default_rng(1))
    met = [run for run in found if (run["threshold"] < (1 << pe.predictor_bits) - 1).all() and not run["rest"][0]]
    assert len(met) > 10
    assert all(run["rest"].tolist() == [0] * (len(run["rest"]) - 1) + [1] for run in met)
