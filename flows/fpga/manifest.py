"""A build directory that appears whole, and says what it holds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field

from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen, read_model, write_bytes

MANIFEST = "manifest.json"


class Manifest(Frozen):
    """What a directory holds.

    Attributes
    ----------
    board
        Name of the board.
    digest
        SHA-256 of the names and hashes of all files: equal for equal builds.
    files
        SHA-256 of each file by its name.
    """

    schema_: Literal["hwsim/fpga-build/1"] = Field(alias="schema")
    board: str
    digest: str
    files: dict[str, str]


def save(folder: Path, board: str, files: dict[str, bytes]) -> str:
    """Write the files and, last, their manifest, so that ``folder`` holds all or is as it was; return the digest.

    Raises
    ------
    InputError
        If the folder holds anything but an earlier build.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    digest = _digest(hashes)
    manifest = {"schema": "hwsim/fpga-build/1", "board": board, "digest": digest, "files": hashes}
    with replaced(folder) as fresh:
        for name, content in files.items():
            write_bytes(fresh / name, content)
        write_bytes(fresh / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return digest


def load(folder: Path) -> Manifest:
    """Return the manifest of a complete build.

    Raises
    ------
    InputError
        If there is none, or if a file is missing or is not as it was built.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(f"must be a complete build: it has no {MANIFEST}", file=folder)
    manifest = read_model(folder / MANIFEST, Manifest)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise InputError("is missing from the build", file=path)
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise InputError("is not as it was built", file=path)
    if manifest.digest != _digest(manifest.files):
        raise InputError("must be that of the files", file=folder / MANIFEST, field="digest", value=manifest.digest)
    return manifest


def check_free(folder: Path) -> None:
    """Raise if a build must not take the place of what is there.

    Raises
    ------
    InputError
        If the folder holds anything but an earlier build, or is a file.
    """
    target = folder.absolute()
    if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("must be empty, absent or an earlier build", file=folder)


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give a new folder beside ``folder``, which takes its place at the end, or vanishes after an error."""
    check_free(folder)
    target = folder.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise HwsimError(f"cannot write {folder}: {(error.strerror or str(error)).lower()}") from error
    try:
        fresh.chmod(0o777 & ~_umask())
        yield fresh
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        if target.exists():
            os.replace(target, old)
        os.replace(fresh, target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _digest(hashes: dict[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
