"""Collectives against closed forms and a naive simulation of rings; what a step waits for against a loop."""

import itertools
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import hwsim
from hwsim.architecture import Gpu, load_architecture
from hwsim.architecture.node import Link
from hwsim.errors import HwsimError
from hwsim.gpu.collectives import collective_s, payload_bytes, waits_s
from hwsim.workload import Operand, Operator, Workload
from hwsim.workload.data_parallel import data_parallel
from hwsim.workload.operator import Phase

DEVICES = st.integers(2, 16)
BYTES = st.floats(1, 1e10)


def link(*, reduces: bool = False) -> Link:
    return Link(name="test", gb_per_s=100, efficiency=0.5, latency_us=3, reduces=reduces, source="test")


def ring_s(devices: int, payload: float, rounds: int) -> tuple[float, list[set[int]]]:
    """Pass parts around a ring, step by step: time, and which devices' parts reached each device."""
    held = [{device} for device in range(devices)]
    time_s = 0.0
    for _ in range(rounds):
        held = [held[device] | held[device - 1] for device in range(devices)]
        time_s += payload / devices / 50e9 + 3e-6
    return time_s, held


@given(DEVICES, BYTES)
def test_rings_equal_a_simulation(devices: int, payload: float) -> None:
    time_s, held = ring_s(devices, payload, devices - 1)
    assert all(one == set(range(devices)) for one in held)
    for name in ("all_gather", "reduce_scatter", "all_to_all"):
        assert collective_s(name, payload, devices, link()) == pytest.approx(time_s)
    assert collective_s("all_reduce", payload, devices, link()) == pytest.approx(2 * time_s)


@given(DEVICES, BYTES)
def test_an_all_reduce_moves_what_reduce_scatter_and_all_gather_move(devices: int, payload: float) -> None:
    parts = (collective_s(name, payload, devices, link()) for name in ("reduce_scatter", "all_gather"))
    assert collective_s("all_reduce", payload, devices, link()) == pytest.approx(sum(parts))


@given(st.integers(4, 16), st.floats(1e6, 1e10))
def test_switches_that_add_are_faster(devices: int, payload: float) -> None:
    fast = collective_s("all_reduce", payload, devices, link(reduces=True))
    assert fast < collective_s("all_reduce", payload, devices, link())
    assert fast >= payload / 50e9


def test_one_device_alone_needs_no_time() -> None:
    assert collective_s("all_reduce", 1e9, 1, link()) == 0


def test_a_broadcast_goes_around_once() -> None:
    assert collective_s("broadcast", 1e9, 4, link()) == pytest.approx(1e9 / 50e9 + 3 * 3e-6)


def compute(name: str, *reads: str, phase: Phase = "grad_weight") -> Operator:
    operands = [Operand(name="x", shape=(1,), format="fp32", tensor=one) for one in reads]
    written = Operand(name="y", shape=(1,), format="fp32", access="write", tensor=f"{name}.0")
    return Operator(name=name, primitive="elementwise", phase=phase, dims={"x": 1}, operands=(*operands, written))


def reduction(name: str, read: str) -> Operator:
    operands = (
        Operand(name="x", shape=(4,), format="fp16", tensor=read),
        Operand(name="y", shape=(4,), format="fp16", access="write", tensor=f"{name}.0"),
    )
    return Operator(
        name=name, primitive="comm", phase="grad_weight", dims={"x": 4}, operands=operands, collective="all_reduce",
        group_size=2,
    )  # fmt: skip


def test_payload_is_the_whole_tensor() -> None:
    assert payload_bytes(reduction("r", "a.0")) == 8


def test_only_what_is_not_hidden_is_waited_for() -> None:
    step = [
        compute("a"), reduction("ra", "a.0"), compute("b"), reduction("rb", "b.0"), compute("update", "ra.0", "rb.0")
    ]  # fmt: skip
    # a ends at 1; ra runs 1..5 beside b (1..3); rb waits for the network: 5..7; the update starts at 7 instead of 3
    assert waits_s(step, [1, 4, 2, 2, 1]) == [0, 0, 0, 4, 0]
    assert waits_s(step, [1, 1, 2, 0.5, 1]) == [0, 0, 0, 0.5, 0]
    assert waits_s(step[:4], [1, 4, 2, 2]) == [0, 0, 0, 4]


