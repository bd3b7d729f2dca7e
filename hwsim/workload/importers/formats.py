"""The formats of other tools, recognised by content."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from hwsim.errors import InputError, MissingPackageError
from hwsim.workload.importers import accelforge, scalesim, timeloop
from hwsim.workload.importers.reading import parse_json, parse_yaml, read_bytes
from hwsim.workload.importers.unknown import Unknown
from hwsim.workload.workload import Workload

Format = Literal["scalesim", "onnx", "kineto", "execution-trace", "timeloop", "accelforge"]
FORMATS: tuple[Format, ...] = get_args(Format)
_Reader = Callable[[Path | str, bytes, Unknown], Workload]
_PYTORCH = {"kineto": "hwsim.trace.profiles.kineto", "execution-trace": "hwsim.trace.profiles.execution_trace"}


def load(
    path: Path | str, format: Format | None = None, unknown: Unknown = "error", sizes: Mapping[str, int] | None = None
) -> Workload:
    """Read a file of another tool as a workload.

    Parameters
    ----------
    path
        The file, at most 1 GiB.
    format
        One of `FORMATS`; by default what the content looks like.
    unknown
        ``error``, or ``skip`` to leave out operators that hwsim does not know and list them in ``skipped``.
    sizes
        Sizes of the named dynamic axes of an ONNX graph.

    Raises
    ------
    InputError
        If the file cannot be read, is malformed or of no known format; it names file and place.
    UnknownOperatorError
        If an operator has no rule, unless ``unknown`` is ``skip``.
    MissingPackageError
        If the format needs a package that is not installed.
    """
    data = read_bytes(path)
    format = format or detect(path, data)
    if format not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}", file=path, value=format)
    if format == "onnx":
        from hwsim.workload.importers import onnx

        return onnx.load(path, data, unknown, sizes or {})
    return _reader(format)(path, data, unknown)


def detect(path: Path | str, data: bytes) -> Format:
    """Return the format that the content has; `InputError` lists the known ones if it has none."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"{", b"[")) and not start.startswith((b"{%", b"{{", b"{#")):
        found = _json_format(parse_json(path, data))
    elif scalesim.recognises(start.decode("utf-8", errors="replace")):
        found = "scalesim"
    elif b"\x00" in data[:4096] or start[:1] in (b"\x08", b"\n"):
        found = "onnx"
    else:
        found = _yaml_format(path, data)
    if found is None:
        raise InputError(f"is in none of the known formats: {', '.join(FORMATS)}", file=path)
    return found


def _json_format(document: Any) -> Format | None:
    if isinstance(document, list) or "traceEvents" in document:
        return "kineto"
    return "execution-trace" if "nodes" in document else None


def _yaml_format(path: Path | str, data: bytes) -> Format | None:
    if accelforge.is_template(data.decode("utf-8", errors="replace")):
        return "accelforge"
    document = parse_yaml(path, data)
    if accelforge.recognises(document):
        return "accelforge"
    return "timeloop" if timeloop.recognises(document) else None


def _reader(format: Format) -> _Reader:
    readers = {"scalesim": scalesim.load, "timeloop": timeloop.load, "accelforge": accelforge.load}
    if format in readers:
        return readers[format]
    try:
        module: Any = importlib.import_module(_PYTORCH[format])
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingPackageError("torch", f"reading {format} files", "torch") from error
    reader: _Reader = module.load
    return reader
