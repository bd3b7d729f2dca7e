"""Synthesis for ZC706: what it reports, and the model of block memories against the Verilog that they came from."""

import json
import subprocess

import pytest

from flows.fpga import Build, axi, bitstream, build, find_board, netlist
from flows.verify import tools
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from tests.flows.fpga.conftest import SMALL

MEMORIES = """
module memory #(parameter BITS = 8, PLACES = 9, LANE = 8) (
  input clk, read, input [BITS/LANE-1:0] write, input [PLACES-1:0] from, to, input [BITS-1:0] in, output reg [BITS-1:0] out
);
  reg [BITS-1:0] words[0:(1<<PLACES)-1];
  integer i;
  initial for (i = 0; i < 1 << PLACES; i = i + 1) words[i] = {BITS{1'b1}} / 7 * i;
  always @(posedge clk) begin
    if (read) out <= words[from];
    for (i = 0; i < BITS / LANE; i = i + 1) if (write[i]) words[to][i*LANE+:LANE] <= in[i*LANE+:LANE];
  end
endmodule
module NAME (input clk, read, input [7:0] write, input [10:0] from, to, input [71:0] in, output [116:0] out);
  memory #(9, 11, 9) narrow (clk, read, write[0], from, to, in[8:0], out[8:0]);
  memory #(36, 9, 9) lanes (clk, read, write[3:0], from[8:0], to[8:0], in[35:0], out[44:9]);
  memory #(72, 9, 9) wide (clk, read, write, from[8:0], to[8:0], in, out[116:45]);
endmodule
"""
BENCH = """
module bench;
  reg clk = 0, read = 0;
  reg [7:0] write = 0;
  reg [10:0] from = 0, to = 0;
  reg [71:0] in = 0;
  wire [116:0] found, expected;
  mapped mapped (clk, read, write, from, to, in, found);
  source source (clk, read, write, from, to, in, expected);
  integer i;
  initial begin
    for (i = 0; i < 4000; i = i + 1) begin
      read = i == 0 || $urandom % 4 != 0;
      write = $urandom & $urandom;
      from = $urandom; to = $urandom % 3 ? $urandom : from; in = {$urandom, $urandom, $urandom};
      #5 clk = 1;
      #5 clk = 0;
      if (found !== expected) begin $display("cycle %0d: %h instead of %h", i, found, expected); $finish; end
    end
    $display("equal");
    $finish;
  end
endmodule
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    accelerator = Accelerator.model_validate(SMALL | {"memory_bits": 64})
    return build(find_board("zc706"), accelerator, tmp_path_factory.mktemp("zc706") / "build")


def use(monkeypatch, cells):
    def run(command, folder, log):
        (folder / "cells.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        (folder / "netlist.v").write_text("module accelerator_top; endmodule\n")
        (folder / log).write_text("")

    monkeypatch.setattr(bitstream, "run", run)
    monkeypatch.setattr(bitstream, "version", lambda name: "1.0")


def test_resources_are_those_of_the_part(built, monkeypatch):
    use(monkeypatch, {"LUT6": 5, "LUT2": 3, "RAM64M": 1, "FDRE": 7, "CARRY4": 9, "DSP48E1": 2, "RAMB36E1": 1, "RAMB18E1": 1})
    report = netlist.make(built)
    assert {name: one["used"] for name, one in report["resources"].items()} == {"lut": 12, "ff": 7, "dsp": 2, "bram": 3}
    folder = netlist.complete(Build.load(built.folder))
    assert {path.name for path in folder.iterdir()} == {"report.json", "netlist.v", "synthesis.log"}
    (folder / "netlist.v").write_text("module other; endmodule\n")
    with pytest.raises(InputError, match=r"netlist.v: is not as it was made$"):
        netlist.complete(built)


def test_what_does_not_fit_leaves_no_netlist(built, monkeypatch):
    use(monkeypatch, {"DSP48E1": 901})
    with pytest.raises(bitstream.DoesNotFitError, match=r"^the design does not fit: dsp 901 of 900, 1 too many"):
        netlist.make(built)
    assert not [path for path in built.folder.iterdir() if "netlist" in path.name]


def test_other_boards_have_their_netlist_from_the_bitstream(network, tmp_path):
    made = build(find_board("icebreaker"), network.bundle.accelerator, tmp_path / "x", network.bundle)
    with pytest.raises(InputError, match=r"^--netlist: must be absent: --bitstream makes the netlist of this board$"):
        netlist.make(made)


def test_block_memories_do_what_their_verilog_does(tmp_path):
    (tmp_path / "mapped.v").write_text(MEMORIES.replace("NAME", "mapped"))
    script = (
        "read_verilog mapped.v; synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top mapped; "
        "write_verilog -noattr netlist.v"
    )
    bitstream.run(("yosys", "-q", "-p", script), tmp_path, "log")
    text = (tmp_path / "netlist.v").read_text()
    assert "RAMB18E1 #" in text
    assert "RAMB36E1 #" in text
    (tmp_path / "bench.v").write_text(MEMORIES.replace("NAME", "source") + BENCH)
    (tmp_path / "cells.v").write_text(axi.cells())
    sources = ["netlist.v", "cells.v", "bench.v", str(axi.MEMORIES)]
    command = [str(tools.find("iverilog")), "-g2012", "-s", "bench", "-o", "bench.vvp", *sources]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([str(tools.find("vvp")), "bench.vvp"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "equal"
