// The controller with registers in its pads and a chip behind them, as on a board.
`timescale 1ns / 1ps
module pe #(parameter QUARTER_NS = 5.0) (
    input clk, input rst, input flush, input request_valid, output request_ready, input [31:0] request_address,
    input [8:0] request_count, input request_write, output read_valid, input read_ready, output [`BITS-1:0] read_payload,
    input write_valid, output write_ready, input [`BITS-1:0] write_payload, output written, output failed
);
  wire [2:0] order;
  wire [1:0] bank;
  wire [12:0] address;
  wire mask, write_enable;
  wire [15:0] write_data;
  reg [15:0] read_data;
  controller controller (
      .clk(clk), .rst(rst), .flush(flush), .memory__request__valid(request_valid),
      .memory__request__ready(request_ready),
      .memory__request__payload({request_write, request_count, request_address}), .memory__read__valid(read_valid),
      .memory__read__ready(read_ready), .memory__read__payload(read_payload), .memory__write__valid(write_valid),
      .memory__write__ready(write_ready), .memory__write__payload(write_payload), .memory__written(written),
      .memory__failed(failed), .pins__order(order), .pins__bank(bank), .pins__address(address), .pins__mask(mask),
      .pins__write_data(write_data), .pins__write_enable(write_enable), .pins__read_data(read_data)
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
