"""Optima kept on disk, so that an operator is searched once per architecture and not once per run.

An entry is named by the hash of everything an optimum depends on: the problems and hierarchies in normal form with
their energies, the objective, and the source of `hwsim.mapping` itself. It lies in the folder ``HWSIM_CACHE`` if that
is set (set but empty: nowhere), else in ``hwsim`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hwsim.errors import HwsimError
from hwsim.files import Frozen, write_text
from hwsim.mapping.hierarchy import Hierarchy
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.objective import Objective
from hwsim.mapping.problem import Problem
from hwsim.mapping.search import Optimum, optimum

Alternatives = tuple[tuple[Problem, Hierarchy], ...]
_enabled: ContextVar[bool] = ContextVar("enabled", default=True)


class _Entry(Frozen):
    """An optimum as a file."""

    alternative: int
    loops: tuple[tuple[tuple[str, int], ...], ...]
    value: float
    visited: int
    bounded: int
    dominated: int

    def optimum(self, alternatives: Alternatives, objective: Objective) -> Optimum:
        """The optimum, if its mapping is legal and costs what the entry says; else an error."""
        if not 0 <= self.alternative < len(alternatives):
            raise HwsimError(f"there is no alternative {self.alternative}")
        mapping = Mapping(self.loops)
        cost = evaluate(mapping, *alternatives[self.alternative])
        value = objective.value(cost.energy_pj, cost.cycles)
        if abs(value - self.value) > 1e-9 * abs(value):
            raise HwsimError(f"its mapping costs {value:g}, not {self.value:g}")
        return Optimum(self.alternative, mapping, self.value, self.visited, self.bounded, self.dominated)


@contextmanager
def disabled() -> Iterator[None]:
    """Neither read nor write entries meanwhile."""
    token = _enabled.set(False)
    try:
        yield
    finally:
        _enabled.reset(token)


def remembered(alternatives: Alternatives, objective: Objective) -> Optimum | None:
    """`hwsim.mapping.search.optimum`, from the cache if it is there; what fits nowhere is not kept.

    An entry that cannot be read, or whose mapping is not legal or does not cost what it says, is searched again
    with a warning.
    """
    folder = location()
    if folder is None:
        return optimum(alternatives, objective)
    path = folder / f"{_key(alternatives, objective)}.json"
    found = _read(path, alternatives, objective)
    if found is None:
        found = optimum(alternatives, objective)
        if found is not None:
            _write(path, found)
    return found


def location() -> Path | None:
    """Folder of the entries; None if nothing is to be kept."""
    chosen = os.environ.get("HWSIM_CACHE")
    if not _enabled.get() or chosen == "":
        return None
    if chosen:
        return Path(chosen) / "mappings"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwsim" / "mappings"


def _read(path: Path, alternatives: Alternatives, objective: Objective) -> Optimum | None:
    try:
        return _Entry.model_validate_json(path.read_bytes()).optimum(alternatives, objective)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError, HwsimError) as error:
        reason = " ".join(str(error).split())
        warnings.warn(f"cached mapping {path} is not used and searched again: {reason}", stacklevel=2)
        return None


def _write(path: Path, found: Optimum) -> None:
    entry = _Entry(
        alternative=found.alternative, loops=found.mapping.loops, value=found.value,
        visited=found.visited, bounded=found.bounded, dominated=found.dominated,
    )  # fmt: skip
    try:
        write_text(path, entry.model_dump_json())
    except HwsimError as error:
        warnings.warn(f"mapping is not kept: {error}", stacklevel=2)


def _key(alternatives: Alternatives, objective: Objective) -> str:
    text = json.dumps([_version(), objective, alternatives], default=_plain)
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
