"""What is made of a build directory inside it, ``bitstream/`` or ``netlist/``: whole or absent, and of this build."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.verify.tools import ToolError
from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen, read_model, write_text

REPORT = "report.json"


class Report(Frozen, extra="ignore"):
    """What every report says: the digest of its build, and the SHA-256 of each file beside it."""

    build: str
    sha256: dict[str, str]


@contextmanager
def made(folder: Path, name: str) -> Iterator[Path]:
    """Give a new folder that becomes ``folder/name`` at the end, or vanishes after an error, as an earlier one does.

    The log of a tool that failed is kept beside ``folder``.

    Raises
    ------
    HwsimError
        If it cannot be written.
    """
    try:
        shutil.rmtree(folder / name, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder))
    except OSError as error:
        raise HwsimError(f"cannot write {folder / name}: {(error.strerror or str(error)).lower()}") from error
    try:
        yield fresh
        os.rename(fresh, folder / name)
    except ToolError as error:
        raise _with_log_kept(error, folder) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _with_log_kept(error: ToolError, folder: Path) -> ToolError:
    if error.log is None:
        return error
    kept = shutil.copy(error.log, folder.with_name(f"{folder.name}-{error.log.name}"))
    return ToolError(str(error).replace(str(error.log), str(kept)), Path(kept))


def finish(folder: Path, report: dict[str, Any], files: Sequence[str], logs: Sequence[str] = ()) -> dict[str, Any]:
    """Keep the files and logs of a folder, write the report with the files' hashes, and return it."""
    for path in folder.iterdir():
        if path.name not in {*files, *logs}:
            path.unlink()
    report = {**report, "sha256": {file: _hash(folder / file) for file in files}}
    write_text(folder / REPORT, json.dumps(report, indent=1) + "\n")
    return report


def complete(folder: Path, name: str, digest: str) -> Path:
    """Return a part of the build with this digest.

    Raises
    ------
    InputError
        If there is none, or it is of another build, or was altered.
    """
    part = folder / name
    if not (part / REPORT).is_file():
        raise InputError(f"must hold a {name}: build it with --{name}", file=folder)
    report = read_model(part / REPORT, Report)
    if report.build != digest:
        raise InputError("must be of this build", file=part / REPORT, field="build", value=report.build)
    for file, expected in report.sha256.items():
        if not (part / file).is_file() or _hash(part / file) != expected:
            raise InputError("is not as it was made", file=part / file)
    return part


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
