"""The fit behind the estimate: on rows that follow known coefficients, and what of a table is measured anew."""

import pytest
import yaml

from flows.fpga import calibration, estimate
from flows.fpga.calibration import Designs, Measured, Row
from flows.fpga.estimate import Coefficients

PRIOR = Coefficients(
    lut={"alu": 1.0, "gate": 0.5}, cells={"dsp": {"MUL": 1}, "bram": {"RAM": 2}}, fmax_mhz={"block": 10.0}, source="before"
)
DESIGNS = Designs.model_validate({
    "common": {"pe": "int8_mac", "activation_words": 64, "weight_words": 64, "memory_bits": 16},
    "designs": {
        "a": {"use": "fit", "config": {"rows": 1, "columns": 1}, "place": True},
        "b": {"use": "check", "config": {"rows": 2, "columns": 1}},
    },
})  # fmt: skip


def row(alu, gate, fmax_mhz=None, verilog="other"):
    bits = {"alu": alu, "gate": gate, "ff": 7, "MUL": 3, "RAM": 2}
    used = {"lut": round(50 + 1.2 * (alu + 0.5 * gate)), "ff": 7, "dsp": 3, "bram": 4}
    return Row(verilog=verilog, tools={"yosys": "1"}, bits=bits, used=used, fmax_mhz=fmax_mhz)


def test_the_fit_finds_coefficients_that_rows_follow():
    rows = [row(100, 300, 20.0), row(400, 100, 30.0), row(1000, 2000), row(700, 100, 8.0)]
    fitted = calibration.fit(rows, ["block", "block", "block", "sdram"], PRIOR)
    assert fitted.lut == {"alu": pytest.approx(1.2, rel=5e-3), "gate": pytest.approx(0.6, rel=5e-3)}
    assert fitted.constant == pytest.approx(50, rel=0.02)
    assert fitted.fmax_mhz == {"block": 24.0, "sdram": 8.0}
    unseen = row(700, 700)
    found = estimate.resources(unseen.bits, fitted)
    assert found == unseen.used | {"lut": pytest.approx(unseen.used["lut"], abs=2)}


def test_mapped_cells_are_not_fitted():
    prior = PRIOR.model_copy(update={"cells": PRIOR.cells | {"lut": {"LUTRAM": 4}}})
    rows = [row(100, 300), row(400, 100), row(1000, 2000)]
    with_memories = [
        one.model_copy(update={"bits": one.bits | {"LUTRAM": n}, "used": one.used | {"lut": one.used["lut"] + 4 * n}})
        for one, n in zip(rows, (50, 5, 500), strict=True)
    ]
    fitted = calibration.fit(with_memories, ["block"] * 3, prior)
    assert fitted.lut == {"alu": pytest.approx(1.2, rel=5e-3), "gate": pytest.approx(0.6, rel=5e-3)}
    for one in with_memories:
        assert estimate.resources(one.bits, fitted)["lut"] == pytest.approx(one.used["lut"], abs=2)


@pytest.mark.parametrize(("board", "clocks"), [("icebreaker", 1), ("ulx3s-85f", 3), ("zc706", 0)])
def test_designs_that_were_not_fitted_are_estimated_well(board, clocks):
    designs = calibration.read_model(calibration.DESIGNS, Designs)
    rows = calibration.read_model(calibration.MEASURED, Measured).boards[board]
    checked = {name: row for name, row in rows.items() if designs.designs[name].use == "check"}
    assert len(checked) >= 4
    for name, one in checked.items():
        own = estimate.coefficients(board)
        found = estimate.resources(one.bits, own)
        near = {"lut", "ff"} & set(one.used)
        assert near | {kind for kind, used in one.used.items() if found[kind] == used} == set(one.used)
        for kind in near:
            assert found[kind] == pytest.approx(one.used[kind], rel=0.1)
        if one.fmax_mhz:
            assert own.fmax_mhz[designs.memory(board, name)] == pytest.approx(one.fmax_mhz, rel=0.15)
    assert sum(one.fmax_mhz is not None for one in checked.values()) == clocks


def test_the_page_says_what_was_fitted_and_how_far_it_is_off():
    text = calibration.page(DESIGNS, Measured(boards={"icebreaker": {"a": row(100, 100, 8.0)}}), {"icebreaker": PRIOR})
    assert "| a | fit | 230 | 150 | -34.8 % | 7 | 3 | 4 | 8.0 MHz | +25.0 % |" in text


def test_only_what_is_missing_or_has_other_verilog_is_measured(tmp_path, monkeypatch):
    boards = ["icebreaker"]
    monkeypatch.setattr(calibration, "sources", lambda board, accelerator, store: {"top.v": f"{accelerator.rows} rows"})
    calls = []

    def measure(board, accelerator, memory, *, place):
        calls.append((accelerator.rows, place))
        if len(calls) == 3:
            raise KeyboardInterrupt
        own = calibration.hashlib.sha256(f"{accelerator.rows} rows".encode()).hexdigest()
        return row(1, 1, 9.0 if place else None, own)

    monkeypatch.setattr(calibration, "measure", measure)
    file = tmp_path / "measured.yaml"
    with pytest.raises(KeyboardInterrupt):
        calibration.measure_pending(DESIGNS, boards, file)
    assert calls == [(1, False), (2, False), (1, True)]
    assert set(yaml.safe_load(file.read_text())["boards"]["icebreaker"]) == {"a", "b"}
    found = calibration.measure_pending(DESIGNS, boards, file)
    assert calls[3:] == [(1, True)]
    assert found.boards["icebreaker"]["a"].fmax_mhz == 9.0
    monkeypatch.setattr(calibration, "sources", lambda board, accelerator, store: {"top.v": "1 rows"})
    calibration.measure_pending(DESIGNS, boards, file)
    assert calls[4:] == [(2, False)]


def test_what_is_too_large_is_not_placed(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "sources", lambda board, accelerator, store: {"top.v": f"{accelerator.rows} rows"})
    large = row(1, 1, None, calibration.hashlib.sha256(b"1 rows").hexdigest())
    for lut, expected in ((4857, [("icebreaker", "a", True)]), (4858, [])):
        used = large.model_copy(update={"used": large.used | {"lut": lut}})
        other = row(1, 1, None, calibration.hashlib.sha256(b"2 rows").hexdigest())
        measured = Measured(boards={"icebreaker": {"a": used, "b": other}})
        assert calibration.pending(DESIGNS, measured, ["icebreaker"]) == expected


def test_designs_of_the_project_are_valid_and_some_are_kept_for_checking():
    designs = calibration.read_model(calibration.DESIGNS, Designs)
    for name in designs.designs:
        designs.accelerator(name)
    for use in ("fit", "check"):
        assert [design.use for design in designs.designs.values()].count(use) >= 4
        assert any(design.place for design in designs.designs.values() if design.use == use)
