"""Throughputs and runs that the GPU model was not fitted on: as near as the page says, and ranked right."""

from statistics import median

import pytest

from benchmarks.validation import mlperf
from benchmarks.validation.throughput import throughputs
from hwsim.gpu.behaviour import behaviour

CHIPS = ("rtx8000", "rtx-a6000")
"""Boards with the chips of the RTX 6000 and the A40, whose traces are kept aside."""


def test_throughputs_that_check() -> None:
    rows = [row for row in throughputs() if row.use == "check"]
    errors = {row: abs(row.predicted(behaviour()) / row.samples_per_s - 1) for row in rows}
    assert median(errors.values()) <= 0.15
    assert max(error for row, error in errors.items() if row.gpu in CHIPS) <= 0.2
    assert {row.gpu for row in throughputs() if row.use == "fit"} == {"v100-sxm2", "a100"}


@pytest.mark.parametrize(
    ("decoder", "samples", "measured"),
    [(mlperf.LLAMA_70B, 1, mlperf.LORA), (mlperf.GPT3_175B, 2048, mlperf.GPT3)],
)
def test_language_models_on_nodes(decoder: mlperf.Decoder, samples: int, measured: mlperf.Measured) -> None:
    run = mlperf.predicted_decoder(decoder, samples, measured)
    assert run.samples_per_s == pytest.approx(measured.run.samples_per_s, rel=0.2)


def test_work_of_a_decoder() -> None:
    """Six operations a weight and token where it is trained, four where it is frozen, beside attention and the head."""
    for decoder, weights, times in ((mlperf.GPT3_175B, 173.9e9, 6), (mlperf.LLAMA_70B, 68.4e9, 4)):
        products = [(kernel, count) for kernel, count in decoder.kernels() if kernel.format == "fp8_e4m3"]
        work = sum(kernel.operations * count for kernel, count in products) * decoder.split
        head = times * decoder.tokens * decoder.width * decoder.vocabulary
        assert work - head == pytest.approx(times * decoder.tokens * weights, rel=0.005)
