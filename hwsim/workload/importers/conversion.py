"""Conversion of a file of another tool into a file of a workload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from hwsim.errors import InputError
from hwsim.files import Frozen
from hwsim.workload.importers.formats import FORMATS, load
from hwsim.workload.importers.unknown import Unknown


class Summary(Frozen):
    """What was converted."""

    name: str
    source: str
    output: str
    operators: int
    macs: int
    skipped: int

    @property
    def text(self) -> str:
        """One line for people."""
        left = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.output}: {self.operators} operators, {self.macs} MACs{left} ({self.source})"


def convert(
    source: Path | str,
    target: Path | str,
    *,
    format: str | None = None,
    unknown: str = "error",
    sizes: Sequence[str] = (),
) -> Summary:
    """Read ``source`` (see `load`), write it as a workload and return what it holds.

    ``target`` must end in ``.json``, ``.yaml`` or ``.yml``, so that `Workload.load` reads it; it is written atomically.
    """
    if Path(target).suffix not in {".json", ".yaml", ".yml"}:
        raise InputError("output name must end in .json, .yaml or .yml", file=target, value=Path(target).suffix)
    _check("--from", format, (None, *FORMATS))
    _check("--unknown", unknown, get_args(Unknown))
    choices: Any = {"format": format, "unknown": unknown}
    workload = load(source, sizes=dict(map(_size, sizes)), **choices)
    workload.save(target)
    return Summary(
        name=workload.name, source=workload.source, output=str(target), operators=len(workload.operators),
        macs=workload.macs, skipped=len(workload.skipped),
    )  # fmt: skip


def _check(field: str, value: str | None, known: Sequence[str | None]) -> None:
    if value not in known:
        raise InputError(f"must be one of {', '.join(filter(None, known))}", field=field, value=value)


def _size(text: str) -> tuple[str, int]:
    name, equals, size = text.rpartition("=")
    if not (name and equals and size.isascii() and size.isdigit() and len(size) < 16 and int(size)):
        raise InputError("must be NAME=N with N at least 1", field="--size", value=text)
    return name, int(size)
