"""Time and energy of kernels against scalar twins, bounds and laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.device import (
    CLOCKS,
    MEMORY_CLOCK,
    SPLITS,
    SUM_STEP,
    TILES,
    Board,
    clocked,
    device_cost,
    padded_operations,
    voltage,
)
from hwsim.gpu.host import joined_s, step_host_s
from hwsim.gpu.kernels import Kernel, Kernels

DEVICE = behaviour("volta").device
SIZES = st.integers(1, 5000)


def board(limit_w: float = 1e9, **changes: object) -> Board:
    """A board of round numbers."""
    values: dict[str, object] = {
        "multiprocessors": 80, "cycles_per_s": 1.5e9, "operations_per_s": {"fp16": 1e14}, "scalar_operations_per_s": 1e13,
        "rounds_products": False,
        "bytes_per_s": 1e12, "cache_bytes": 6e6, "idle_w": 30.0, "limit_w": limit_w, "active_w": 90.0,
        "pj_per_operation": {"fp16": 2.0}, "scalar_pj_per_operation": 15.0, "pj_per_byte": 40.0, "dram_pj_per_byte": 60.0,
    }  # fmt: skip
    return Board(**{**values, **changes})  # type: ignore[arg-type]


def product(m: int, k: int, n: int, repeats: int = 1, format_: str = "fp32") -> Kernel:
    return Kernel("forward", format_, m, k, n, repeats, 2 * m * k * n * repeats, 4 * (m * k + k * n + m * n) * repeats)


def cost(kernel: Kernel, on: Board):  # type: ignore[no-untyped-def]
    kernels = Kernels.of([(kernel, 1)])
    return device_cost(kernels, on, DEVICE)


@given(SIZES, SIZES, SIZES, st.integers(1, 40), st.sampled_from([1, 56, 80, 132]))
def test_padded_operations_equal_a_loop(m: int, k: int, n: int, repeats: int, multiprocessors: int) -> None:
    best = math.inf
    for rows, columns, rate in TILES:
        for split in SPLITS:
            tiles = -(-m // rows) * -(-n // columns) * repeats * split
            waves = -(-tiles // multiprocessors)
            depth = math.ceil(k / split / SUM_STEP) * SUM_STEP
            best = min(best, waves * multiprocessors * 2 * rows * columns * depth / rate)
    found = padded_operations(Kernels.of([(product(m, k, n, repeats), 1)]), multiprocessors)
    assert found[0] == pytest.approx(best)
    assert found[0] >= 2 * m * k * n * repeats


@given(SIZES, SIZES, SIZES)
def test_no_kernel_beats_the_data_sheet(m: int, k: int, n: int) -> None:
    on = board()
    kernel = product(m, k, n)
    found = cost(kernel, on)
    assert found.time_s[0] >= kernel.operations / on.scalar_operations_per_s
    assert found.time_s[0] >= found.dram_bytes[0] / on.bytes_per_s
    assert found.dram_bytes[0] <= found.moved_bytes[0]


@given(SIZES, SIZES, SIZES, st.sampled_from(["fp32", "fp16"]), st.floats(60, 400))
def test_a_power_limit_is_kept_and_costs_time_only(m: int, k: int, n: int, format_: str, limit_w: float) -> None:
    kernel = product(m, k, n, format_=format_)
    free, limited = cost(kernel, board()), cost(kernel, board(limit_w))
    power_w = 30 + limited.dynamic_pj[0] * 1e-12 / limited.time_s[0]
    slowest = limited.clock[0] <= 0.1 + 1e-12
    assert slowest or power_w <= limit_w * DEVICE.limit_share * 1.01  # between clocks it is interpolated
    assert limited.time_s[0] >= free.time_s[0] * (1 - 1e-12)
    assert limited.operations_pj[0] <= free.operations_pj[0] * (1 + 1e-12)


@given(SIZES, SIZES, SIZES, st.integers(2, 8))
def test_a_larger_batch_takes_no_less_time(m: int, k: int, n: int, times: int) -> None:
    small, large = product(m, k, n), product(m * times, k, n)
    assert cost(small, board()).time_s[0] <= cost(large, board()).time_s[0] * (1 + 1e-9)


@given(SIZES, SIZES, SIZES, st.floats(80, 300), st.floats(1, 3))
def test_a_higher_limit_is_never_slower(m: int, k: int, n: int, limit_w: float, times: float) -> None:
    kernel = product(m, k, n)
    low, high = cost(kernel, board(limit_w)), cost(kernel, board(limit_w * times))
    assert high.time_s[0] <= low.time_s[0] * (1 + 1e-9)


@given(SIZES, SIZES, SIZES, st.floats(0, 1e6))
def test_bytes_are_conserved(m: int, k: int, n: int, images: float) -> None:
    """What moves on chip is the operands, and the images once more each way where matrix units want them."""
    kernel = product(m, k, n, format_="fp16")._replace(images=images)
    found = cost(kernel, board())
    relaid = 2 * images if found.is_on_matrix_units[0] else 0
    assert found.moved_bytes[0] == pytest.approx(kernel.bytes * DEVICE.product_traffic + relaid)
    assert relaid <= found.dram_bytes[0] <= found.moved_bytes[0] * (1 + 1e-12)


def test_matrix_units_are_left_alone_where_rearranging_costs_more() -> None:
    kernel = product(4096, 64, 64, format_="fp16")
    assert cost(kernel, board()).is_on_matrix_units[0]
    assert not cost(kernel._replace(images=1e12), board()).is_on_matrix_units[0]


def test_voltage_falls_to_its_floor() -> None:
    clocks = np.linspace(0.1, 1, 50)
    volts = voltage(clocks, DEVICE)
    assert volts[-1] == 1
    assert volts[0] == DEVICE.voltage_floor
    assert (np.diff(volts) >= 0).all()


def test_matrix_units_serve_only_their_formats() -> None:
    large = 4096
    on = board()
    half, single = (cost(product(large, large, large, format_=name), on) for name in ("fp16", "fp32"))
    assert half.time_s[0] < single.time_s[0]
    assert half.operations_pj[0] == pytest.approx(2 * 2 * large**3)
    assert single.operations_pj[0] == pytest.approx(15 * 2 * large**3)


def test_depthwise_filters_are_no_work_for_tiles() -> None:
    kernels = Kernels.of([(product(1024, 9, 1, repeats=58), 1), (product(8, 1024, 4096), 1), (product(1024, 9, 1), 1)])
    assert kernels.is_tiled.tolist() == [False, True, True]


def test_what_fits_in_the_cache_spares_the_memory() -> None:
    def share(elements: int) -> float:
        found = cost(Kernel("forward", "fp32", 0, 0, 0, 0, elements, 8.0 * elements), board())
        return float(found.dram_bytes[0] / found.moved_bytes[0])

    assert share(10**4) < 0.02 < 0.5 < share(10**7)


@given(st.floats(0, 10), st.floats(0, 10))
def test_device_and_host_overlap(device_s: float, host_s: float) -> None:
    assert max(device_s, host_s) <= joined_s(device_s, host_s) * (1 + 1e-12)
    assert joined_s(device_s, host_s) <= (device_s + host_s) * (1 + 1e-12)


def test_host_time_counts_what_it_launches() -> None:
    work = behaviour("volta").host
    stream = Kernel("forward", "fp32", 0, 0, 0, 0, 1, 1)
    kernels = Kernels.of([
        (stream, 3), (stream._replace(part="backward"), 5), (stream._replace(part="optimizer"), 7),
        (stream._replace(launched=False), 1000),
    ])  # fmt: skip
    expected = work.step_s + 3 * work.forward_s + 5 * work.backward_s + 7 * work.optimizer_s
    assert step_host_s(work, kernels) == pytest.approx(expected)


def test_at_low_clocks_memory_waits_for_multiprocessors_and_idle_power_falls() -> None:
    stream = Kernels.of([(Kernel("forward", "fp32", 0, 0, 0, 0, 1e9, 8e9), 1)])
    found = clocked(stream, board(active_w=0.0), DEVICE)
    at = {round(float(clock), 2): index for index, clock in enumerate(CLOCKS)}
    moved_s = found.dram_bytes[0] / (1e12 * DEVICE.dram_efficiency)
    assert found.time_s[0, at[0.1]] >= moved_s * MEMORY_CLOCK / 0.1
    assert found.time_s[0, at[0.5]] < moved_s * 1.2
    saved_w = -found.active_pj[0, at[0.5]] * 1e-12 / found.time_s[0, at[0.5]]
    volt = voltage(np.array([0.5]), DEVICE)[0]
    assert saved_w == pytest.approx(30 * DEVICE.idle_clocked * (1 - 0.5 * volt**2))
    assert found.active_pj[0, -1] == pytest.approx(0)


def test_rows_that_begin_anywhere_slow_matrix_units_down() -> None:
    aligned = product(4096, 4096, 4096, format_="fp16")
    for kernel, times in ((aligned, 1.0), (aligned._replace(is_aligned=False), 1 / DEVICE.unaligned_share)):
        found = cost(kernel, board(scalar_operations_per_s=1e12, bytes_per_s=1e15)).time_s - DEVICE.kernel_s
        assert found == pytest.approx(times * (cost(aligned, board(bytes_per_s=1e15)).time_s - DEVICE.kernel_s))


def test_planes_take_their_own_time_where_it_was_measured() -> None:
    kernel = Kernel("forward", "bf16", 0, 0, 0, 0, 7e9, 4e3, is_planar=True)
    hopper = behaviour("hopper").device
    for device, operations in ((hopper, hopper.planar_operations), (DEVICE, None)):
        found = device_cost(Kernels.of([(kernel, 1)]), board(), device).time_s
        expected = 7e9 / (80 * 1.5e9 * operations) if operations else 0.0
        assert found == pytest.approx(expected + device.kernel_s, rel=1e-2)


def test_a_part_of_a_kernel_has_no_time_of_its_own() -> None:
    kernel = Kernel("forward", "fp32", 0, 0, 0, 0, 100, 4e6)
    whole, part = (cost(one, board()).time_s for one in (kernel, kernel._replace(is_inner=True)))
    assert whole - part == pytest.approx(DEVICE.kernel_s)


def test_inference_launches_faster_than_training() -> None:
    work = behaviour("hopper").host
    forward, backward = (Kernel(part, "fp32", 0, 0, 0, 0, 1, 4) for part in ("forward", "backward"))  # type: ignore[arg-type]
    assert step_host_s(work, Kernels.of([(forward, 10)])) == pytest.approx(work.step_s + 10 * work.inference_s)
    training = Kernels.of([(forward, 10), (backward, 10)])
    assert step_host_s(work, training) == pytest.approx(work.step_s + 10 * (work.forward_s + work.backward_s))
