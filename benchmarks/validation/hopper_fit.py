"""Fit the model of Hopper boards on what was measured on an H200; the H100 stays unseen.

``python -m benchmarks.validation.hopper_fit`` writes ``hwsim/gpu/fits/hopper.yaml``. Rows are steps, products of a
library, and the power of the microbenchmarks that keep one part of the board busy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.validation.gpu_fit import Values, behaviour_of, least, listed
from benchmarks.validation.steps import Predicted, measurements, predict, predict_product, steps
from benchmarks.validation.throughput import gpu_called
from hwsim.architecture import Gpu
from hwsim.files import write_text
from hwsim.gpu.behaviour import Behaviour, fit_path
from hwsim.gpu.board import board_of
from hwsim.gpu.technology import technology_of_gpu

DEVICE = "h200"
LARGE = 2**32
"""Multiply-adds of a product above which its row counts in full."""
SMALL_WEIGHT = 0.3
"""Of products of microseconds, a large part of whose time is their beginning and end."""
START = {
    "device.scalar_efficiency": 0.8, "device.matrix_efficiency": 0.6, "device.unaligned_share": 0.2,
    "device.recurrent_efficiency": 0.168, "device.skinny_operations": 2.0, "device.planar_operations": 3.0,
    "device.dram_efficiency": 0.92, "device.cache_speed": 1.7, "device.cache_share": 1.0,
    "device.product_traffic": 1.0, "device.stream_traffic": 1.2, "device.kernel_s": 1.5e-6,
    "device.occupancy": 0.05, "device.voltage_floor": 0.75, "device.floor_clock": 0.5, "device.idle_clocked": 0.5,
    "device.limit_share": 1.0, "host.forward_s": 3e-5, "host.backward_s": 1.5e-5, "host.inference_s": 1.7e-5,
    "host.optimizer_s": 3e-6, "host.step_s": 5e-4, "energy.node_nm": 4.0, "energy.die_mm2": 814.0,
    "energy.scalar_pj": 6.5, "energy.matrix_pj": 0.7, "energy.active_pj": 400.0, "energy.chip_pj": 40.0,
    "energy.dram_pj": 4.0,
}  # fmt: skip
FIXED = frozenset({
    "device.recurrent_efficiency", "device.product_traffic", "device.occupancy", "device.idle_clocked",
    "device.limit_share", "energy.node_nm", "energy.die_mm2",
})  # fmt: skip
"""What the rows hardly tell: there are no recurrent layers among them; the first is that of the other fit."""
PARTS = ("ffma", "hmma-bf16", "cache-read", "dram-read", "spinning")


def fit(start: Values) -> Values:
    """Return the values with the least errors of time and energy on all rows of the H200, and of power of its parts."""
    gpu = gpu_called(DEVICE)
    products = measurements(f"{DEVICE}-torch").timings

    def errors(values: Values) -> NDArray[np.float64]:
        fitted = behaviour_of(values)
        off = [_off(predict(row, gpu, fitted), row.median_s, row.energy_j) for row in steps(DEVICE).rows]
        for one in products:
            weight = 1.0 if one.m * one.k * one.n > LARGE else SMALL_WEIGHT
            off.append(weight * _off(predict_product(one, gpu, fitted), one.median_s, one.energy_j))
        return np.concatenate([*off, list(part_errors(DEVICE, gpu, fitted).values())])

    return least(errors, start, [name for name in start if name not in FIXED], 60)


def _off(found: Predicted, time_s: float | None, energy_j: float | None) -> NDArray[np.float64]:
    return np.log([found.time_s / (time_s or math.nan), found.energy_j / (energy_j or math.nan)])


def part_errors(device: str, gpu: Gpu, fitted: Behaviour) -> dict[str, float]:
    """Return logarithms of predicted over measured power of parts at the measured rate and the highest clock."""
    board = board_of(gpu, technology_of_gpu(gpu, fitted.energy))
    pj = {
        "ffma": board.scalar_pj_per_operation, "hmma-bf16": board.pj_per_operation["bf16"],
        "cache-read": board.pj_per_byte, "dram-read": board.pj_per_byte + board.dram_pj_per_byte, "spinning": 0.0,
    }  # fmt: skip
    parts = {part.name: part for part in measurements(device).parts}
    return {
        name: math.log((board.idle_w + board.active_w + parts[name].per_s * pj[name] * 1e-12) / parts[name].power_w)
        for name in PARTS
    }


def main() -> None:
    """Fit and write."""
    values = fit(START)
    measured, products = steps(DEVICE), measurements(f"{DEVICE}-torch").timings
    head = (
        f"source: >-\n  {len(measured.rows)} training steps and forward passes, {len(products)} products and "
        f"{len(PARTS)} microbenchmarks on one\n  {measured.device_name}, measured for hwsim on {measured.date} with "
        f"PyTorch {measured.versions['torch']}, driver {measured.versions['driver']}:\n"
        "  benchmarks/validation/steps-h200.json, hwsim/gpu/measurements\n"
        "recipe: >-\n  least squares of the logarithms of seconds, joules and watts, soft L1 loss; "
        "python -m benchmarks.validation.hopper_fit\n"
    )
    body = "".join(f"{part}:\n{listed(values, part)}" for part in ("device", "host", "energy"))
    write_text(fit_path("hopper"), head + body)


if __name__ == "__main__":
    main()
