// Registers in the pads of a controller's pins, and a chip behind them, as on a board.
`timescale 1ns / 1ps
module pads #(parameter QUARTER_NS = `QUARTER_NS) (
    input clk, input [2:0] order, input [1:0] bank, input [12:0] address, input mask, input [15:0] write_data,
    input write_enable, output reg [15:0] read_data
);
  reg clk_late = 0, drive = 0;
  always @(clk) #QUARTER_NS clk_late = clk;
  reg [2:0] order_out = 0;
  reg [1:0] bank_out, mask_out = 3;
  reg [12:0] address_out;
  reg [15:0] data_out;
  wire [15:0] dq = drive ? data_out : 16'bz;
  always @(posedge clk) begin
    order_out <= order;
    bank_out <= bank;
    address_out <= address;
    mask_out <= {2{mask}};
    data_out <= write_data;
    drive <= write_enable;
    read_data <= dq;
  end
  sdram #(.WORDS(1 << 20) `RULES) chip (
      .clk(clk_late), .cke(1'b1), .cs_n(1'b0), .ras_n(!order_out[2]), .cas_n(!order_out[1]), .we_n(!order_out[0]),
      .dqm(mask_out), .ba(bank_out), .a(address_out), .dq(dq)
  );
endmodule
