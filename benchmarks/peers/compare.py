"""Map the same layers on the same chip with hwsim and with its peers, and compare time, quality and counts.

    python -m benchmarks.peers.compare --install     # makes an environment for each peer under build/peers
    python -m benchmarks.peers.compare               # runs those that are there, writes results.json and the tables
    python -m benchmarks.peers.compare --only zigzag # runs one again

A peer that is not installed is reported as that, and its figures of an earlier run are dropped.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers import chip, latency, ours
from benchmarks.peers.tables import tables
from hwsim.cost.systolic import Run
from hwsim.files import write_text
from hwsim.mapping.objective import LATENCY

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.json", HERE.parents[1] / "docs" / "peers.md"
BEGIN, END = "<!-- tables: python -m benchmarks.peers.compare -->\n", "<!-- end of tables -->"


class Peer(NamedTuple):
    """A tool with an environment of its own."""

    packages: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()
    python: tuple[int, int] = (3, 11)
    """Least version of Python."""
    program: str = ""
    """What must be on the path beside."""


PEERS = {
    "zigzag": Peer(("zigzag-dse==3.9.1", "six"), "zigzag_driver.py"),
    "accelforge": Peer(
        ("accelforge==1.0.467",), "accelforge_driver.py", ("fc", "layer4.0 1x1"), (3, 12), "dot"
    ),
    "scalesim": Peer(("scalesim==3.0.0", "numpy==1.26.4", "pandas<3"), "scalesim_golden.py"),
}  # fmt: skip
SCALESIM_LAYER = "resnet18.layer4.1x1"


def install(folder: Path, python: str) -> None:
    """Make the environments of the peers that ``python`` is new enough for."""
    for name, peer in PEERS.items():
        home = folder / name
        printed, _ = child([python, "-c", "import sys; print(*sys.version_info[:2])"])
        if tuple(map(int, printed.split())) < peer.python:
            print(f"{name}: needs Python {peer.python[0]}.{peer.python[1]}; give one with --python", file=sys.stderr)
        elif not (home / "bin" / "python").exists():
            subprocess.run([python, "-m", "venv", home], check=True)
            subprocess.run([home / "bin" / "pip", "install", "--quiet", *peer.packages], check=True)


def child(command: Iterable[str | Path]) -> tuple[str, float]:
    """Run a program; return what it printed and the CPU seconds it took, start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(list(command), capture_output=True, text=True, env=quiet, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_peer(name: str, folder: Path) -> dict[str, Any]:
    """Return what a peer found, or why it is missing."""
    peer, python = PEERS[name], folder / name / "bin" / "python"
    if not python.exists():
        return {"missing": "not installed"}
    if peer.program and not shutil.which(peer.program):
        return {"missing": f"not run: the program {peer.program} is missing"}
    if name == "scalesim":
        return run_scalesim(python)
    printed, _ = child([python, HERE / peer.script, *peer.arguments])
    found: dict[str, Any] = json.loads(printed)
    return found


def run_scalesim(python: Path) -> dict[str, Any]:
    """Cycles of one layer in every dataflow, by SCALE-Sim and by the closed form."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "golden.csv"
        _, cpu_s = child([python, HERE / "scalesim_golden.py", table, "--only", SCALESIM_LAYER])
        lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    results = []
    start = time.process_time()
    for row in csv.DictReader(lines):
        size = {key: int(value) for key, value in row.items() if value.isdigit()}
        pixels = -(-(size["image_rows"] - size["kernel_rows"]) // size["stride"]) + 1  # it rounds up
        taps = size["kernel_rows"] * size["kernel_columns"] * size["channels"]
        run = Run(pixels**2, taps, size["filters"], size["rows"], size["columns"], row["dataflow"])
        results.append({"dataflow": row["dataflow"], "cycles": size["total_cycles"], "ours": run.scalesim_total_cycles})
    ours_s = time.process_time() - start
    return {
        "peer": PEERS["scalesim"].packages[0].replace("==", " "), "layer": SCALESIM_LAYER, "cpu_s": round(cpu_s, 2),
        "ours_cpu_s": ours_s, "results": results,
    }  # fmt: skip


def run_ours(zigzag: dict[str, Any], accelforge: dict[str, Any]) -> list[dict[str, Any]]:
    """Our optimum of every layer, and what our model says of the peers' mappings where it can be said."""
    of_zigzag, of_accelforge = (
        {result["layer"]: result for result in found.get("results", ())} for found in (zigzag, accelforge)
    )
    rows = []
    for layer in chip.RESNET18:
        even, spent = ours.optimum(layer, ours.even_hierarchy())
        row = {"layer": layer.name, "cpu_s": round(spent, 4), "energy_pj": even.cost.energy_pj}
        if layer.name in of_zigzag:
            row |= against_zigzag(layer, of_zigzag[layer.name])
        if layer.name in of_accelforge:
            row["accelforges_nesting_pj"] = ours.uneven_optimum_pj(layer, of_accelforge[layer.name]["registers"])
        rows.append(row)
    return rows


def against_zigzag(layer: chip.Layer, result: dict[str, Any]) -> dict[str, Any]:
    """Cost of the peer's mapping in our model, and our optimum where registers nest as they do in it."""
    try:
        translated = ours.translate(result)
    except ours.UnevenError:
        return {"zigzag_pj": None}
    same, spent = ours.optimum(layer, translated.hierarchy)
    in_its_terms = ours.energy_pj(ours.in_zigzags_terms(translated), translated.problem.points)
    timed = {} if translated.hierarchy.pool else cycles(layer, translated)  # one port is not that of several memories
    return {
        "zigzag_pj": translated.cost.energy_pj, "zigzags_terms_pj": in_its_terms,
        "same_nesting_pj": same.cost.energy_pj, "same_nesting_cpu_s": round(spent, 2), **timed,
    }  # fmt: skip


def cycles(layer: chip.Layer, translated: ours.Translated) -> dict[str, float]:
    """Cycles of the peer's mapping in our model and in its own terms, and those of our fastest with its nesting."""
    fastest, spent = ours.optimum(layer, latency.ported(translated.hierarchy), LATENCY)
    return {
        "zigzags_mapping_cycles": latency.cycles(translated),
        "zigzags_terms_cycles": latency.cycles_in_zigzags_terms(translated),
        "least_cycles": fastest.cost.cycles, "least_cycles_cpu_s": round(spent, 2),
    }  # fmt: skip


def timeloop() -> dict[str, Any]:
    """Timeloop has no package; only its presence is looked for."""
    if shutil.which("timeloop-mapper"):
        return {"missing": "found, but this script has no driver for it"}
    return {"missing": "not installed: it has no package; its sources need Boost, yaml-cpp, libconfig++ and Barvinok"}


def main() -> None:
    """Install or run, write the results and put the tables into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=Path("build/peers"))
    parser.add_argument("--install", action="store_true", help="Make the environments and stop.")
    parser.add_argument("--python", default=sys.executable, help="Interpreter to make them with.")
    parser.add_argument("--only", choices=PEERS, help="Run this peer and keep what is known of the others.")
    options = parser.parse_args()
    if options.install:
        install(options.environments, options.python)
        return
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if options.only else {"peers": {}}
    again = [options.only] if options.only else PEERS
    measured: dict[str, Any] = known["peers"] | {name: run_peer(name, options.environments) for name in again}
    measured["timeloop"] = timeloop()
    mapped = known["ours"] if options.only == "scalesim" else run_ours(measured["zigzag"], measured["accelforge"])
    results = {
        "command": "python -m benchmarks.peers.compare",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, other load present",
        "python": platform.python_version(),
        "peers": measured,
        "ours": mapped,
    }
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    write_text(PAGE, before + BEGIN + tables(results) + END + rest.partition(END)[2])
    print(tables(results))


if __name__ == "__main__":
    main()
