"""Reading the files of other tools: limits of size and nesting, and errors that name the file and the place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from hwsim.errors import InputError
from hwsim.files import MAX_BYTES

MAX_YAML_DEPTH = 100
MAX_YAML_NODES = 1_000_000
"""With every alias written out, so that a small file cannot expand without bound."""

Value = TypeVar("Value")


def read_bytes(path: Path | str) -> bytes:
    """Return the whole file; `InputError` if it cannot be read or has more than 1 GiB."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError("must be at most 1 GiB", file=path, value=f"{path.stat().st_size} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"cannot be read: {str(getattr(error, 'strerror', error)).lower()}", file=path) from error


def text_of(path: Path | str, data: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"cannot be read: {error}", file=path) from error


def parse_json(path: Path | str, data: bytes) -> Any:
    """Parse JSON, which Python's parser lets nest about a thousand deep."""
    try:
        return json.loads(text_of(path, data))
    except RecursionError as error:
        raise InputError("nests too deep", file=path) from error
    except ValueError as error:
        raise InputError(f"is not well-formed: {error}", file=path) from error


def parse_yaml(path: Path | str, data: bytes) -> Any:
    """Parse YAML with the safe loader, after checking depth and size."""
    text = text_of(path, data)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_yaml(path, yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, TypeError) as error:  # impossible dates, keys that cannot be compared
        raise InputError(f"is not well-formed: {' '.join(str(error).split())}", file=path) from error


def checked(adapter: TypeAdapter[Value], data: Any, path: Path | str, field: str = "") -> Value:
    """Validate ``data``; `InputError` names the file, the field and the first violation."""
    with located(path, field):
        return adapter.validate_python(data)


@contextmanager
def located(path: Path | str, field: str) -> Iterator[None]:
    """Add file and field to the errors of models and of builders of operators."""
    try:
        yield
    except ValidationError as error:
        raise _violation(error, path, field) from error
    except InputError as error:
        if error.file is not None:
            raise
        where = ", ".join(part for part in (field, error.field) if part)
        raise InputError(error.rule, file=path, field=where, value=error.value) from error


def _violation(error: ValidationError, path: Path | str, field: str) -> InputError:
    first = error.errors()[0]
    where = field + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    rule = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input ").replace("should", "must")
    return InputError(rule[:1].lower() + rule[1:], file=path, field=where.lstrip("."), value=first["input"])


def _check_yaml(path: Path | str, events: Any) -> None:
    """Count nodes, those behind aliases each time, on a stack of open collections."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - before
            continue
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
        if isinstance(event, yaml.NodeEvent):
            total += sizes.get(str(event.anchor), 1) if isinstance(event, yaml.AliasEvent) else 1
        where = f"line {event.start_mark.line + 1}"
        if len(open_) > MAX_YAML_DEPTH:
            raise InputError(f"must nest at most {MAX_YAML_DEPTH} deep", file=path, field=where)
        if total > MAX_YAML_NODES:
            raise InputError(f"must hold at most {MAX_YAML_NODES} values", file=path, field=where)
