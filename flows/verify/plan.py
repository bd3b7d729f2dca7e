"""Running many checks: in parallel, resumable, each with a result that survives the run."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import flows.verify
import hwsim.formats
import rtl
from flows.verify import checks
from flows.verify.simulate import Simulator
from hwsim.errors import HwsimError
from hwsim.files import write_text
from rtl.pe import CATALOG, find
from rtl.pe.catalog import QUICK
from rtl.pe.floating import FloatMac


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
    seconds
        How long it took.
    fingerprint
        Of everything the check depends on here; an earlier pass with the same one is not repeated.
    """

    name: str
    check: str
    passed: bool
    detail: str
    seconds: float
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
    mark = fingerprint()
    waiting = []
    for task in todo:
        old = None if fresh or task.update else _earlier(task, mark)
        if old is None:
            waiting.append(task)
        else:
            yield old
    context = multiprocessing.get_context("spawn")  # Amaranth keeps state per process
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context) as pool:
        for future in as_completed([pool.submit(execute, task, mark) for task in waiting]):
            yield future.result()


def execute(task: Task, mark: str) -> Result:
    """Run one check; whatever hwsim reports as an error is its failure."""
    folder = _folder(task)
    folder.mkdir(parents=True, exist_ok=True)
    case = checks.Case(task.name, find(task.name), checks.TIERS[task.tier], folder, task.update)
    start = time.monotonic()
    try:
        detail, passed = checks.of_tier(task.tier, task.simulators)[task.check](case), True
    except HwsimError as error:
        detail, passed = str(error), False
    result = Result(task.name, task.check, passed, detail, round(time.monotonic() - start, 1), mark)
    write_text(folder / "result.json", json.dumps(asdict(result), indent=1) + "\n")
    return result


def fingerprint() -> str:
    """Return a hash of the sources of PEs, formats and checks."""
    digest = hashlib.sha256()
    for package in (rtl, hwsim.formats, flows.verify):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*")):
            if path.suffix in {".py", ".json"} and path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _folder(task: Task) -> Path:
    return Path(task.folder) / task.tier / task.name / task.check


def _earlier(task: Task, mark: str) -> Result | None:
    path = _folder(task) / "result.json"
    if not path.is_file():
        return None
    result = Result(**json.loads(path.read_text(encoding="utf-8")))
    return result if result.passed and result.fingerprint == mark else None
