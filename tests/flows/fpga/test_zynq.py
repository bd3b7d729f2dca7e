"""The ZC706 project without Vivado: pins, Tcl, register map, Verilog."""

import re
import subprocess
import tkinter

import pytest

from flows.fpga import build, find_board, zynq
from flows.fpga.bitstream import run
from flows.verify import tools
from rtl.accelerator import Accelerator
from tests.flows.fpga.conftest import SMALL

PINS = {"Y21": "LVCMOS25", "G2": "LVCMOS15", "W21": "LVCMOS25", "A17": "LVCMOS15"}
"""User LEDs of UG954, table 1-28, with their banks' voltage."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("zc706") / "build"
    accelerator = Accelerator.model_validate(SMALL | {"memory_bits": 64, "profiling": True})
    return build(find_board("zc706"), accelerator, path).folder


def test_pins_are_on_the_board_with_their_voltage(folder):
    text = (folder / "top.xdc").read_text()
    pins = dict(re.findall(r"^set_property PACKAGE_PIN (\w+) \[get_ports (\w+)\]$", text, re.M))
    standards = re.findall(r"^set_property IOSTANDARD (\w+) \[get_ports (\w+)\]$", text, re.M)
    assert pins
    assert {port: PINS[pin] for pin, port in pins.items()} == {port: standard for standard, port in standards}


def test_tcl_runs_and_makes_what_the_project_needs(folder):
    tcl = tkinter.Tcl()
    calls = []
    tcl.createcommand("vivado", lambda *words: calls.append(words) or "1")
    tcl.eval("proc unknown args { vivado {*}$args }")
    tcl.eval((folder / "build.tcl").read_text())
    names = [words[0] for words in calls]
    assert names[0] == "create_project"
    assert names[-1] == "write_hw_platform"
    assert {"create_bd_design", "validate_bd_design", "launch_runs"} <= set(names)
    given = {file for words in calls if words[0] == "add_files" for file in words[-1].split()}
    assert given <= {path.name for path in folder.iterdir()}
    ports = {words[-1] for words in calls if words[0] == "create_bd_port"}
    assert ports == set(zynq.LEDS)


def test_the_header_has_the_registers_of_the_map(folder):
    text = (folder / "accelerator.h").read_text()
    assert "#define ACCELERATOR_STATUS 0x04u\n#define ACCELERATOR_STATUS_RUNNING 0x1u\n" in text
    assert "#define ACCELERATOR_STATUS_COMMAND 0xffff0000u" in text
    assert "#define ACCELERATOR_CYCLES 0x20u" in text


def test_verilog_is_accepted_by_verilator(folder):
    command = [str(tools.find("verilator")), "--lint-only", "-Wno-fatal", "--top-module", "accelerator_top"]
    done = subprocess.run(
        [*command, "wrapper.v", "top.v"],
        cwd=folder,
        env=tools.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not re.search(r"PINMISSING|PINNOTFOUND|PORTSHORT|IMPLICIT", done.stderr), done.stderr
    width = [line for line in done.stderr.splitlines() if "WIDTH" in line and "wrapper.v" in line]
    assert width == []


@pytest.mark.slow
def test_verilog_is_synthesised_for_the_part(folder):
    run(
        ("yosys", "-q", "-p", "read_verilog top.v wrapper.v; synth_xilinx -family xc7 -top accelerator_top"),
        folder,
        "log",
    )
