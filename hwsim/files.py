"""Reading YAML and JSON into validated models, and writing files atomically."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hwsim.errors import HwsimError, InputError

Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 1 << 30  # a workload of a whole training step of the largest models stays far below this


class Frozen(BaseModel):
    """Base of every configuration: immutable, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_mapping(path: Path | str) -> Any:
    """Parse a ``.yaml``, ``.yml`` or ``.json`` file with the safe loader.

    Raises
    ------
    InputError
        If the file is missing, unreadable, of another kind, or not well formed.
    """
    path = Path(path)
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise InputError("file name must end in .yaml, .yml or .json", file=path, value=path.suffix)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError("must be at most 1 GiB", file=path, value=f"{path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {_reason(error)}", file=path) from error
    try:
        if path.suffix == ".json":
            return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"is not well-formed: {_reason(error)}", file=path) from error
    return parse_yaml(text, file=path)


def parse_yaml(text: str, *, file: Path | str) -> Any:
    """Parse YAML with the safe loader; ``file`` is what an error names."""
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"is not well-formed: {_reason(error)}", file=file) from error


def read_model(path: Path | str, model: type[Model]) -> Model:
    """Read ``path`` and validate it as ``model``; every error names file, field, rule and value."""
    return validate(read_mapping(path), model, file=path)


def validate(data: Any, model: type[Model], *, file: Path | str | None = None) -> Model:
    """Validate plain ``data`` as ``model``, turning the first violation into an `InputError`."""
    if not isinstance(data, dict):
        raise InputError("must hold a mapping of fields at its top level", file=file, value=data)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _input_error(error.errors()[0], data, file) from error


def write_text(path: Path | str, text: str) -> Path:
    """Write ``text`` so that ``path`` holds either its old or its whole new content, never a part."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write ``content`` as `write_text` does."""
    path = Path(path)
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise HwsimError(f"cannot write {path}: {_reason(error)}") from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _input_error(violation: Any, data: Any, file: Path | str | None) -> InputError:
    field, message = _field(violation["loc"], data), str(violation["msg"])
    if violation["type"] == "missing":
        return InputError("field is required", file=file, field=field)
    if violation["type"] == "extra_forbidden":
        return InputError("field is not known here", file=file, field=field, value=violation["input"])
    if violation["type"] == "union_tag_invalid":
        known = violation["ctx"]["expected_tags"].replace("'", "")
        where = f"{field}.kind" if field else "kind"
        return InputError(f"must be one of {known}", file=file, field=where, value=violation["ctx"]["tag"])
    rule = message.removeprefix("Value error, ").removeprefix("Input ").replace("should", "must")
    return InputError(rule[0].lower() + rule[1:], file=file, field=field, value=violation["input"])


def _field(location: tuple[int | str, ...], data: Any) -> str:
    path = ""
    for index, part in enumerate(location):
        inside = isinstance(data, dict) and part in data
        if isinstance(part, str) and not inside and index < len(location) - 1:
            continue  # the tag of a union, which the file does not spell out
        reached = inside or (isinstance(part, int) and isinstance(data, list) and part < len(data))
        data = data[part] if reached else None
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split())
