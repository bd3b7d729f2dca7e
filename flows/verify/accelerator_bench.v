// Runs programs on the accelerator's core with a behavioural memory: no synthesis, any simulator.
//
// +memory=FILE +words=N  contents of the memory, hexadecimal, a word per line
// +programs=FILE         a line of hexadecimal addresses: the programs to run one after the other
// +result=FILE           contents of the memory afterwards
// +latency=N             cycles from a request to the first word, and from the last word to the end of a write
// +interval=N            cycles from a word that is read to the next one of its burst
// +stalls=N +seed=N      of 256 cycles, how many the memory lets each of its handshakes wait
// +limit=N               cycles after which the bench gives up
// +reset_at=N            a reset in that cycle of the first program, which is then started again
`timescale 1ns / 1ps
module bench;
    parameter BITS = 64;
    parameter DEPTH = 1 << 20;
    parameter COUNTERS = 1;

    reg clk = 0, rst = 1, start = 0, again = 1;
    reg [31:0] start_at = 0;
    wire running, done, request_valid, request_write, read_ready, write_valid;
    wire [3:0] error;
    wire [15:0] index;
    wire [32 * COUNTERS - 1 : 0] counters;
    wire [41:0] request;
    wire [BITS - 1 : 0] write_word;

    reg [BITS - 1 : 0] memory [0 : DEPTH - 1];
    reg busy = 0, writing = 0, stall = 0, failed = 0;
    reg [31:0] address = 0, cycle = 0;
    reg [8:0] left = 0;
    reg [31:0] pause = 0, random = 0;
    wire request_ready = !busy && !stall;
    wire read_valid = busy && !writing && left != 0 && pause == 0 && !stall;
    wire write_ready = busy && writing && left != 0 && !stall;
    wire written = busy && writing && left == 0 && pause == 0;

    integer interval = 1, words, latency, stalls, limit, reset_at, programs, found;
    reg [8191:0] name;

    always #5 clk = !clk;

    accelerator core(
        .clk(clk), .rst(rst), .start(start), .entry(start_at), .running(running), .done(done), .error(error),
        .index(index), .counters(counters),
        .memory__request__valid(request_valid), .memory__request__ready(request_ready),
        .memory__request__payload(request),
        .memory__read__valid(read_valid), .memory__read__ready(read_ready), .memory__read__payload(memory[address]),
        .memory__write__valid(write_valid), .memory__write__ready(write_ready), .memory__write__payload(write_word),
        .memory__written(written), .memory__failed(failed)
    );

    always @(posedge clk) begin
        cycle <= cycle + 1;
        random <= random * 1103515245 + 12345;
        stall <= random[23:16] < stalls;
        failed <= 0;
        if (pause != 0) pause <= pause - 1;
        if (request_valid && request_ready) begin
            busy <= 1;
            writing <= request[41];
            address <= request[31:0];
            left <= request[40:32];
            pause <= request[41] ? 0 : latency - 1;
            failed <= request[31:0] + request[40:32] > words;
        end
        if (read_valid && read_ready) begin
            address <= address + 1;
            left <= left - 1;
            pause <= interval - 1;
            if (left == 1) busy <= 0;
        end
        if (write_valid && write_ready) begin
            memory[address] <= write_word;
            address <= address + 1;
            left <= left - 1;
            if (left == 1) pause <= latency - 1;
        end
        if (written || rst) busy <= 0;
        if (cycle == limit) begin
            $display("LIMIT");
            $finish;
        end
    end

    initial begin
        found = $value$plusargs("words=%d", words);
        found = $value$plusargs("memory=%s", name);
        $readmemh(name, memory, 0, words - 1);
        found = $value$plusargs("latency=%d", latency);
        found = $value$plusargs("interval=%d", interval);
        found = $value$plusargs("stalls=%d", stalls);
        found = $value$plusargs("seed=%d", random);
        found = $value$plusargs("limit=%d", limit);
        found = $value$plusargs("reset_at=%d", reset_at);
        found = $value$plusargs("programs=%s", name);
        programs = $fopen(name, "r");
        repeat (2) @(negedge clk);
        rst = 0;
        while ($fscanf(programs, "%h", start_at) == 1) begin
            start = 1;
            @(negedge clk);
            start = 0;
            if (reset_at != 0) begin
                repeat (reset_at) @(negedge clk);
                rst = 1;
                @(negedge clk);
                rst = 0;
                start = 1;
                @(negedge clk);
                start = 0;
                reset_at = 0;
            end
            while (!done) @(negedge clk);
            @(negedge clk);
            $display("DONE %h %h %h", error, index, counters);
        end
        found = $value$plusargs("result=%s", name);
        $writememh(name, memory, 0, words - 1);
        $finish;
    end
endmodule
