"""Throughputs and runs that the GPU model was not fitted on: as near as the page says, and ranked right."""

from statistics import median

import pytest

import hwsim
from benchmarks.validation import mlperf
from benchmarks.validation.steps import DEVICES, measurements, predict, steps, workload
from benchmarks.validation.throughput import gpu_called, throughputs
from hwsim.gpu.behaviour import behaviour

CHIPS = ("rtx8000", "rtx-a6000")
"""Boards with the chips of the RTX 6000 and the A40, whose traces are kept aside."""


def test_throughputs_that_check() -> None:
    rows = [row for row in throughputs() if row.use == "check"]
    errors = {row: abs(row.predicted(behaviour(gpu_called(row.gpu).fit)) / row.samples_per_s - 1) for row in rows}
    assert median(errors.values()) <= 0.15
    assert max(error for row, error in errors.items() if row.gpu in CHIPS) <= 0.2
    assert {row.gpu for row in throughputs() if row.use == "fit"} == {"v100-sxm2", "a100"}


@pytest.mark.parametrize(
    ("decoder", "samples", "measured"),
    [(mlperf.LLAMA_70B, 1, mlperf.LORA), (mlperf.GPT3_175B, 2048, mlperf.GPT3)],
)
def test_language_models_on_nodes(decoder: mlperf.Decoder, samples: int, measured: mlperf.Measured) -> None:
    run = mlperf.predicted_decoder(decoder, samples, measured)
    assert 1 / run.samples_per_s == pytest.approx(1 / measured.run.samples_per_s, rel=0.2)


@pytest.mark.parametrize(("device", "time", "energy"), [("h200", 0.1, 0.1), ("h100-sxm", 0.15, 0.12)])
def test_steps_of_hopper_boards(device: str, time: float, energy: float) -> None:
    """The H100 took no part in the fit."""
    gpu = gpu_called(device)
    found = [(row, predict(row, gpu, behaviour(gpu.fit))) for row in steps(device).rows]
    assert len(found) >= 32
    assert median(abs(one.time_s / row.median_s - 1) for row, one in found) <= time
    assert median(abs(one.energy_j / row.energy_j - 1) for row, one in found) <= energy


@pytest.mark.parametrize(
    ("network", "batch", "precision"),
    [("resnet50", 256, "autocast-bf16"), ("gpt2_small", 2, "autocast-bf16"), ("vit_b_16", 1, "bf16")],
)
def test_steps_are_predicted_as_they_are_scored(network: str, batch: int, precision: str) -> None:
    rows = (row for row in steps("h200").rows if (row.network, row.batch, row.precision) == (network, batch, precision))
    row = next(rows)
    found, scored = predict(row, gpu_called("h200"), behaviour("hopper")), hwsim.score(workload(row), on="h200")
    assert found.time_s == pytest.approx(scored.latency_s)
    assert found.energy_j == pytest.approx(scored.energy_j)


def test_a_compiled_step_is_predicted_as_it_is_scored() -> None:
    row = next(row for row in steps("h200").rows if row.compiled and row.network == "gpt2_small")
    found = predict(row, gpu_called("h200"), behaviour("hopper"))
    assert found.time_s == pytest.approx(hwsim.score(workload(row), on="h200", fuse=True).latency_s)


def test_where_a_fit_says_it_comes_from_is_there() -> None:
    for device in DEVICES:
        assert gpu_called(device).fit == "hopper"
        assert gpu_called(device).idle_w == pytest.approx(measurements(device).idle_w, abs=0.5)
        assert measurements(f"{device}-torch").date == steps(device).date
    assert str(len(steps("h200").rows)) in behaviour("hopper").source


def test_work_of_a_decoder() -> None:
    """Six operations a weight and token where it is trained, four where it is frozen, beside attention and the head."""
    for decoder, weights, times in ((mlperf.GPT3_175B, 173.9e9, 6), (mlperf.LLAMA_70B, 68.4e9, 4)):
        products = [(kernel, count) for kernel, count in decoder.kernels() if kernel.format == "fp8_e4m3"]
        work = sum(kernel.operations * count for kernel, count in products) * decoder.split
        head = times * decoder.tokens * decoder.width * decoder.vocabulary
        assert work - head == pytest.approx(times * decoder.tokens * weights, rel=0.005)
