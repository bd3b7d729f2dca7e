// A board's design with a host at the other end of its serial line, and a chip of SDRAM if there is one. Standard input
// is what the host does: "s BYTE" in hexadecimal sends a byte, "r" asks for a byte, which comes as "R BYTE" on standard
// output, or "T" if none does.
`timescale 1ns / 1ps
module bench;
  parameter HALF_NS = 41.667;
  parameter BIT_NS = 1000.0;
  parameter WAKE = 1000;  // cycles until it listens
  parameter LIMIT = 100000;  // cycles without a byte
  localparam STDIN = 32'h8000_0000;

  reg clk = 0, rx = 1;
  wire tx;
  wire clk_pin = clk;
  wire rx_pin = rx;
  always #HALF_NS clk = ~clk;
  top top (`PORTS);
`ifdef SDRAM
  wire sd_clk, sd_clk_en, sd_cs, sd_ras, sd_cas, sd_we;
  wire [1:0] sd_dqm, sd_ba;
  wire [12:0] sd_a;
  wire [15:0] sd_dq;
  sdram #(`SDRAM) chip (
      .clk(sd_clk), .cke(sd_clk_en), .cs_n(sd_cs), .ras_n(sd_ras), .cas_n(sd_cas), .we_n(sd_we), .dqm(sd_dqm),
      .ba(sd_ba), .a(sd_a), .dq(sd_dq)
  );
`endif

  reg [7:0] queue[0:255];
  reg [7:0] got, read = 0, written = 0;
  integer bits, quiet = 0, got_code;
  initial begin : receive
    repeat (WAKE) @(posedge clk);
    forever begin
      @(negedge tx);
      #(1.5 * BIT_NS);
      for (bits = 0; bits < 8; bits = bits + 1) begin
        got[bits] = tx;
        #BIT_NS;
      end
      queue[written] = got;
      written = written + 1;
    end
  end

  integer code, place;
  reg [7:0] value;
  reg [9:0] frame;
  initial begin : host
    repeat (WAKE) @(posedge clk);
    code = $fgetc(STDIN);
    while (code != -1) begin
      if (code == "s") begin
        got_code = $fscanf(STDIN, "%h", value);
        frame = {1'b1, value, 1'b0};
        for (place = 0; place < 10; place = place + 1) begin
          rx = frame[place];
          #BIT_NS;
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
