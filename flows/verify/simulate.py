"""Simulation: the cocotb bench on Icarus or Verilator, on any Verilog with the ports of a PE."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from flows.verify import coverage, design, stimulus, tools
from flows.verify.stimulus import Stimulus
from hwsim.errors import HwsimError
from rtl.pe.element import ProcessingElement

Simulator = Literal["icarus", "verilator"]

_PROGRAMS = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator", "g++", "make")}
_BUILD_ARGUMENTS = {
    "icarus": ["-g2012"],
    # what Amaranth's output is known for; any other warning fails the build. The wheel cannot compile a split
    # design: it does not know how this compiler takes precompiled headers
    "verilator": ["-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-PROCASSINIT", "-Wno-UNOPTFLAT", "--x-initial", "unique",
                  "-O1", "--output-split", "0"],
}


class MismatchError(HwsimError):
    """The design did something else than its twin."""


def simulate(
    pe: ProcessingElement,
    beats: Stimulus,
    sources: list[Path],
    folder: Path,
    simulator: Simulator = "icarus",
    bench: str = "flows.verify.bench",
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Build ``sources``, drive the beats, and return the bench's report.

    Parameters
    ----------
    pe, beats
        The twin, and what to drive.
    sources
        Verilog with a top module ``pe``.
    folder
        Where everything goes that the simulator writes.
    simulator
        ``icarus`` or ``verilator``.
    bench, extra
        Another cocotb module, and what it is told beside the usual.

    Raises
    ------
    MismatchError
        If a result or its cycle is wrong; the message is the scoreboard's.
    MissingToolError
        If the simulator is not installed.
    """
    for program in _PROGRAMS[simulator]:
        tools.find(program)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    shutil.rmtree(folder / "build", ignore_errors=True)  # an interrupted build leaves halves of files
    beats.save(folder / "stimulus.npz")
    settings = {
        "stimulus": str((folder / "stimulus.npz").resolve()),
        "report": str(report.resolve()),
        "latency": pe.latency,
        "signed": design.signed_results(pe),
        "bins": coverage.declare(pe),
        "operands": {name: (*stimulus.limits(pe, name), form) for name, form in pe.operands.items()},
    }
    arguments = {
        "simulator": simulator,
        "sources": [str(path.resolve()) for path in sources],
        "bench": bench,
        "folder": str(folder.resolve()),
    }
    run_bench(arguments, folder, json.dumps({**settings, **extra}))
    if not report.is_file():
        raise MismatchError(_failure(folder))
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def run_bench(arguments: dict[str, Any], folder: Path, settings: str) -> None:
    """Run the cocotb runner in a process of its own: it changes the environment of the one it runs in."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = tools.environment() | {
        "HWSIM_BENCH": settings,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    command = [sys.executable, "-m", "flows.verify.simulate", json.dumps(arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)  # noqa: S603
    (folder / "simulation.log").write_text(done.stdout + done.stderr, encoding="utf-8")


def _in_process(arguments: dict[str, Any]) -> None:
    """Build and run with cocotb's runner, whose exit status says nothing more than the report does."""
    from cocotb_tools.runner import get_runner

    runner = get_runner(arguments["simulator"])
    folder, top = arguments["folder"], arguments.get("top", design.TOP)
    runner.build(
        sources=[Path(path) for path in arguments["sources"]],
        hdl_toplevel=top,
        build_args=_BUILD_ARGUMENTS[arguments["simulator"]],
        build_dir=f"{folder}/build",
        timescale=("1ns", "1ps"),  # without one, cocotb's clock has no precision in Amaranth's Verilog
        always=True,
    )
    runner.test(
        test_module=arguments["bench"],
        hdl_toplevel=top,
        build_dir=f"{folder}/build",
        test_dir=folder,
        results_xml=f"{folder}/results.xml",
        seed=1,
    )


def _failure(folder: Path) -> str:
    """The assertion that ended the bench, or where to look."""
    log = (folder / "simulation.log").read_text(encoding="utf-8")
    found = [
        line.split("AssertionError:", 1)[1].strip() for line in log.splitlines() if "AssertionError:" in line
    ]
    return found[0] if found else f"simulation did not finish, see {folder / 'simulation.log'}"


if __name__ == "__main__":
    _in_process(json.loads(sys.argv[1]))
