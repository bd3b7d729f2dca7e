"""Running many checks: in parallel, resumable, each with a result that survives the run."""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from flows.verify import checks, fingerprint
from flows.verify.simulate import Simulator
from hwsim.errors import HwsimError
from hwsim.files import write_text
from rtl.pe import CATALOG, find
from rtl.pe.catalog import QUICK
from rtl.pe.floating import FloatMac

SIMULATORS: dict[str, tuple[Simulator, ...]] = {"quick": ("icarus",), "full": ("icarus", "verilator")}
"""What a tier simulates with, if nothing else is asked for."""


@dataclass(frozen=True)
class Task:
    """One check of one configuration."""

    name: str
    check: str
    tier: str
    simulators: tuple[Simulator, ...]
    folder: str
    update: bool


@dataclass(frozen=True)
class Result:
    """What a check said.

    Attributes
    ----------
    name, check
        Which configuration and which check.
    passed
        Whether it held.
    detail
        What it saw, or the error.
    seconds, cpu_seconds
        How long it took, and the processor time of this process and of all tools that it ran.
    fingerprint
        Of everything the check depends on (`fingerprint.of`); a pass with the same one is not repeated.
    """

    name: str
    check: str
    passed: bool
    detail: str
    seconds: float
    cpu_seconds: float
    fingerprint: str


def tasks(
    names: list[str], tier: str, simulators: tuple[Simulator, ...], folder: Path, *, update: bool
) -> list[Task]:
    """Return the checks of a tier on the named configurations, by default on all that the tier covers."""
    chosen = names or (list(QUICK) if tier == "quick" else list(CATALOG))
    for name in chosen:
        find(name)
    kinds = checks.of_tier(tier, simulators)
    if update:
        kinds = {
            kind: check for kind, check in kinds.items() if kind == "gate" or kind.startswith("resources")
        }
    pairs = [(name, kind) for kind in kinds for name in chosen if tier == "full" or _is_quick(name, kind)]
    return [Task(name, kind, tier, simulators, str(folder), update) for name, kind in pairs]


def _is_quick(name: str, kind: str) -> bool:
    """Whether a check ends in a minute: mutation and placement of a floating-point PE take several."""
    slow = kind == "mutation" or kind.startswith("resources")
    return not (slow and isinstance(find(name), FloatMac))


def run(todo: list[Task], jobs: int, *, fresh: bool) -> Iterator[Result]:
    """Yield results as they come; with ``fresh``, repeat what passed before."""
    waiting = []
    for task in todo:
        old = None if fresh or task.update else _earlier(task)
        if old is None:
            waiting.append(task)
        else:
            yield old
    context = multiprocessing.get_context("spawn")  # Amaranth keeps state per process
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context) as pool:
        running = {pool.submit(execute, task): task for task in waiting}
        for future in as_completed(running):
            error = future.exception()
            yield future.result() if error is None else _crashed(running[future], error)


def _crashed(task: Task, error: BaseException) -> Result:
    """A check that ended as no check should, as when a PE does not elaborate, has failed like any other."""
    return Result(task.name, task.check, False, f"{type(error).__name__}: {error}", 0, 0, "")


def seal(todo: list[Task], results: list[Result]) -> None:
    """Let what passed while the baseline was updated count as passed against the new one."""
    passed = {(result.name, result.check): result for result in results if result.passed}
    for task in todo:
        if (task.name, task.check) in passed:
            _keep(replace(passed[task.name, task.check], fingerprint=_mark(task)), task)


def execute(task: Task) -> Result:
    """Run one check; whatever hwsim reports as an error is its failure."""
    folder = _folder(task)
    folder.mkdir(parents=True, exist_ok=True)
    case = checks.Case(task.name, find(task.name), checks.TIERS[task.tier], folder, task.update)
    start, spent, mark = time.monotonic(), _cpu_seconds(), _mark(task)
    try:
        detail, passed = checks.of_tier(task.tier, task.simulators)[task.check](case), True
    except HwsimError as error:
        detail, passed = str(error), False
    seconds, cpu_seconds = round(time.monotonic() - start, 1), round(_cpu_seconds() - spent, 1)
    result = Result(task.name, task.check, passed, detail, seconds, cpu_seconds, mark)
    _keep(result, task)
    return result


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _mark(task: Task) -> str:
    return fingerprint.of(task.name, find(task.name), task.check, task.tier)


def _keep(result: Result, task: Task) -> None:
    write_text(_folder(task) / "result.json", json.dumps(asdict(result), indent=1) + "\n")


def _folder(task: Task) -> Path:
    return Path(task.folder) / task.tier / task.name / task.check


def _earlier(task: Task) -> Result | None:
    path = _folder(task) / "result.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return Result(**found) if found["passed"] and found["fingerprint"] == _mark(task) else None
