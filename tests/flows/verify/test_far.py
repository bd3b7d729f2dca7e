"""A walk reaches the ends of a predictor, and its probes tell a magnitude from any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.verify import design, far, mutation, stimulus
from flows.verify.checks import SEED, TIERS
from flows.verify.simulate import simulate
from rtl.pe import find
from rtl.pe.element import wrap
from rtl.pe.predictive import PredictiveSignPE


def _find(name: str) -> PredictiveSignPE:
    pe = find(name)
    assert isinstance(pe, PredictiveSignPE)
    return pe


@pytest.mark.parametrize("name", ["psg4x6", "psg8x16"])
def test_the_predictor_passes_both_of_its_ends(name: str) -> None:
    pe = _find(name)
    beats, held = far.walk(pe)
    high = np.where(beats.operands["rest"], 0, pe.high_terms(beats.operands["x"], beats.operands["g"])) * held
    starts = np.flatnonzero(beats.first)
    assert len(starts) == 2
    assert (held[starts] == 1).all()  # a beat that starts a sum and is held would start it again and again
    sums = [int(high[starts[0] : starts[1]].sum()), int(high[starts[1] :].sum())]
    half = 1 << (pe.predictor_bits - 1)
    assert sums[0] >= half
    assert sums[1] < -half


@pytest.mark.parametrize("name", ["psg4x6", "psg8_sat"])
def test_results_are_those_of_beats_that_are_not_held(name: str) -> None:
    pe = _find(name)
    beats, held = far.walk(pe)
    predictor = rest = 0
    for index in range(len(beats)):
        x, g, second, threshold = (int(beats.operands[port][index]) for port in ("x", "g", "rest", "threshold"))
        for _ in range(int(held[index])):
            if beats.first[index]:
                predictor = rest = 0
            high = (x >> (pe.x_bits - pe.x_high)) * (g >> (pe.g_bits - pe.g_high))
            if not second:
                predictor = _fit(pe, predictor + high, pe.predictor_bits)
            elif abs(predictor) < threshold:
                rest = _fit(pe, rest + x * g - (high << pe.dropped), pe.accumulator)
        sure = abs(predictor) >= threshold
        scaled = predictor << pe.dropped
        assert beats.results["sure"][index] == sure
        assert beats.results["acc"][index] == (scaled if sure else _fit(pe, scaled + rest, pe.accumulator))


def test_a_probe_is_sure_exactly_at_its_magnitude() -> None:
    beats, _ = far.walk(_find("psg8x16"))
    assert beats.results["sure"][beats.last].tolist() == [1, 0, 0] * (int(beats.last.sum()) // 3)
    magnitudes = set(beats.operands["threshold"][beats.last].tolist())
    assert all(any(value >> bit & 1 for value in magnitudes) for bit in range(3, 30))  # the lowest ones show in short sums


def test_other_processing_elements_are_not_walked(tmp_path: Path) -> None:
    assert far.survivors(find("int8_mac"), tmp_path / "none.v", [3, 5], tmp_path) == [3, 5]


LEFT_OVER = {
    "fp16_mac: no shorter sum than 65,600 of the largest products reaches 2**48, where it shows": (
        [0x7BFF, 0x7BFF, 0], [0x7BFF, 0x7BFF, 0], [1, 65_700, 1],
        "-mode cnot0 -cell $sub$pe.v:980$144 -port Y -portbit 6 -ctrlbit 9 -wire \\$23 -wirebit 6",
    ),
    "fp16_mac_piped: a subnormal power of two, times one, is a sum of its own": (
        [0x0040], [0x3C00], [1], "-mode inv -cell $reduce_or$pe.v:849$3 -port A -portbit 30",
    ),
}  # fmt: skip
"""Mutants that survive the full tier and are no equivalents: operands, the cycles that each is held, the mutant."""


@pytest.mark.slow
@pytest.mark.parametrize("case", LEFT_OVER)
def test_a_mutant_that_the_full_tier_leaves_is_betrayed_by_beats_of_its_own(case: str, tmp_path: Path) -> None:
    x, w, held, mutant = LEFT_OVER[case]
    pe = find(case.partition(":")[0])
    made = mutation.mutate(design.emit(pe.create(), tmp_path / "pe.v"), TIERS["full"].mutants, SEED, tmp_path)
    place, ends = np.arange(len(x)), np.cumsum(held) - 1
    rows = stimulus.annotate(
        pe, {"x": np.asarray(x), "w": np.asarray(w)}, place == 0, place == place[-1], np.random.default_rng(0)
    )
    every = {name: np.repeat(column, held) for name, column in rows.operands.items()}
    results = pe.compute(np.arange(sum(held)) == 0, **every)
    rows = replace(rows, results={name: column[ends] for name, column in results.items()})
    told = {"mutants": [0, made.names.index(mutant) + 1], "held": held}
    report = simulate(pe, rows, [made.verilog], tmp_path, bench="flows.verify.far_bench", extra=told)
    assert report["survivors"] == [0]


def _fit(pe: PredictiveSignPE, value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return min(max(value, -half), half - 1) if pe.overflow == "saturate" else int(wrap(np.asarray(value), bits))
