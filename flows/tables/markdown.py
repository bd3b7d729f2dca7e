"""Pages from templates, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(name: str, **values: Any) -> str:
    """Fill the template ``name`` beside this file; a value that is not given is an error."""
    environment = Environment(  # noqa: S701 (Markdown, from numbers made here)
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template(name).render(**values)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
