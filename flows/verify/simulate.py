"""Simulation: the cocotb bench on Icarus or Verilator, on any Verilog with the ports of a PE."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from flows.verify import coverage, design, stimulus, tools
from flows.verify.stimulus import Stimulus
from hwsim.errors import HwsimError
from rtl.pe.element import ProcessingElement

Simulator = Literal["icarus", "verilator"]

_PROGRAMS = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator", "g++", "make")}
_BUILD_ARGUMENTS = {
    "icarus": ["-g2012"],
    # what Amaranth's output is known for; any other warning fails the build
    "verilator": ["-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-PROCASSINIT", "--x-initial", "unique", "-O1"],
}


class MismatchError(HwsimError):
    """The design did something else than its twin."""


def simulate(
    pe: ProcessingElement,
    beats: Stimulus,
    sources: list[Path],
    folder: Path,
    simulator: Simulator = "icarus",
    seed: int = 1,
) -> dict[str, Any]:
    """Build ``sources``, drive the beats, and return the bench's report.

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
    report, results = folder / "report.json", folder / "results.xml"
    for old in (report, results):
        old.unlink(missing_ok=True)
    beats.save(folder / "stimulus.npz")
    settings = {
        "stimulus": str((folder / "stimulus.npz").resolve()),
        "report": str(report.resolve()),
        "latency": pe.latency,
        "signed": design.signed_results(pe),
        "bins": coverage.declare(pe),
        "operands": {name: (*stimulus.limits(pe, name), form) for name, form in pe.operands.items()},
    }
    _run(simulator, sources, folder, json.dumps(settings), seed)
    if not report.is_file():
        raise MismatchError(_failure(folder))
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def _run(simulator: Simulator, sources: list[Path], folder: Path, settings: str, seed: int) -> None:
    """Run the cocotb runner in a process of its own: it changes the environment of the one it runs in."""
    arguments = {
        "simulator": simulator,
        "sources": [str(path.resolve()) for path in sources],
        "top": design.TOP,
        "build_args": _BUILD_ARGUMENTS[simulator],
        "folder": str(folder.resolve()),
        "seed": seed,
    }
    code = "import json, sys; from flows.verify.simulate import _in_process; _in_process(json.loads(sys.argv[1]))"
    from subprocess import run

    root = str(Path(__file__).resolve().parents[2])
    environment = tools.environment() | {"HWSIM_BENCH": settings}
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    import sys

    done = run(  # noqa: S603 (this Python, with arguments made here)
        [sys.executable, "-c", code, json.dumps(arguments)],
        env=environment, capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    (folder / "simulation.log").write_text(done.stdout + done.stderr, encoding="utf-8")


def _in_process(arguments: dict[str, Any]) -> None:
    from cocotb_tools.runner import get_runner

    runner = get_runner(arguments["simulator"])
    runner.build(
        sources=[Path(path) for path in arguments["sources"]],
        hdl_toplevel=arguments["top"],
        build_args=arguments["build_args"],
        build_dir=arguments["folder"],
        timescale=("1ns", "1ps"),
        always=True,
    )
    runner.test(
        test_module="flows.verify.bench",
        hdl_toplevel=arguments["top"],
        build_dir=arguments["folder"],
        test_dir=arguments["folder"],
        results_xml=f"{arguments['folder']}/results.xml",
        seed=arguments["seed"],
    )


def _failure(folder: Path) -> str:
    """The assertion that ended the bench, or where to look."""
    log = (folder / "simulation.log").read_text(encoding="utf-8")
    found = [line.split("AssertionError:", 1)[1].strip() for line in log.splitlines() if "AssertionError:" in line]
    return found[0] if found else f"simulation did not finish, see {folder / 'simulation.log'}"
