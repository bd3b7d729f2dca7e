"""What `hwsim rtl emit` writes, used as a stranger would: a plain Verilog test bench made of port map and vectors."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows.verify import tools
from flows.verify.emit import emit
from rtl.pe import find

BENCH = """
module bench;
  reg clk = 0; always #5 clk = ~clk;
  reg rst = 1, valid = 0, first = 0, last = 0;
  wire ready, done;
  {declarations}
  {name} dut ({links});
  reg [{top}:0] expected [0:{count}];
  integer head = 0, tail = 0, wrong = 0;
  always @(negedge clk) if (done) begin
    if ({{{results}}} !== expected[head]) wrong = wrong + 1;
    head = head + 1;
  end
  task beat; begin
    valid = 1; #1; while (!ready) begin @(negedge clk); #1; end
    @(negedge clk); valid = 0;
  end endtask
  initial begin
    repeat (3) @(negedge clk);
    rst = 0;
{rows}
    repeat (60) @(negedge clk);
    $display("%0d of %0d results, %0d wrong", head, tail, wrong);
    $finish;
  end
endmodule
"""


def bench(described: dict[str, Any], rows: list[dict[str, str]]) -> str:
    ports = described["ports"]
    operands = [name for name, port in ports.items() if port["meaning"] == "operand"]
    results = [name for name, port in ports.items() if port["meaning"] == "result"]
    kinds = {**dict.fromkeys(operands, "reg"), **dict.fromkeys(results, "wire")}

    def literal(name: str, value: str) -> str:
        return f"{ports[name]['bits']}'d{int(value) % (1 << ports[name]['bits'])}"

    lines = []
    for row in rows:
        drive = " ".join(f"{name} = {literal(name, row[name])};" for name in operands)
        if row["last"] == "1":
            value = ", ".join(literal(name, row[f"expected_{name}"]) for name in results)
            drive += f" expected[tail] = {{{value}}}; tail = tail + 1;"
        lines.append(f"    repeat ({row['idle']}) @(negedge clk);\n    first = {row['first']}; last = {row['last']}; {drive} beat;")
    return BENCH.format(
        declarations="\n  ".join(f"{kind} [{ports[name]['bits'] - 1}:0] {name};" for name, kind in kinds.items()),
        name=described["module"], links=", ".join(f".{name}({name})" for name in ports),
        top=sum(ports[name]["bits"] for name in results) - 1, count=len(rows),
        results=", ".join(results), rows="\n".join(lines),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["shift8_last", "serial4", "psg4x6", "simhash8x4", "fusible16", "e4m3_mac"])
def test_a_plain_test_bench_agrees_with_the_vectors(name: str, tmp_path: Path) -> None:
    verilog, ports, vectors = emit(find(name), name, tmp_path, 120)
    with vectors.open() as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "bench.v").write_text(bench(json.loads(ports.read_text()), rows))
    compiled = str(tmp_path / "bench.vvp")
    subprocess.run([str(tools.find("iverilog")), "-g2012", "-o", compiled, str(tmp_path / "bench.v"), str(verilog)], check=True)
    done = subprocess.run([str(tools.find("vvp")), compiled], check=True, capture_output=True, text=True)
    wanted = sum(row["last"] == "1" for row in rows)
    assert wanted > 20
    assert f"{wanted} of {wanted} results, 0 wrong" in done.stdout
