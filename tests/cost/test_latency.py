"""What a mapping costs beyond its search: buffers that take turns, fills, bursts, mixed formats, standing power."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import HwsimError, Workload, score
from hwsim.mapper import map_operator
from hwsim.workload.contraction import conv2d, matmul
from tests.chips import chip
from tests.cost.test_hierarchy import CONV

BUFFER = "{memory: buffer, energy: global_buffer, bits: 65536}"


def plain(folder):
    (folder / "plain").mkdir(exist_ok=True)
    return folder / "plain"


def priced(operator, path):
    return score(Workload(name="w", operators=(operator,)), path).operators[0]


def dram_and_compute(found):
    return sum((t.reads + t.writes) * 32 for t in found.cost.traffic[0]) / 128, found.cost.compute_cycles


def test_a_single_buffer_takes_turns_with_what_is_inside(tmp_path):
    operator = conv2d("c", **CONV)
    paths = chip(plain(tmp_path)), chip(tmp_path, (BUFFER, BUFFER.replace("}", ", double_buffered: false}")))
    double, single = (map_operator(operator, path, "edp").found for path in paths)
    assert priced(operator, paths[0]).latency_s == pytest.approx(max(dram_and_compute(double)) / 100e6)
    assert priced(operator, paths[1]).latency_s == pytest.approx(sum(dram_and_compute(single)) / 100e6)
    assert single.cost.cycles == pytest.approx(sum(dram_and_compute(single)))
    assert single.cost.energy_pj * single.cost.cycles <= double.cost.energy_pj * sum(dram_and_compute(double))


def test_an_array_fills_once_per_pass(tmp_path):
    operator = conv2d("c", **CONV)
    path = chip(tmp_path, ("{array: grid, size: 4,", "{array: grid, size: 4, fill_cycles: 7,"))
    free, found = (map_operator(operator, one, "edp").found for one in (chip(plain(tmp_path)), path))

    def cycles(one):
        return max(dram_and_compute(one)) + 7 * math.prod(size for loops in one.mapping.loops[:2] for _, size in loops)

    assert priced(operator, path).latency_s == pytest.approx(cycles(found) / 100e6)
    assert found.cost.cycles == pytest.approx(cycles(found))
    assert found.cost.energy_pj * cycles(found) <= free.cost.energy_pj * cycles(free)


def test_mixed_formats_take_their_own_lanes(tmp_path):
    given = "contractions: {format: int8, weight_format: int4}\nlanes: {int8: 2, int4*int8: 4}\nnodes:"
    operator = conv2d("c", **CONV)
    fast = priced(operator, chip(tmp_path, ("nodes:", given), ("1.6", "1600")))
    assert fast.latency_s == pytest.approx(operator.macs / 4 / 4 / 100e6)
    same = given.replace("weight_format: int4", "weight_format: int8")
    assert priced(operator, chip(tmp_path, ("nodes:", same), ("1.6", "1600"))).latency_s == pytest.approx(2 * fast.latency_s)
    with pytest.raises(HwsimError, match=r"must be one format or two, as int8\*int4"):
        priced(operator, chip(tmp_path, ("nodes:", "lanes: {int4*int8*int4: 4}\nnodes:")))


def bursts_of_tiles(shape, tile, burst):
    """Words that tiles of a row-major tensor fetch if every run of addresses starts at a burst."""
    flat = np.arange(math.prod(shape)).reshape(shape)
    words = 0
    for corner in np.ndindex(*(size // part for size, part in zip(shape, tile, strict=True))):
        here = tuple(slice(c * t, (c + 1) * t) for c, t in zip(corner, tile, strict=True))
        addresses = flat[here].reshape(-1)
        runs = np.split(addresses, np.flatnonzero(np.diff(addresses) != 1) + 1)
        words += sum(-(-len(run) // burst) * burst for run in runs)
    return words


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([4, 6, 8]), st.sampled_from([4, 6, 8]), st.sampled_from([2, 4, 16]), st.integers(100, 2000))
def test_tiles_that_are_not_contiguous_fetch_whole_bursts(tmp_path_factory, rows, columns, burst, bits):
    folder = tmp_path_factory.mktemp("bursts")
    operator = matmul("p", rows=rows, inner=columns, columns=4)
    path = chip(folder, ("bits: 65536", f"bits: {32 * bits // 10}"), ("nodes:", f"dram_burst_bytes: {4 * burst}\nnodes:"))
    found = map_operator(operator, path, "edp").found
    cost = priced(operator, path)
    inside = [dict(loops) for loops in found.mapping.loops[1:]]
    tile = [math.prod(loops.get(name, 1) for loops in inside) for name in ("n", "c")]
    expected = bursts_of_tiles((rows, columns), tile, burst) / (rows * columns)
    charged = next(c.times for c in cost.charges if (c.component, c.operand) == ("dram", "input"))
    position = found.problem.operands.index("input")
    assert charged / found.cost.traffic[0][position].reads == pytest.approx(expected)


def test_standing_power_is_charged_for_the_time_of_every_operator(tmp_path):
    from hwsim.technology.technology import _TABLES

    table = (_TABLES / "shiftaddnet-45nm.yaml").read_text()
    source = "format: any, uncertainty: 0, uncertainty_basis: none, kind: paper, recipe: none, source: test"
    table += f"  leakage: {{value: 2, unit: mW, {source}}}\n  clock: {{value: 3, unit: pJ/cycle, {source}}}\n"
    (tmp_path / "own.yaml").write_text(table)
    operator = conv2d("c", **CONV)
    before = priced(operator, chip(plain(tmp_path)))
    path = chip(tmp_path, ("technology: shiftaddnet-45nm", "technology: own.yaml\nstanding: [leakage, clock]"))
    after = priced(operator, path)
    expected_pj = before.latency_s * (2e-3 * 1e12 + 3 * 100e6)
    assert after.energy_pj - before.energy_pj == pytest.approx(expected_pj)
    result = score(Workload(name="w", operators=(operator,)), path)
    assert result.energy_j_by("component")["standing",] == pytest.approx(expected_pj * 1e-12)
    for charge in after.charges:
        assert charge.energy_pj == pytest.approx(charge.times * result.coefficients[charge.coefficient].energy_pj(charge.bits))
    assert "leakage and clock" in result.table()
    with pytest.raises(HwsimError, match=r"technology shiftaddnet-45nm has no coefficient leakage"):
        priced(operator, chip(plain(tmp_path), ("nodes:", "standing: [leakage]\nnodes:")))


def test_power_and_accesses_are_not_mixed_up(tmp_path):
    path = chip(tmp_path, ("nodes:", "standing: [dram]\nnodes:"))
    with pytest.raises(HwsimError, match=r"^standing coefficient dram must be in mW or pJ/cycle, not pJ/16bit$"):
        priced(conv2d("c", **CONV), path)


@pytest.mark.parametrize(
    ("limit", "counted"),
    [
        ("read_bits_per_cycle: 0.1", lambda moved: sum(t.reads for t in moved)),
        ("write_bits_per_cycle: 0.1", lambda moved: sum(t.writes for t in moved)),
        ("port_bits_per_cycle: {weight: 0.1}", lambda moved: moved[1].reads + moved[1].writes),
    ],
)
def test_a_direction_or_an_operand_may_have_a_bandwidth_of_its_own(tmp_path, limit, counted):
    operator = conv2d("c", **CONV)
    path = chip(tmp_path, (BUFFER, BUFFER.replace("}", f", {limit}}}")))
    words = counted(map_operator(operator, path, "edp").found.cost.traffic[1])
    cost, free = priced(operator, path), map_operator(operator, chip(plain(tmp_path)), "edp").found
    assert cost.bound == "buffer"
    assert cost.latency_s == pytest.approx(words * 32 / 0.1 / 100e6)
    assert words <= counted(free.cost.traffic[1])
