// A synchronous DRAM of 16 bits that keeps to its data sheet: a rule that is broken ends the simulation. What is read
// is on the pins from T_AC after a clock edge to T_OH after the next, and unknown in between.
`timescale 1ns / 1ps
module sdram #(
    parameter ROW_BITS = 13, COLUMN_BITS = 9,
    parameter WORDS = 1 << 16,  // that are modelled, from address 0 on; others may not be used
    parameter real POWER_UP = 200000.0, T_REFI = 7812.5,  // ns
    parameter real T_RCD = 21.0, T_RP = 21.0, T_RAS = 45.0, T_RFC = 70.0, T_WR = 20.0, T_AC = 6.0, T_OH = 2.5,
    parameter T_MRD = 2  // cycles
) (
    input clk, input cke, input cs_n, input ras_n, input cas_n, input we_n, input [1:0] dqm, input [1:0] ba,
    input [ROW_BITS-1:0] a, inout [15:0] dq
);
  localparam [2:0] NOTHING = 0, WRITE = 3, READ = 2, ACTIVATE = 4, PRECHARGE = 5, REFRESH = 6, MODE = 7;
  localparam SLOTS = 16;

  reg [15:0] store[0:WORDS-1];
  reg [8*256-1:0] file;
  initial if ($value$plusargs("sdram=%s", file)) $readmemh(file, store);

  wire [2:0] order = cs_n ? NOTHING : ~{ras_n, cas_n, we_n};
  reg [3:0] open = 0;
  reg [ROW_BITS-1:0] row[0:3];
  real opened[0:3];
  real closed = -1e9, refreshed = -1e9, written = -1e9, ready = 0, start = -1;  // ns; start: of the clock
  integer refreshes = 0, since_mode = -1, burst = 1, latency = 2, beats = 0, writes = 0, place = 0, i;
  reg precharged = 0;

  reg [SLOTS-1:0] coming = 0;  // words to be put on the pins, the next one lowest
  integer from[0:SLOTS-1];
  reg drives = 0;
  reg [15:0] out;
  assign dq = drives ? out : 16'bz;

  task rule(input holds, input [8*40-1:0] name);
    if (!holds) begin
      $display("ERROR SDRAM at %0.1f ns: %0s", $realtime, name);
      $finish;
    end
  endtask

  function integer word(input [1:0] bank, input [ROW_BITS-1:0] r, input integer column);
    word = ((r << 2 | bank) << COLUMN_BITS) + column;
  endfunction

  always @(posedge clk) begin
    if (start < 0) start = $realtime;
    if (since_mode >= 0) since_mode = since_mode + 1;
    if (beats != 0) beats = beats - 1;
    if (order != NOTHING) begin
      rule(cke, "clock enable");
      rule($realtime - start >= POWER_UP, "power-up time");
      rule(since_mode >= 0 || dqm == 3, "not masked at power-up");
      rule(since_mode < 0 || since_mode >= T_MRD, "tMRD");
      rule($realtime - refreshed >= T_RFC, "tRFC");
    end
    rule(since_mode < 0 || $realtime - ready <= (refreshes + 2) * T_REFI, "refreshed too late");
    case (order)
      ACTIVATE: begin
        rule(since_mode >= 0, "mode not set");
        rule(!open[ba], "bank is open");
        rule($realtime - closed >= T_RP, "tRP");
        open[ba] = 1;
        row[ba] = a;
        opened[ba] = $realtime;
      end
      READ, WRITE: begin
        rule(open[ba], "bank is closed");
        rule($realtime - opened[ba] >= T_RCD, "tRCD");
        rule(!a[10], "automatic precharge is not modelled");
        rule(beats == 0, "burst cut short");
        rule(dqm == 0, "masked");
        rule(a % burst == 0, "burst wraps");
        beats = burst;
        place = word(ba, row[ba], a & ((1 << COLUMN_BITS) - 1));
        rule(place + burst <= WORDS, "beyond the modelled words");
        if (order == WRITE) begin
          rule(coming == 0 && !drives, "two drive the data");
          writes = burst;
        end else
          for (i = 0; i < burst; i = i + 1) begin
            coming[latency-1+i] = 1;
            from[latency-1+i] = place + i;
          end
      end
      PRECHARGE: begin
        for (i = 0; i < 4; i = i + 1)
          rule(!open[i] || !(a[10] || ba == i) || $realtime - opened[i] >= T_RAS, "tRAS");
        rule(beats == 0, "burst cut short");
        rule($realtime - written >= T_WR, "tWR");
        open = a[10] ? 0 : open & ~(1 << ba);
        closed = $realtime;
        precharged = precharged | a[10];
      end
      REFRESH: begin
        rule(precharged, "banks not precharged");
        rule(open == 0, "bank is open");
        rule($realtime - closed >= T_RP, "tRP");
        refreshes = refreshes + 1;
        refreshed = $realtime;
      end
      MODE: begin
        rule(open == 0 && precharged && refreshes >= 8, "start-up sequence");
        rule($realtime - closed >= T_RP, "tRP");
        rule(ba == 0 && a[ROW_BITS-1:7] == 0 && !a[3] && a[2:0] < 4 && (a[6:4] == 2 || a[6:4] == 3), "mode");
        burst = 1 << a[2:0];
        latency = a[6:4];
        since_mode = 0;
        refreshes = 0;
        ready = $realtime;
      end
      NOTHING: ;
      default: rule(0, "unknown command");
    endcase
    if (writes != 0) begin
      rule(^dq !== 1'bx, "unknown data");
      store[place+burst-writes] = dq;
      writes = writes - 1;
      written = $realtime;
    end
    #T_OH drives = drives & coming[0];
    out = 16'bx;
    #(T_AC - T_OH) drives = coming[0];
    out = store[from[0]];
    coming = coming >> 1;
    for (i = 0; i < SLOTS - 1; i = i + 1) from[i] = from[i+1];
  end
endmodule
