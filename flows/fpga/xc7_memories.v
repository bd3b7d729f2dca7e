// Block memories of Xilinx 7-series as yosys instantiates them: without output registers, cascades and ECC. Reading a
// byte that the other port writes in the same cycle gives its old value if that port reads first, otherwise X.
`timescale 1ns / 1ps

// Both memories. HALF: data bits of a port of its own; SDP reads through port A and writes through port B, at most twice
// as wide. Data and parity have byte addresses; words narrower than a byte have no parity.
module xc7_block_memory #(
  parameter HALF = 16,
  parameter SDP = 0,
  parameter READ_A = 0, READ_B = 0, WRITE_A = 0, WRITE_B = 0,  // widths with parity, 0: unused
  parameter MODE_A = "WRITE_FIRST", MODE_B = "WRITE_FIRST",
  parameter [9*HALF/4-1:0] START_A = 0, START_B = 0, RESET_A = 0, RESET_B = 0  // parity above data
) (
  input [1:0] clk, en, rst,
  input [15:0] addr_a, addr_b,
  input [HALF-1:0] di_a, di_b,
  input [HALF/8-1:0] dip_a, dip_b, we_a,
  input [HALF/4-1:0] we_b,
  output [HALF-1:0] do_a, do_b,
  output [HALF/8-1:0] dop_a, dop_b
);
  localparam BYTES = HALF * 128, LANES = HALF / 4;
  reg [7:0] data[0:BYTES-1];
  reg parity[0:BYTES-1];

  function integer bits(input integer width);  // data bits of a width with parity
    bits = width < 9 ? width : width / 9 * 8;
  endfunction

  wire [15:0] addr[0:1];
  wire [2*HALF-1:0] di[0:1];
  wire [LANES-1:0] dip[0:1], we[0:1];
  wire wide = SDP && bits(WRITE_B) > HALF;
  assign addr[0] = addr_a, addr[1] = addr_b;
  assign di[0] = di_a, di[1] = wide ? {di_b, di_a} : di_b;
  assign dip[0] = dip_a, dip[1] = wide ? {dip_b, dip_a} : dip_b;
  assign we[0] = WRITE_A ? we_a : 0, we[1] = WRITE_B ? we_b : 0;

  genvar p;
  generate
    for (p = 0; p < 2; p = p + 1) begin : port
      localparam READ = bits(p ? READ_B : READ_A), WRITE = bits(p ? WRITE_B : WRITE_A);
      localparam OTHER = bits(p ? WRITE_A : WRITE_B), OTHER_FIRST = (p ? MODE_A : MODE_B) == "READ_FIRST";
      localparam MODE = p ? MODE_B : MODE_A;
      localparam [9*HALF/4-1:0] START = p ? START_B : START_A, RESET = p ? RESET_B : RESET_A;
      reg [2*HALF-1:0] q = START[2*HALF-1:0];
      reg [LANES-1:0] qp = START[9*HALF/4-1:2*HALF];
      localparam [7:0] MASK = (1 << (WRITE < 8 ? WRITE : 8)) - 1;
      integer lane, place, at;
      always @(posedge clk[p]) if (en[p]) begin
        for (lane = 0; 8 * lane < READ; lane = lane + 1) begin
          place = (addr[p] & ~(READ - 1)) / 8 + lane;
          at = READ < 8 ? addr[p] & 7 & ~(READ - 1) : 0;
          if (!(|(we[p]) && MODE == "NO_CHANGE")) begin
            q[8*lane+:8] <= data[place] >> at;
            qp[lane] <= parity[place];
            if (!OTHER_FIRST && OTHER && en[!p] && place >= (addr[!p] & ~(OTHER - 1)) / 8
                && place <= (addr[!p] | (OTHER - 1)) / 8 && we[!p][OTHER < 8 ? 0 : place % (OTHER / 8)]) begin
              q[8*lane+:8] <= 8'bx;
              qp[lane] <= 1'bx;
            end
          end
        end
        for (lane = 0; 8 * lane < WRITE; lane = lane + 1) if (we[p][lane]) begin
          place = (addr[p] & ~(WRITE - 1)) / 8 + lane;
          at = addr[p] & 7 & ~(WRITE - 1);
          if (WRITE < 8) data[place] <= data[place] & ~(MASK << at) | (di[p] & MASK) << at;
          else begin
            data[place] <= di[p][8*lane+:8];
            parity[place] <= dip[p][lane];
          end
          if (MODE == "WRITE_FIRST") begin
            q[8*lane+:8] <= di[p][8*lane+:8];
            qp[lane] <= dip[p][lane];
          end
        end
        if (rst[p]) {qp, q} <= RESET;
      end
    end
  endgenerate
  assign do_a = port[0].q, dop_a = port[0].qp;
  assign do_b = SDP ? port[0].q >> HALF : port[1].q, dop_b = SDP ? port[0].qp >> HALF / 8 : port[1].qp;
endmodule

`define ROW(name) parameter [255:0] name``0 = 0, name``1 = 0, name``2 = 0, name``3 = 0, name``4 = 0, name``5 = 0, \
  name``6 = 0, name``7 = 0, name``8 = 0, name``9 = 0, name``A = 0, name``B = 0, name``C = 0, name``D = 0, name``E = 0, \
  name``F = 0;
