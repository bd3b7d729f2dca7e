"""``hwsim arch``: presets are listed, shown as files that load again, and checked."""

import json

import pytest

from hwsim.architecture import architectures, load_architecture
from hwsim.cli.main import main
from hwsim.technology import technologies


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["arch", *map(str, arguments)])
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


def test_list_names_every_preset(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = call(capsys, "list")
    assert status == 0
    for name in architectures():
        assert name in out
    presets = json.loads(call(capsys, "list", "--json")[1])
    assert {preset["name"]: preset["kind"] for preset in presets}["tpu-v1-like"] == "systolic"
    assert all(preset["source"] for preset in presets)


@pytest.mark.parametrize("name", architectures())
def test_what_is_shown_loads_again(capsys, tmp_path, name):
    for suffix, options in (("yaml", []), ("json", ["--json"])):
        path = tmp_path / f"again.{suffix}"
        path.write_text(call(capsys, "show", name, *options)[1])
        assert load_architecture(str(path))[0] == load_architecture(name)[0]


def test_check_takes_all_presets_or_names_what_is_wrong(capsys, tmp_path):
    status, out, _ = call(capsys, "check")
    assert status == 0
    assert "bitfusion-16x32: bitfusion, technology bitfusion-45nm: ok" in out.splitlines()
    assert len(out.splitlines()) == len(architectures())
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(call(capsys, "show", "tpu-v1-like")[1].replace("rows: 256", "rows: 0"))
    status, out, err = call(capsys, "check", "tpu-v1-like", wrong)
    assert (status, err) == (1, f"error: {wrong}: rows: must be greater than 0, not 0\n")
    wrong.write_text(call(capsys, "show", "tpu-v1-like")[1].replace("shiftaddnet-45nm", "none"))
    known = ", ".join(technologies())
    assert call(capsys, "check", wrong)[2] == f"error: {wrong}: technology must be one of {known}, not 'none'\n"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("energy: global_buffer, bits", "energy: sram, bits", "nodes[1].energy"),
        ("output: network_psum", "output: sram", "nodes[3].energy.output"),
        ("clock_mhz:", "standing: [sram]\nclock_mhz:", "standing[0]"),
    ],
)
def test_check_knows_the_coefficients_that_nodes_charge(capsys, tmp_path, old, new, field):
    _, folder = load_architecture("free-dataflow-45nm")
    text = (folder / "free-dataflow-45nm.yaml").read_text()
    assert old in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(old, new))
    status, _, err = call(capsys, "check", wrong)
    assert status == 1
    assert err.startswith(f"error: {wrong}: {field}: must be a coefficient of shiftaddnet-45nm (mult.fp32, ")
    assert err.endswith("), not 'sram'\n")


def test_check_knows_the_coefficients_of_memories(capsys, tmp_path):
    """A technology of gates alone prices no DRAM."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(call(capsys, "show", "tpu-v1-like")[1].replace("shiftaddnet-45nm", "osu018"))
    status, _, err = call(capsys, "check", wrong)
    assert status == 1
    assert err.startswith(f"error: {wrong}: technology: must be a coefficient of osu018 (")
    assert err.endswith("), not 'dram'\n")
