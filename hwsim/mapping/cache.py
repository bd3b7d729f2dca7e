"""Optima kept on disk, so that an operator is searched once per architecture and not once per run.

An entry is named by the hash of everything an optimum depends on: the problems and hierarchies with their energies,
the objective, whether padding is allowed, and the source of `hwsim.mapping` itself. It lies in the folder
``HWSIM_CACHE`` if that is set (set but empty: nowhere), else in ``hwsim`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hwsim.errors import HwsimError
from hwsim.files import Frozen, write_text
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.objective import Objective
from hwsim.mapping.search import Alternative, Certificate, Found, best_of

_enabled: ContextVar[bool] = ContextVar("enabled", default=True)


class _Entry(Frozen):
    """A mapping that was found, as a file."""

    alternative: int
    bounds: tuple[int, ...]
    loops: tuple[tuple[tuple[str, int], ...], ...]
    value: float
    certificate: Certificate | None

    def found(self, alternatives: Sequence[Alternative], objective: Objective) -> Found:
        """The mapping with its cost, if it is legal and costs what the entry says; else an error."""
        if not 0 <= self.alternative < len(alternatives):
            raise HwsimError(f"there is no alternative {self.alternative}")
        problem, hierarchy = alternatives[self.alternative]
        problem, mapping = problem.padded(self.bounds), Mapping(self.loops)
        cost = evaluate(mapping, problem, hierarchy)
        value = objective.value(cost.energy_pj, cost.cycles)
        if abs(value - self.value) > 1e-9 * abs(value):
            raise HwsimError(f"its mapping costs {value:g}, not {self.value:g}")
        return Found(problem, hierarchy, mapping, cost, self.certificate, self.alternative)


@contextmanager
def disabled() -> Iterator[None]:
    """Neither read nor write entries meanwhile."""
    token = _enabled.set(False)
    try:
        yield
    finally:
        _enabled.reset(token)


def remembered(alternatives: Sequence[Alternative], objective: Objective, *, padding: bool) -> Found:
    """`hwsim.mapping.search.best_of`, from the cache if it is there.

    An entry that cannot be read, or whose mapping is not legal or does not cost what it says, is searched again
    with a warning.

    Raises
    ------
    NoMappingError
        If no mapping fits; this is not kept.
    """
    folder = location()
    if folder is None:
        return best_of(alternatives, objective, padding=padding)
    path = folder / f"{_key(alternatives, objective, padding)}.json"
    found = _read(path, alternatives, objective)
    if found is None:
        found = best_of(alternatives, objective, padding=padding)
        _write(path, found, objective)
    return found


def location() -> Path | None:
    """Folder of the entries; None if nothing is to be kept."""
    chosen = os.environ.get("HWSIM_CACHE")
    if not _enabled.get() or chosen == "":
        return None
    if chosen:
        return Path(chosen) / "mappings"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwsim" / "mappings"


def _read(path: Path, alternatives: Sequence[Alternative], objective: Objective) -> Found | None:
    try:
        return _Entry.model_validate_json(path.read_bytes()).found(alternatives, objective)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError, HwsimError) as error:
        reason = " ".join(str(error).split())
        warnings.warn(f"cached mapping {path} is not used and searched again: {reason}", stacklevel=2)
        return None


def _write(path: Path, found: Found, objective: Objective) -> None:
    entry = _Entry(
        alternative=found.alternative, bounds=found.problem.bounds, loops=found.mapping.loops,
        value=objective.value(found.cost.energy_pj, found.cost.cycles), certificate=found.certificate,
    )  # fmt: skip
    try:
        write_text(path, entry.model_dump_json())
    except HwsimError as error:
        warnings.warn(f"mapping is not kept: {error}", stacklevel=2)


def _key(alternatives: Sequence[Alternative], objective: Objective, padding: bool) -> str:
    text = json.dumps([_version(), objective, padding, alternatives], default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> list[Any]:
    """Values of the fields of a dataclass; members of a set in order."""
    if isinstance(value, frozenset):
        return sorted(value)
    return [getattr(value, field.name) for field in fields(value)]


@cache
def _version() -> str:
    """Hash of the code that finds optima."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
