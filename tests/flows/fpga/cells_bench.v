// Memories of several widths and products, as written and as synthesised, must not differ.
`timescale 1ns / 1ps
module plain (
    input clk, input [2:0] write, input [2:0] enable, input [11:0] write_at, input [11:0] read_at, input [35:0] data,
    output reg [35:0] wide, output reg [17:0] middle, output reg [3:0] narrow, output signed [35:0] product,
    output [35:0] unsigned_product
);
  (* no_rw_check *) reg [35:0] wides[0:511];
  (* no_rw_check *) reg [17:0] middles[0:1023];
  (* no_rw_check *) reg [3:0] narrows[0:4095];
  integer i;
  initial begin
    for (i = 0; i < 512; i = i + 1) wides[i] = {i[8:0], ~i[8:0], i[8:0] + 9'd5, ~i[8:0] + 9'd7};
    for (i = 0; i < 1024; i = i + 1) middles[i] = i * 77;
    for (i = 0; i < 4096; i = i + 1) narrows[i] = i ^ i >> 4;
    wide = 0;
    middle = 0;
    narrow = 0;
  end
  always @(posedge clk) begin
    if (write[0]) wides[write_at[8:0]] <= data;
    if (write[1]) middles[write_at[9:0]] <= data[17:0];
    if (write[2]) narrows[write_at] <= data[3:0];
    if (enable[0]) wide <= wides[read_at[8:0]];
    if (enable[1]) middle <= middles[read_at[9:0]];
    if (enable[2]) narrow <= narrows[read_at];
  end
  assign product = $signed(data[17:0]) * $signed(data[35:18]);
  assign unsigned_product = data[17:0] * data[35:18];
endmodule

module bench;
  reg clk = 0;
  reg [2:0] write = 0, enable = 0;
  reg [11:0] write_at = 0, read_at = 0;
  reg [35:0] data = 0;
  wire [35:0] wide[0:1], product[0:1], unsigned_product[0:1];
  wire [17:0] middle[0:1];
  wire [3:0] narrow[0:1];
  plain written (clk, write, enable, write_at, read_at, data, wide[0], middle[0], narrow[0], product[0], unsigned_product[0]);
  netlist made (
      .clk(clk), .write(write), .enable(enable), .write_at(write_at), .read_at(read_at), .data(data), .wide(wide[1]),
      .middle(middle[1]), .narrow(narrow[1]), .product(product[1]), .unsigned_product(unsigned_product[1])
  );
  integer cycle, wrong = 0;
  initial begin
    for (cycle = 0; cycle < 4000; cycle = cycle + 1) begin
      write = $random;
      enable = $random;
      read_at = $random;
      write_at = read_at ^ 1 << ($random & 7);  // never where it reads
      if (cycle & 1) read_at = read_at & 12'h01f;
      if (cycle & 2) write_at = (write_at & 12'h01f) ^ 12'h020 ^ read_at & 12'h020;
      data = {$random, $random};
      #5;
      if (product[0] !== product[1] || unsigned_product[0] !== unsigned_product[1]) wrong = wrong + 1;
      clk = 1;
      #5;
      if (wide[0] !== wide[1] || middle[0] !== middle[1] || narrow[0] !== narrow[1]) wrong = wrong + 1;
      clk = 0;
    end
    $display("WRONG %0d", wrong);
  end
endmodule
