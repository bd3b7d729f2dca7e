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


def calls(file, answers=None):
    """Run a Tcl file with stand-ins for Vivado's commands, and return the calls, innermost first."""
    tcl, made, given = tkinter.Tcl(), [], answers or {}

    def command(*words):
        made.append(words)
        return given.get(words[0], f"<{' '.join(words)}>")

    tcl.createcommand("vivado", command)
    tcl.eval("proc unknown args { vivado {*}$args }")
    tcl.eval(file.read_text())
    return made


def test_pins_are_on_the_board_with_their_voltage(folder):
    properties = [words for words in calls(folder / "top.xdc") if words[0] == "set_property"]
    found = {(name, ports): value for _, name, value, ports in properties}
    ports = {f"<get_ports {port}>" for port in zynq.LEDS}
    assert set(found) == {(name, port) for name in ("PACKAGE_PIN", "IOSTANDARD") for port in ports}
    for port in ports:
        assert PINS[found["PACKAGE_PIN", port]] == found["IOSTANDARD", port]


def test_tcl_runs_and_makes_what_the_project_needs(folder):
    made = calls(folder / "build.tcl", {"get_property": "0.1"})
    names = [words[0] for words in made]
    assert names[0] == "create_project"
    assert names[-1] == "write_hw_platform"
    assert {"create_bd_design", "validate_bd_design", "launch_runs", "wait_on_run"} <= set(names)
    assert ("create_project", "-force", "accelerator", "project", "-part", "xc7z045ffg900-2") in made
    given = {file for words in made if words[0] == "add_files" for file in words[-1].split()}
    assert given == {"top.v", "wrapper.v", "top.xdc"}
    assert given <= {path.name for path in folder.iterdir()}
    ports = {words[-1] for words in made if words[0] == "create_bd_port"}
    assert ports == set(zynq.LEDS)
    assert ("make_wrapper", "-files", "<get_files system.bd>", "-top", "-import") in made
    assert ("set_property", "top", "system_wrapper", "<current_fileset>") in made


def test_tcl_names_what_the_wrapper_and_the_processor_have(folder):
    made, wrapper = calls(folder / "build.tcl", {"get_property": "0.1"}), (folder / "wrapper.v").read_text()
    ports = set(re.findall(r"^  (?:input|output) (?:\[\d+:0\] )?(\w+),?$", wrapper, re.M))
    assert {"clk", "resetn", "interrupt", "s_axil_awaddr", "m_axi_awaddr"} <= ports
    assert [words[words.index("-reference") + 1] for words in made if "-reference" in words] == re.findall(
        r"^module (\w+)", wrapper, re.M
    )
    (settings,) = [words[2] for words in made if words[:2] == ("set_property", "-dict")]
    values = dict(zip(settings.split()[::2], settings.split()[1::2], strict=True))
    assert values["CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ"] == "100"
    buses = {name for name in ("M_AXI_GP0", "S_AXI_HP0") if values.get(f"CONFIG.PCW_USE_{name}") == "1"}
    interrupts = (
        {"IRQ_F2P"} if values["CONFIG.PCW_USE_FABRIC_INTERRUPT"] == values["CONFIG.PCW_IRQ_F2P_INTR"] == "1" else set()
    )
    used = {place for words in made for place in re.findall(r"\b((?:ps|accelerator)/\w+)", " ".join(words))}
    known = {f"accelerator/{port}" for port in ports} | {"accelerator/s_axil", "accelerator/m_axi"}
    assert used <= known | {f"ps/{name}" for name in buses | interrupts | {"FCLK_CLK0"}}
    assert {"accelerator/s_axil", "accelerator/m_axi", "accelerator/interrupt"} <= used
    segments = [words for words in made if words[0] == "assign_bd_address" and "-offset" in words]
    assert [words[2] for words in segments] == [f"{zynq.REGISTERS_BASE:#x}"]


def test_tcl_fails_where_the_clock_is_not_met(folder):
    with pytest.raises(tkinter.TclError, match=r"^timing is not met: slack -0.25 ns$"):
        calls(folder / "build.tcl", {"get_property": "-0.25"})


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
