"""A walk reaches the ends of a predictor, and its probes tell a magnitude from any other."""

from pathlib import Path

import numpy as np
import pytest

from flows.verify import far
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


def _fit(pe: PredictiveSignPE, value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return min(max(value, -half), half - 1) if pe.overflow == "saturate" else int(wrap(np.asarray(value), bits))
