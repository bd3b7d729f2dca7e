// A board's netlist with a host at the other end of its serial line. Standard input is what the host does: "s BYTE" in
// hexadecimal sends a byte, "r" asks for a byte, which comes as "R BYTE" on standard output, or "T" if none does.
`timescale 1ns / 1ps
module bench;
  parameter HALF_NS = 41.667;
  parameter DIVISOR = 12;
  parameter LIMIT = 1000000;  // cycles without a byte
  localparam STDIN = 32'h8000_0000;

  reg clk = 0, rx = 1;
  wire tx;
  wire clk_pin = clk;
  wire rx_pin = rx;
  always #HALF_NS clk = ~clk;
  top top (`PORTS);

  reg [7:0] queue[0:255];
  reg [7:0] got, read = 0, written = 0;
  integer bits, quiet = 0, got_code;
  always begin : receive
    @(negedge tx);
    repeat (DIVISOR + DIVISOR / 2) @(posedge clk);
    for (bits = 0; bits < 8; bits = bits + 1) begin
      got[bits] = tx;
      repeat (DIVISOR) @(posedge clk);
    end
    queue[written] = got;
    written = written + 1;
  end

  integer code, place;
  reg [7:0] value;
  reg [9:0] frame;
  initial begin : host
    repeat (1000) @(posedge clk);  // power-on reset
    code = $fgetc(STDIN);
    while (code != -1) begin
      if (code == "s") begin
        got_code = $fscanf(STDIN, "%h", value);
        frame = {1'b1, value, 1'b0};
        for (place = 0; place < 10; place = place + 1) begin
          rx = frame[place];
          repeat (DIVISOR) @(posedge clk);
        end
      end else if (code == "r") begin
        quiet = 0;
        while (read == written && quiet < LIMIT) begin
          @(posedge clk);
          quiet = quiet + 1;
        end
        if (read == written) $display("T");
        else begin
          $display("R %h", queue[read]);
          read = read + 1;
        end
        $fflush;
      end
      code = $fgetc(STDIN);
    end
    $finish;
  end
endmodule
