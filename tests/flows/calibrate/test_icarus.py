"""Icarus runs the same gates with the library's own Verilog models: every net toggles as often as ours."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from flows.calibrate import drive, streams, synthesis
from flows.calibrate.library import Library
from flows.calibrate.simulation import simulate
from flows.verify import design, tools
from rtl.pe.integer import IntegerMac

PE = IntegerMac(x_bits=4, w_bits=4, accumulator=10)


START = 3
"""The cycle from which toggles are counted: by then every register holds what is known to Icarus too."""


def bench(ports, widths):
    """A test bench that sets every port at the rising edge, behind what registers take."""
    lines = [f"reg [{width - 1}:0] {name};" for name, width in widths.items()]
    connections = ", ".join(f".{name}({name})" for name in (*widths, "clk"))
    steps = []
    for cycle in range(ports["rst"].shape[1]):
        sets = " ".join(f"{name} <= {int(ports[name][0, cycle]) & ((1 << width) - 1)};" for name, width in widths.items())
        steps.append(f"clk = 1; {sets} #5 {'$dumpvars(1, dut);' if cycle == START else ''} clk = 0; #5")
    return (
        f"`timescale 1ns/1ns\nmodule bench; reg clk = 0; {' '.join(lines)} {design.TOP} dut({connections});\n"
        f'initial begin $dumpfile("waves.vcd");\n{chr(10).join(steps)} $finish; end endmodule\n'
    )


def toggles(vcd):
    """Changes between 0 and 1 of every bit, by its name such as ``x[3]``; from ``x`` to a value is none."""
    names, values, counts = {}, {}, {}
    for line in vcd.splitlines():
        if declared := re.match(r"\$var \w+ (\d+) (\S+) (\S+)(?: \[(\d+)(?::(\d+))?\])? \$end", line):
            names.setdefault(declared[2], []).append((declared[3], int(declared[1]), int(declared[5] or declared[4] or 0)))
        elif changed := re.match(r"(?:b([01xz]+) |([01xz]))(\S+)$", line):
            for name, width, low in names.get(changed[3], []):
                text = (changed[1] or changed[2]).rjust(width, changed[1][0] if changed[1] and changed[1][0] in "xz" else "0")
                for bit, value in enumerate(text[::-1]):
                    key = (name, low + bit)
                    counts[key] = counts.get(key, 0) + ({values.get(key), value} == {"0", "1"})
                    values[key] = value
    return counts


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed (apt-get install iverilog)")
def test_every_net_toggles_as_often_as_in_icarus(tmp_path):
    library = Library([tools.cells("osu018_stdcells.lib")])
    synthesis.place(library, tmp_path)
    netlist = synthesis.synthesise(PE.create(), library, tmp_path, synthesis.Recipe())
    ports = drive.schedule(PE, streams.designed(PE, 1, 300, seed=8)).ports
    ports["valid"][:, 1] = ports["first"][:, 1] = 1  # a sum starts before toggles are counted
    waves = simulate(netlist, ports)
    (tmp_path / "bench.v").write_text(bench(ports, {name: len(bits) for name, bits in netlist.inputs.items()}))
    files = ["bench.v", "gates.v", str(tools.cells("osu018_stdcells.v"))]
    subprocess.run(["iverilog", "-g2012", "-o", "bench.vvp", *files], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["vvp", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True)
    theirs = toggles((tmp_path / "waves.vcd").read_text())
    module = json.loads((tmp_path / "gates.json").read_text())["modules"][design.TOP]
    values = np.stack([waves.bits(net)[START:, 0] for net in netlist.nets]).astype(int)
    ours = dict(zip(netlist.nets, np.abs(np.diff(values)).sum(axis=1).tolist(), strict=True))
    compared = set()
    for name, described in module["netnames"].items():
        for bit, net in enumerate(described["bits"]):
            if net in ours:
                assert theirs[name, bit] == ours[net], f"{name}[{bit}]"
                compared.add(net)
    assert compared == set(netlist.nets)
    assert sum(ours.values()) > 1000