@given(st.lists(st.tuples(st.floats(0.01, 5), st.floats(0.01, 5)), min_size=1, max_size=8))
def test_a_step_is_between_its_parts_and_their_sum(times: list[tuple[float, float]]) -> None:
    pairs = ((compute(f"g{i}"), reduction(f"r{i}", f"g{i}.0")) for i in range(len(times)))
    step = [*itertools.chain(*pairs), compute("update", *(f"r{i}.0" for i in range(len(times))))]
    latencies = [*itertools.chain(*times), 1.0]
    kernels, network = sum(compute_s for compute_s, _ in times) + 1, sum(network_s for _, network_s in times)
    whole = kernels + sum(waits_s(step, latencies))
    assert max(kernels, network) <= whole * (1 + 1e-9)
    assert whole <= (kernels + network) * (1 + 1e-9)


@pytest.fixture(scope="module")
def step() -> Workload:
    model = nn.Sequential(nn.Linear(2048, 4096), nn.ReLU(), nn.Linear(4096, 2048))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return hwsim.trace(model, torch.zeros(512, 2048), loss=lambda y: y.sum(), optimizer=optimizer)


def test_a_node_pays_for_its_network_and_its_host(step: Workload) -> None:
    alone, together = hwsim.score(step, on="h100-sxm-8"), hwsim.score(data_parallel(step, 8), on="h100-sxm-8")
    bare = hwsim.score(step, on="h100-sxm")
    node = load_architecture("h100-sxm-8")[0]
    assert isinstance(node, Gpu)
    assert node.node
    assert alone.latency_s == pytest.approx(bare.latency_s)
    assert alone.energy_j == pytest.approx(bare.energy_j + node.node.host_w / 8 * bare.latency_s)
    assert together.latency_s > alone.latency_s
    bounds = {cost.bound for cost in together.operators if cost.primitive == "comm"}
    assert "network" in bounds
    assert not any("network between devices is not modelled" in note for note in together.notes)


def test_more_devices_than_a_node_has_are_refused(step: Workload) -> None:
    with pytest.raises(HwsimError, match=r"all_reduce takes 16 devices, and a node has 8: networks between nodes"):
        hwsim.score(data_parallel(step, 16), on="h100-sxm-8")


def test_power_of_a_node() -> None:
    gpu = load_architecture("h100-sxm-8")[0]
    assert isinstance(gpu, Gpu)
    assert gpu.node
    assert gpu.node.direct_w(500) == 8 * 500 + gpu.node.host_w
    assert gpu.node.socket_w(500) == pytest.approx(gpu.node.direct_w(500) / 0.96)


def test_a_compiler_saves_traffic_and_launches(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(1024, 4096), nn.BatchNorm1d(4096), nn.ReLU(), nn.Linear(4096, 1024))
    step = hwsim.trace(model, torch.zeros(8192, 1024), loss=lambda y: y.sum())
    eager, fused = hwsim.score(step, on="a100"), hwsim.score(step, on="a100", fuse=True)
    assert len(fused.operators) < len(eager.operators)
    assert sum(c.dram_bits for c in fused.operators) < sum(c.dram_bits for c in eager.operators)
    assert fused.latency_s < eager.latency_s
    assert any("as a compiler fuses" in note for note in fused.notes)
    plain = load_architecture("a100")[0].model_dump(by_alias=True, mode="json")
    (tmp_path / "graphs.yaml").write_text(yaml.safe_dump({**plain, "cuda_graphs": True}))
    graphs = hwsim.score(step, on=str(tmp_path / "graphs.yaml"))
    assert graphs.latency_s < eager.latency_s


def test_channels_last_spares_matrix_units_a_rearrangement(tmp_path: Path) -> None:
    work = hwsim.trace(nn.Conv2d(256, 256, 3, padding=1), torch.zeros(64, 256, 28, 28))
    plain = load_architecture("a100")[0].model_dump(by_alias=True, mode="json")
    (tmp_path / "last.yaml").write_text(yaml.safe_dump({**plain, "channels_last": True}))
    first, last = hwsim.score(work, on=["a100", str(tmp_path / "last.yaml")])
    assert last.latency_s < first.latency_s
    images = 64 * 28 * 28 * 256 * 32 * 2
    assert first.operators[0].dram_bits - last.operators[0].dram_bits == pytest.approx(2 * images)
