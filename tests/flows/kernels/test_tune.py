"""The database of traces keeps the best; a search gives a schedule that computes the same."""

import pytest

from flows.kernels.kernel import Shape
from flows.kernels.registry import find
from flows.kernels.run import run
from flows.kernels.tune import Trace, load, store, tune
from hwsim.errors import InputError

SHAPE = Shape(m=16, k=8, n=32)


def trace(best_s):
    return Trace(
        kernel="adder", shape=str(SHAPE), device_name="", trials=1, failed=0, best_s=best_s, by_hand_s=1.0, trace=[[], []]
    )  # fmt: skip


def test_only_a_faster_trace_replaces_another(tmp_path):
    kernel = find("adder")
    for best_s in (2.0, 3.0):
        store(trace(best_s), kernel, SHAPE, tmp_path)
        assert load(kernel, SHAPE, tmp_path).best_s == 2.0
    store(trace(1.0), kernel, SHAPE, tmp_path)
    assert load(kernel, SHAPE, tmp_path).best_s == 1.0


def test_a_missing_trace_is_an_error(tmp_path):
    words = r"^database: must have a trace of adder 16x8x32: hwsim kernels tune makes one, not '.*'$"
    with pytest.raises(InputError, match=words):
        load(find("adder"), SHAPE, tmp_path)


@pytest.mark.slow
def test_a_schedule_that_was_found_equals_numpy():
    pytest.importorskip("tvm", reason="needs the extra tvm", exc_type=ImportError)
    kernel = find("adder")
    found = tune(kernel, SHAPE, trials=2, seed=0, timeout_s=900)
    a, stored = kernel.random(SHAPE, seed=0)
    assert kernel.check(run(kernel, a, stored, trace=found.trace), a, stored) == 0
