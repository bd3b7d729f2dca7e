"""Module paths: which lies in which."""

from __future__ import annotations

from collections.abc import Container, Iterator


def enclosing(path: str, paths: Container[str]) -> str | None:
    """Return the innermost of ``paths`` around ``path``, which is another one; None if there is none."""
    while path:
        path = path.rpartition(".")[0]
        if path in paths:
            return path
    return None


def innermost(path: str, paths: Container[str]) -> str | None:
    """Return ``path`` itself if it is one of ``paths``, else the innermost around it; None if there is none."""
    return path if path in paths else enclosing(path, paths)


def inside(path: str, paths: Container[str]) -> bool:
    """Whether ``path`` is one of ``paths`` or lies in one."""
    return innermost(path, paths) is not None


def around(path: str) -> Iterator[str]:
    """Yield ``path`` and all paths around it, the empty one of the whole model last."""
    yield path
    while path:
        path = path.rpartition(".")[0]
        yield path
