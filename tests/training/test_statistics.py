"""Measured words against counts made one by one, and their merging."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim import formats
from hwsim.errors import InputError
from hwsim.training import log
from hwsim.training.measure import check_format, measure
from hwsim.training.statistics import StepStatistics, TensorStatistics, key, with_densities
from hwsim.workload import Workload
from hwsim.workload.contraction import matmul
from tests.workload.importers.mutation import mutated

FORMATS = ("int8", "int3", "pow2z_4", "bf16", "fp8_e4m3", "fp32")
numbers = st.sampled_from([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan]) | st.floats(-1e3, 1e3, width=32)


@st.composite
def word_runs(draw):
    runs, words = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    values = draw(st.lists(numbers, min_size=runs * words, max_size=runs * words))
    return np.array(values, np.float32).reshape(runs, words)


def naive(words, name):
    """Return what `measure` should, one word after the other."""
    finite = [float(x) for x in words.flat if np.isfinite(x)]
    peak = max(map(abs, finite), default=0.0)
    kind, bits = formats.parse(name).kind, formats.parse(name).bits
    scale = {"int": 2 ** (bits - 1) - 1, "pow2z": 1}.get(kind)

    def code(x):
        x = 0.0 if np.isnan(x) else float(np.clip(x, -peak, peak))
        return int(formats.encode(x / peak * scale if scale and peak else x, name, saturate=True))

    toggles, pairs, zeros = [0] * bits, 0, 0
    for run in words:
        codes = [code(x) for x in run]
        zeros += sum(formats.decode(c, name) == 0 for c in codes)
        for one, other in pairwise(codes):
            pairs += 1
            for bit in range(bits):
                toggles[bit] += (one >> bit & 1) != (other >> bit & 1)
    return TensorStatistics(
        words=words.size, zeros=sum(x == 0 for x in words.flat), nonfinite=words.size - len(finite),
        minimum=min(finite, default=None), maximum=max(finite, default=None), pairs=pairs, toggles=tuple(toggles),
        quantised_zeros=int(zeros),
    )  # fmt: skip


@settings(deadline=None)
@given(word_runs(), st.sampled_from(FORMATS))
def test_measured_words_are_those_counted_one_by_one(words, name):
    assert measure(words, name) == naive(words, name)


def test_a_stream_by_hand():
    known = measure(np.array([[127.0, 0.0, -1.0, 0.3]]), "int8")  # 0x7f, 0x00, 0xff, 0x00
    assert known.toggles == (3, 3, 3, 3, 3, 3, 3, 2)
    assert (known.words, known.zeros, known.quantised_zeros, known.pairs) == (4, 1, 2, 3)
    assert (known.density, known.zero_share, known.toggle_rate) == (0.75, 0.5, 23 / 24)
    assert known.bit_toggle_rates == (1,) * 7 + (2 / 3,)
    assert (known.minimum, known.maximum) == (-1, 127)


def test_one_word_has_no_toggles():
    known = measure(np.ones((1, 1)), "int8")
    assert (known.pairs, known.toggle_rate, known.bit_toggle_rates) == (0, 0, (0,) * 8)


@settings(deadline=None)
@given(word_runs(), word_runs())
def test_merging_is_exact(one, other):
    """Floats have no scale, so that runs measured together or apart have the same codes."""
    if one.shape[1] == other.shape[1]:
        one, other = np.where(np.isinf(one), 0, one), np.where(np.isinf(other), 0, other)
        together = measure(np.concatenate([one, other]), "bf16")
        assert measure(one, "bf16").merged(measure(other, "bf16")) == together
        assert measure(other, "bf16").merged(measure(one, "bf16")) == together


@pytest.mark.parametrize("name", ["uint8", "fixed8_4", "bin", "e8m0", "complex64", "int1"])
def test_formats_that_values_cannot_be_quantised_to(name):
    message = r"^must be a format of integers \(intN\), powers of two \(pow2z_N\) or floats, not "
    with pytest.raises(InputError, match=message):
        check_format(name)


def workload():
    operator = matmul("m", rows=4, inner=2, columns=3, tensors=("1.0", "2.0", "3.0"))
    return Workload(name="w", operators=(operator,))


def test_measured_densities_reach_the_operands():
    step = StepStatistics(format="int8")
    step = step.with_step({key("1.0", 8): measure(np.array([[1.0, 0, 0, 0, 1, 1, 0, 0]]), "int8")})
    step = step.with_step({key("1.0", 8): measure(np.ones((1, 8)), "int8"), key("3.0", 12): measure(np.zeros((1, 12)), "int8")})
    (operator,) = with_densities(workload(), step).operators
    assert [(o.density, o.density_structure) for o in operator.operands] == [
        (11 / 16, "random"), (1, "dense"), (1 / 12, "random"),
    ]  # fmt: skip
    assert operator.signature != workload().operators[0].signature
    assert step.steps == 2
    assert step.of(operator.operand("input")).words == 16
    assert step.of(operator.operand("weight")) is None
    assert with_densities(workload(), None) == workload()


def test_statistics_are_read_back(tmp_path):
    writer = log.LogWriter(tmp_path, log.Header(schema="hwsim/run/1", name="n", model="Net", hwsim="0", torch="0", created="now"))
    step = StepStatistics(format="int8", unmatched=1).with_step({"1.0/2": measure(np.array([[np.nan, 2.0]]), "int8")})
    writer.statistics(3, step)
    writer.close()
    assert log.read_statistics(tmp_path, 3) == step
    assert log.read_statistics(tmp_path, 2) is None
    log.erase(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "hwsim/statistics/2"}, r"schema: must be 'hwsim/statistics/1', not 'hwsim/statistics/2'$"),
        ({"format": "int7"}, r"1\.0/2 must count toggles of the 7 bits of int7, not "),
        ({"tensors": {"x": {"words": 1, "zeros": 2, "pairs": 0, "toggles": [0] * 8, "quantised_zeros": 0}}},
         r"tensors\.x: zeros, quantised_zeros and nonfinite must not exceed the 1 words, not "),
        ({"tensors": {"x": {"words": 1, "zeros": 0, "pairs": 0, "toggles": [1] * 8, "quantised_zeros": 0}}},
         r"tensors\.x: toggles of a bit must not exceed the 0 pairs, not "),
    ],
)  # fmt: skip
def test_damaged_statistics_are_named(tmp_path, change, message):
    step = StepStatistics(format="int8").with_step({"1.0/2": measure(np.array([[1.0, 2.0]]), "int8")})
    path = tmp_path / "statistics" / "0.json"
    path.parent.mkdir()
    path.write_text(json.dumps(json.loads(step.model_dump_json(by_alias=True)) | change))
    with pytest.raises(InputError, match=rf"0\.json: {message}"):
        log.read_statistics(tmp_path, 0)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_damaged_files_give_statistics_or_the_documented_error(tmp_path, seed):
    step = StepStatistics(format="int8").with_step({"1.0/2": measure(np.array([[1.0, np.nan]]), "int8")})
    path = tmp_path / "statistics" / "0.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(mutated(step.model_dump_json(by_alias=True).encode(), seed))
    tensors, message = {}, str(path)
    try:
        tensors = log.read_statistics(tmp_path, 0).tensors
    except InputError as error:
        message = str(error)
    assert str(path) in message
    assert all(0 <= known.density <= 1 and 0 <= known.toggle_rate <= 1 for known in tensors.values())
