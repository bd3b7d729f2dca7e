"""`hwsim verify`, `hwsim rtl` and `hwsim doctor` as a user calls them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from flows.verify import plan, tools
from flows.verify.command import verify
from flows.verify.doctor import doctor
from flows.verify.junit import write
from flows.verify.rtl_command import rtl
from hwsim.errors import HwsimError, InputError
from rtl.pe import find
from rtl.pe.catalog import KINDS

application = typer.Typer()
application.command("verify")(verify)
application.command("doctor")(doctor)
application.add_typer(rtl, name="rtl")


def call(*arguments: str) -> str:
    result = CliRunner().invoke(application, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_verify_passes_writes_junit_and_resumes(tmp_path: Path) -> None:
    junit = tmp_path / "out.xml"
    arguments = ["verify", "--pe", "matadd2_sat", "--check", "proof", "--check", "simulate-icarus", "--json",
                 "--junit", str(junit), "--work", str(tmp_path / "work"), "--jobs", "1"]  # fmt: skip
    first = json.loads(call(*arguments))
    assert [result["passed"] for result in first] == [True, True]
    suite = ElementTree.parse(junit).getroot()[0]  # noqa: S314 (written above)
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("matadd2_sat", "2", "0")
    assert json.loads(call(*arguments)) == first  # equal seconds: nothing ran again


@pytest.mark.parametrize("option", ["--junit", "--work"])
def test_what_cannot_be_written_is_an_error_before_any_check(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "below"
    monkeypatch.setattr(plan, "run", lambda todo, jobs, fresh: pytest.fail("a check ran"))
    with pytest.raises(HwsimError, match=rf"^cannot write {path}.*: (not a directory|file exists)$"):
        CliRunner().invoke(
            application, ["verify", "--work", str(tmp_path / "work"), option, str(path)], catch_exceptions=False
        )


def test_a_failing_check_ends_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = plan.Result("int8_mac", "proof", False, "assertion failed", 1.0, 2.0, "x")
    monkeypatch.setattr(plan, "run", lambda todo, jobs, fresh: iter([failed]))
    with pytest.raises(HwsimError, match=rf"^1 of 1 checks failed, see {tmp_path}$"):
        CliRunner().invoke(application, ["verify", "--work", str(tmp_path)], catch_exceptions=False)


def test_a_failure_is_one_in_junit(tmp_path: Path) -> None:
    results = [
        plan.Result("a", "proof", False, "it \x00 broke", 1.5, 2.25, "x"),
        plan.Result("a", "gate", True, "ok", 2, 1, "x"),
    ]
    root = ElementTree.parse(write(results, tmp_path / "j.xml")).getroot()  # noqa: S314 (written here)
    assert [case.get("name") for case in root[0]] == ["gate", "proof"]
    assert [cpu.get("value") for cpu in root.iter("property") if cpu.get("name") == "cpu_seconds"] == ["1.0", "2.2"]
    assert root[0][1].find("failure").get("message") == "it ? broke"  # type: ignore[union-attr]


def test_an_unknown_pe_or_check_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^PE must be one of int8_mac, .*, not 'int9_mac'$"):
        CliRunner().invoke(application, ["verify", "--pe", "int9_mac"], catch_exceptions=False)
    with pytest.raises(InputError, match=r"^--check: must be one of .*proof.*, not 'prof'$"):
        CliRunner().invoke(application, ["verify", "--check", "prof"], catch_exceptions=False)


def test_emitted_files_are_the_same_twice_and_agree(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        call("rtl", "emit", "shift8", "-o", str(tmp_path / folder), "--params", "w_bits=3", "--beats", "50")
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    described = json.loads((tmp_path / "a" / "shift8.ports.json").read_text())
    verilog = (tmp_path / "a" / "shift8.v").read_text()
    for port, facts in described["ports"].items():
        bits = f"[{facts['bits'] - 1}:0] " if facts["bits"] > 1 else ""
        assert f"{facts['direction']}put {bits}{port};" in verilog
    assert described["parameters"]["w_bits"] == 3
    lines = (tmp_path / "a" / "shift8.vectors.csv").read_text().splitlines()
    assert lines[0] == "idle,first,last,x,w,cycles,expected_acc"
    assert len(lines) == 51


CHANGED = {
    "int8_mac": "x_signed=false", "shift8": "overflow=saturate", "shiftadd8": "stages=2", "adder8": "bits=5",
    "matadd8": "weights=bin", "ternary8": "lfsr_bits=7", "fusible8": "bits=4", "serial8": "x_bits=6",
    "psg4x6": "g_high=4", "bf16_mac": "form=fp16", "simhash8x4": "lanes=3",
}  # fmt: skip


def test_every_kind_of_pe_is_in_the_next_test() -> None:
    assert {type(find(name)) for name in CHANGED} == set(KINDS.values())


@pytest.mark.parametrize(("name", "change"), CHANGED.items())
def test_every_kind_of_pe_is_emitted_with_other_parameters(name: str, change: str, tmp_path: Path) -> None:
    files = call("rtl", "emit", name, "-o", str(tmp_path), "--params", change, "--beats", "20").split()
    parameter, value = change.split("=")
    described = json.loads((tmp_path / f"{name}.ports.json").read_text())
    assert str(described["parameters"][parameter]).lower() == value
    assert [Path(file).suffix for file in files] == [".v", ".json", ".csv"]
    assert (tmp_path / f"{name}.vectors.csv").read_text().count("\n") > 10


def test_a_wrong_parameter_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^w_bits: must be less than or equal to 5, not 9$"
    ):
        CliRunner().invoke(
            application,
            ["rtl", "emit", "shift8", "-o", str(tmp_path), "--params", "w_bits=9"],
            catch_exceptions=False,
        )


@pytest.mark.parametrize("arguments", [["verify", "--jobs", "-1"], ["rtl", "emit", "shift8", "-o", "x", "--beats", "0"]])
def test_numbers_out_of_range_are_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 2
    assert "greater than or equal to" in result.output


def test_list_names_every_configuration() -> None:
    listed = json.loads(call("rtl", "list", "--json"))
    assert listed["shift8"] | {"w_bits": 4, "latency": 1} == listed["shift8"]
    assert "fp32_mac" in call("rtl", "list")


def test_doctor_lists_every_tool_or_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "version", lambda program: "1.0")
    rows = json.loads(call("doctor", "--json"))
    assert {row["tool"] for row in rows} >= set(tools.TOOLS)
    monkeypatch.setenv("HWSIM_CELLS", str(tmp_path))
    with pytest.raises(
        HwsimError, match=r"^missing: osu018 standard cells; the table says what installs them$"
    ):
        CliRunner().invoke(application, ["doctor"], catch_exceptions=False)
