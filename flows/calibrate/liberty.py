"""The syntax of Liberty files: groups of attributes, plain or gzipped."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hwsim.errors import InputError

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\\[ \t]*\r?\n", re.DOTALL)
_STATEMENT = re.compile(
    r"""
    \s*(?:
        (?P<close>\}) | (?P<empty>;)
      | (?P<name>"?[A-Za-z_]\w*"?)\s*(?:
            :\s*(?P<value>"[^"]*"|[^;"{}\n]*)\s*(?:;|(?=\n)|(?=\}))
          | \((?P<arguments>(?:[^()"]|"[^"]*")*)\)\s*(?P<opener>\{)?
        )
    )""",
    re.VERBOSE,
)
_NUMBER_SEPARATOR = re.compile(r"[\s,\"]+")


@dataclass
class Group:
    """``kind (argument, ...) { attributes and groups }``.

    Attributes
    ----------
    kind
        What it describes: ``library``, ``cell``, ``pin`` ...
    arguments
        What stands in its parentheses, without quotes.
    attributes
        Simple and complex attributes as text without quotes; the last of equal names counts.
    groups
        The groups inside, in order.
    """

    kind: str
    arguments: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def all(self, *kinds: str) -> Iterator[Group]:
        """Return the groups inside that are of one of these kinds, in order."""
        return (group for group in self.groups if group.kind in kinds)

    def numbers(self, name: str) -> list[float]:
        """Return an attribute that lists numbers, such as ``index_1`` or ``values``.

        Raises
        ------
        ValueError
            If it holds something else.
        """
        return [float(text) for text in _NUMBER_SEPARATOR.split(self.attributes[name]) if text]


def read(path: Path) -> tuple[Group, str]:
    """Return the ``library`` group of a ``.lib`` or ``.lib.gz`` file, and the SHA-256 of the unpacked text.

    Raises
    ------
    InputError
        If the file cannot be read, is cut off, or is not Liberty.
    """
    raw = unpack(path)
    return parse(raw.decode("latin-1"), path), hashlib.sha256(raw).hexdigest()


def unpack(path: Path) -> bytes:
    """Return the content of a plain or gzipped file.

    Raises
    ------
    InputError
        If it cannot be read or is not a whole gzip file.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"is not a whole gzip file: {str(error).lower()}", file=path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {(error.strerror or str(error)).lower()}", file=path) from error


def parse(text: str, path: Path) -> Group:
    """Return the ``library`` group that is the whole of ``text``; ``path`` names it in errors."""
    text = _COMMENT.sub(_blank_lines, text)
    root = Group("file", ())
    stack, position, end = [root], 0, len(text.rstrip())
    while position < end:
        found = _STATEMENT.match(text, position)
        if found is None:
            raise InputError("is not Liberty", file=path, field=_line(text, position), value=_excerpt(text, position))
        position = found.end()
        if found["close"]:
            if len(stack) == 1:
                raise InputError("closes a group that is not open", file=path, field=_line(text, position))
            stack.pop()
        elif found["name"]:
            _add(stack, found)
    if len(stack) > 1:
        raise InputError(f"ends inside {_named(stack[-1])}: the file is cut off", file=path)
    libraries = list(root.all("library"))
    if len(libraries) != 1:
        raise InputError("must hold one library group", file=path, value=len(libraries))
    for group in (libraries[0], *libraries[0].all("cell", "lu_table_template", "power_lut_template")):
        if not group.arguments:
            raise InputError(f"a {group.kind} group has no name", file=path)
    return libraries[0]


def _add(stack: list[Group], found: re.Match[str]) -> None:
    name = found["name"].strip('"')
    if found["opener"]:
        arguments = (part.strip().strip('"').strip() for part in found["arguments"].split(","))
        group = Group(name, tuple(part for part in arguments if part))
        stack[-1].groups.append(group)
        stack.append(group)
    elif found["arguments"] is not None:
        stack[-1].attributes[name] = found["arguments"].strip()
    else:
        stack[-1].attributes[name] = found["value"].strip().strip('"').strip()


def _blank_lines(comment: re.Match[str]) -> str:
    """Keep the line numbers of a removed comment; a continued line becomes one line."""
    return " " if comment[0].startswith("\\") else "\n" * comment[0].count("\n") or " "


def _line(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1} (continued lines count once)"


def _excerpt(text: str, position: int) -> str:
    return text[position : position + 40].strip().split("\n")[0]


def _named(group: Group) -> str:
    return f"{group.kind} ({', '.join(group.arguments)})"