`define BITS(name) {name``F, name``E, name``D, name``C, name``B, name``A, name``9, name``8, name``7, name``6, name``5, \
  name``4, name``3, name``2, name``1, name``0}
`define OPTIONS(width) \
  parameter RAM_MODE = "TDP"; \
  parameter integer READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0, DOA_REG = 0, DOB_REG = 0; \
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST"; \
  parameter [width-1:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0; \
  parameter [0:0] IS_CLKARDCLK_INVERTED = 0, IS_CLKBWRCLK_INVERTED = 0, IS_ENARDEN_INVERTED = 0; \
  parameter [0:0] IS_ENBWREN_INVERTED = 0, IS_RSTRAMARSTRAM_INVERTED = 0, IS_RSTRAMB_INVERTED = 0; \
  parameter [0:0] IS_RSTREGARSTREG_INVERTED = 0, IS_RSTREGB_INVERTED = 0;
`define HALF(width) (width / 9 * 8)
`define VALUE(width, low, high) {high[width-1:`HALF(width)], low[width-1:`HALF(width)], high[`HALF(width)-1:0], \
  low[`HALF(width)-1:0]}
`define MEMORY(width) \
  initial if (DOA_REG || DOB_REG) $fatal(1, "output registers have no model"); \
  xc7_block_memory #( \
    .HALF(`HALF(width)), .SDP(RAM_MODE == "SDP"), .READ_A(READ_WIDTH_A), .READ_B(READ_WIDTH_B), \
    .WRITE_A(WRITE_WIDTH_A), .WRITE_B(WRITE_WIDTH_B), .MODE_A(WRITE_MODE_A), .MODE_B(WRITE_MODE_B), \
    .START_A(`VALUE(width, INIT_A, INIT_B)), .START_B(`VALUE(width, INIT_B, INIT_B)), \
    .RESET_A(`VALUE(width, SRVAL_A, SRVAL_B)), .RESET_B(`VALUE(width, SRVAL_B, SRVAL_B)) \
  ) memory ( \
    .clk({CLKBWRCLK ^ IS_CLKBWRCLK_INVERTED, CLKARDCLK ^ IS_CLKARDCLK_INVERTED}), \
    .en({ENBWREN ^ IS_ENBWREN_INVERTED, ENARDEN ^ IS_ENARDEN_INVERTED}), \
    .rst({RSTRAMB ^ IS_RSTRAMB_INVERTED, RSTRAMARSTRAM ^ IS_RSTRAMARSTRAM_INVERTED}), \
    .addr_a(address_a), .addr_b(address_b), .di_a(DIADI), .di_b(DIBDI), .dip_a(DIPADIP), .dip_b(DIPBDIP), \
    .we_a(WEA), .we_b(WEBWE), .do_a(DOADO), .do_b(DOBDO), .dop_a(DOPADOP), .dop_b(DOPBDOP) \
  ); \
  integer place; \
  initial for (place = 0; place < `HALF(width) * 128; place = place + 1) begin \
    memory.data[place] = DATA[8*place+:8]; \
    memory.parity[place] = PARITY[place]; \
  end

module RAMB18E1 (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input [13:0] ADDRARDADDR, ADDRBWRADDR,
  input [15:0] DIADI, DIBDI,
  input [1:0] DIPADIP, DIPBDIP, WEA,
  input [3:0] WEBWE,
  output [15:0] DOADO, DOBDO,
  output [1:0] DOPADOP, DOPBDOP
);
  `OPTIONS(18)
  `ROW(INIT_0) `ROW(INIT_1) `ROW(INIT_2) `ROW(INIT_3) `ROW(INITP_0)
  localparam [16383:0] DATA = {`BITS(INIT_3), `BITS(INIT_2), `BITS(INIT_1), `BITS(INIT_0)};
  localparam [4095:0] PARITY = `BITS(INITP_0);
  wire [15:0] address_a = ADDRARDADDR, address_b = ADDRBWRADDR;
  `MEMORY(18)
endmodule

module RAMB36E1 (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input CASCADEINA, CASCADEINB, INJECTDBITERR, INJECTSBITERR,
  input [15:0] ADDRARDADDR, ADDRBWRADDR,
  input [31:0] DIADI, DIBDI,
  input [3:0] DIPADIP, DIPBDIP, WEA,
  input [7:0] WEBWE,
  output [31:0] DOADO, DOBDO,
  output [3:0] DOPADOP, DOPBDOP,
  output CASCADEOUTA, CASCADEOUTB, SBITERR, DBITERR,
  output [7:0] ECCPARITY,
  output [8:0] RDADDRECC
);
  parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE";
  `OPTIONS(36)
  `ROW(INIT_0) `ROW(INIT_1) `ROW(INIT_2) `ROW(INIT_3) `ROW(INIT_4) `ROW(INIT_5) `ROW(INIT_6) `ROW(INIT_7)
  `ROW(INITP_0)
  localparam [32767:0] DATA = {`BITS(INIT_7), `BITS(INIT_6), `BITS(INIT_5), `BITS(INIT_4), `BITS(INIT_3),
                               `BITS(INIT_2), `BITS(INIT_1), `BITS(INIT_0)};
  localparam [4095:0] PARITY = `BITS(INITP_0);
  initial if (RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE") $fatal(1, "cascades have no model");
  wire [15:0] address_a = ADDRARDADDR[14:0], address_b = ADDRBWRADDR[14:0];
  `MEMORY(36)
endmodule
