// Behaviour of the ECP5 cells that yosys leaves without one, as far as builds use them.
`timescale 1ns / 1ps
`include "ccu2c_sim.vh"

// Phase-locked loop: CLKOP and CLKOS at CLKFB_DIV / CLKI_DIV times the input's frequency.
module EHXPLLL #(
    parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOS_DIV = 8, CLKOP_CPHASE = 0, CLKOS_CPHASE = 0,
    CLKOP_FPHASE = 0, CLKOS_FPHASE = 0, FEEDBK_PATH = "CLKOP", CLKOP_ENABLE = "ENABLED", CLKOS_ENABLE = "DISABLED"
) (
    input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC, RST, ENCLKOP,
    output reg CLKOP, output reg CLKOS, output reg LOCK
);
  real since, half;  // ns
  initial begin
    {CLKOP, CLKOS, LOCK} = 0;
    @(posedge CLKI) since = $realtime;
    @(posedge CLKI) half = ($realtime - since) * CLKI_DIV / CLKFB_DIV / 2;
    repeat (8) @(posedge CLKI);
    fork
      forever #half CLKOP = !CLKOP;
      begin
        #(half * 2 * (CLKOS_CPHASE - CLKOP_CPHASE) / CLKOP_DIV);
        forever #half CLKOS = !CLKOS;
      end
      #(20 * half) LOCK = 1;
    join
  end
endmodule

module TRELLIS_IO #(parameter DIR = "INPUT") (inout B, input I, input T, output O);
  generate
    if (DIR != "INPUT") assign B = T === 1'b1 ? 1'bz : I;
    if (DIR != "OUTPUT") assign O = B;
  endgenerate
endmodule

// Pad register at twice the data rate; two cycles late, which for a clock does not matter.
module ODDRX1F #(parameter GSR = "ENABLED") (input SCLK, RST, D0, D1, output Q);
  assign Q = SCLK ? D0 : D1;
endmodule
