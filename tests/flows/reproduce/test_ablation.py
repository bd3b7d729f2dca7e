"""Each assumption changes what it is about, and nothing else; whole elements have the formats of ours."""

from __future__ import annotations

import pytest

import hwsim
from flows.reproduce.ablation import ASSUMPTIONS, ablation, whole_elements, without
from hwsim.cost.accounting import load_convention
from hwsim.workload import Workload

MACS = 3136 * 64 * 512


@pytest.fixture
def layers():
    def one(primitive):
        kinds = {"mac": "fp32", "shift": "int32", "add": "fp32"}
        layer = {"kind": "linear", "name": primitive, "batch": 3136, "in_features": 64, "out_features": 512}
        data = {"schema": "hwsim/workload/1", "name": primitive}
        return Workload.parse({**data, "operators": [{**layer, "format": kinds[primitive], "primitive": primitive}]}, "x.yaml")

    return {primitive: one(primitive) for primitive in ("mac", "shift", "add")}


def price(workload, *assumptions):
    convention = load_convention("shiftaddvit")
    return hwsim.score(workload, accounting=without(convention, *assumptions) if assumptions else convention)


def test_width_of_shifts(layers):
    assert price(layers["shift"]).energy_j * 1e3 == pytest.approx(1.3671, abs=5e-5)  # as published
    free = price(layers["shift"], "10-bit words")
    moved = price(layers["mac"]).energy_j - MACS * 3.7e-12
    assert free.energy_j == pytest.approx(moved + MACS * 0.13e-12)


def test_cycles_of_shifts(layers):
    fast, slow = price(layers["shift"]), price(layers["shift"], "cycles / 3.2")
    assert slow.latency_s == pytest.approx(3.2 * fast.latency_s)
    assert slow.energy_j == fast.energy_j


def test_additions_on_chip(layers):
    near, far = price(layers["add"]), price(layers["add"], "on-chip adds")
    assert near.energy_j_by("component").keys() == {("compute",), ("network",), ("register_file",)}
    assert far.energy_j == pytest.approx(price(layers["mac"]).energy_j - MACS * 2.8e-12)


@pytest.mark.parametrize(("primitive", "pj"), [("mac", 0.9), ("shift", 0.1), ("add", 0.9)])
def test_accumulation(layers, primitive, pj):
    free, paid = price(layers[primitive]), price(layers[primitive], "free additions")
    assert paid.energy_j - free.energy_j == pytest.approx(MACS * pj * 1e-12)
    assert paid.latency_s == free.latency_s


def test_none_changes_a_multiplication_but_accumulation(layers):
    for assumption in ASSUMPTIONS:
        same = price(layers["mac"], assumption).energy_j == price(layers["mac"]).energy_j
        assert same == (assumption != "free additions")


def test_whole_elements(layers):
    keys = {name: set(whole_elements(layer).coefficients) for name, layer in layers.items()}
    assert "pe.mac.int8" in keys["mac"]
    assert "pe.shift.int8*pow2z_4" in keys["shift"]
    assert "pe.add.int8" in keys["add"]


def test_sections(layers):
    done = []
    energy, latency = ablation(layers, "shiftaddvit", "x", lambda *progress: done.append(progress))
    assert [row[0] for row in energy.rows][:2] == ["as published", "no 10-bit words"]
    assert len(energy.rows) == len(latency.rows) == 7
    published = energy.rows[0]
    assert published[2] == pytest.approx(1.3671, abs=5e-5)
    assert published[4] == pytest.approx(published[2] / published[1])
    assert energy.charts[0].series["shift"][0] == published[4]
    assert done[-1] == (6, 7)
