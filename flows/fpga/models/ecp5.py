"""Models of the ECP5's cells that yosys leaves without one, as far as builds use them.

Block memory and multiplier have a port a bit, which are written out here; the others are in ecp5.v.
"""

from __future__ import annotations

from pathlib import Path

OTHERS = Path(__file__).with_name("ecp5.v")

BLOCK_ROWS = 64
"""Parameters that hold a block's content, of 16 words of 18 bits in places of 20."""

BLOCK = """
module DP16KD ({ports});
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC", CSDECODE_A = "0b000", CSDECODE_B = "0b000", CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", GSR = "AUTO", WID = 0;
  parameter INIT_DATA = "STATIC";
{parameters}
  input CLKA, WEA, CEA, OCEA, RSTA, CSA0, CSA1, CSA2, CLKB, WEB, CEB, OCEB, RSTB, CSB0, CSB1, CSB2;
{declarations}
  wire [13:0] address_a = {{{ADA}}}, address_b = {{{ADB}}};
  wire [17:0] data_a = {{{DIA}}}, data_b = {{{DIB}}};
  reg [35:0] out_a = 0, out_b = 0;
  // a port of 36 bits has the lower half on port A's pins, the upper one on port B's
  assign {{{DOA}}} = DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
  assign {{{DOB}}} = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];

  reg [8:0] bytes[0:2047];
  integer place;
  initial begin
{content}
  end

  // Each byte has 9 bits, of which narrow words use 8; the lowest address bits enable the bytes of wide ones.
  function [35:0] read(input integer width, input [13:0] address);
    case (width)
      36: read = {{bytes[{{address[13:5], 2'd3}}], bytes[{{address[13:5], 2'd2}}], bytes[{{address[13:5], 2'd1}}],
                  bytes[{{address[13:5], 2'd0}}]}};
      18: read = {{bytes[{{address[13:4], 1'd1}}], bytes[{{address[13:4], 1'd0}}]}};
      9: read = bytes[address[13:3]];
      default: read = bytes[address[13:3]] >> address[2:0] & ((1 << width) - 1);
    endcase
  endfunction

  task write(input integer width, input [13:0] address, input [35:0] data);
    if (width >= 18) begin
      for (place = 0; place < width / 9; place = place + 1)
        if (address[place]) bytes[(address >> (width == 36 ? 5 : 4)) * (width / 9) + place] = data[9*place+:9];
    end else if (width == 9) bytes[address[13:3]] = data;
    else
      for (place = 0; place < width; place = place + 1) bytes[address[13:3]][address[2:0]+place] = data[place];
  endtask

  reg [35:0] old_a, old_b;
  wire [35:0] wide = {{data_b, data_a}};
  always @(posedge CLKA) begin
    if (CEA) begin
      old_a = read(DATA_WIDTH_A, address_a);
      if (WEA) write(DATA_WIDTH_A, address_a, wide);
      if (!WEA || WRITEMODE_A == "READBEFOREWRITE") out_a <= old_a;
      if (WEA && WRITEMODE_A == "WRITETHROUGH") out_a <= read(DATA_WIDTH_A, address_a);
    end
    if (RSTA) out_a <= 0;
  end
  always @(posedge CLKB) begin
    if (CEB) begin
      old_b = read(DATA_WIDTH_B, address_b);
      if (WEB) write(DATA_WIDTH_B, address_b, data_b);
      if (!WEB || WRITEMODE_B == "READBEFOREWRITE") out_b <= old_b;
      if (WEB && WRITEMODE_B == "WRITETHROUGH") out_b <= read(DATA_WIDTH_B, address_b);
    end
    if (RSTB) out_b <= 0;
  end
endmodule
"""

MULTIPLIER = """
module MULT18X18D ({ports});
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE";
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB;
{declarations}
  wire signed [18:0] a = {{SIGNEDA & A17, {A}}}, b = {{SIGNEDB & B17, {B}}};
  assign {{{P}}} = a * b;
endmodule
"""


def cells() -> str:
    """Return the Verilog of all."""
    control = ["CLK{}", "WE{}", "CE{}", "OCE{}", "RST{}", "CS{}0", "CS{}1", "CS{}2"]
    content = (
        f"    for (place = 0; place < 16; place = place + 1) {{bytes[{32 * row} + 2 * place + 1], "
        f"bytes[{32 * row} + 2 * place]}} = INITVAL_{row:02X}[20*place+:18];\n"
        for row in range(BLOCK_ROWS)
    )
    block = _module(
        BLOCK, [name.format(port) for port in "AB" for name in control],
        {f"{bus}{port}": width for bus, width in (("AD", 14), ("DI", 18), ("DO", 18)) for port in "AB"},
        parameters="".join(f"  parameter INITVAL_{row:02X} = 320'd0;\n" for row in range(BLOCK_ROWS)),
        content="".join(content),
    )  # fmt: skip
    multiplier = _module(MULTIPLIER, ["SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB"], {"A": 18, "B": 18, "C": 18, "P": 36})
    return OTHERS.read_text(encoding="utf-8") + block + multiplier


def _module(text: str, single: list[str], buses: dict[str, int], **parts: str) -> str:
    """Fill a module in: its ports, one a bit, and each bus as a concatenation of them, the highest first."""
    bits = {bus: [f"{bus}{place}" for place in range(width)] for bus, width in buses.items()}
    declared = (
        f"  {'output' if bus.startswith(('DO', 'P')) else 'input'} {', '.join(names)};\n" for bus, names in bits.items()
    )
    joined = {bus: ", ".join(reversed(names)) for bus, names in bits.items()}
    ports = ", ".join([*single, *(name for names in bits.values() for name in names)])
    return text.format(ports=ports, declarations="".join(declared), **parts, **joined)
