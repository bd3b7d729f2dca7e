"""What every command that prices something does with the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hwsim.cost.result import Result


def give(results: Sequence[Result], output: Path | None, html: Path | None, *, json: bool) -> None:
    """Write ``results`` to the files that were asked for, and print them, as a comparison unless ``json``."""
    import json as json_text

    from hwsim.cost.result import Results
    from hwsim.report import print_comparison, write_html

    stored = Results(results=tuple(results))
    if output:
        stored.save(output)
    if html:
        write_html(results, html)
    if json:
        typer.echo(json_text.dumps(stored.data()))
    else:
        print_comparison(results)


def pairs(text: str) -> dict[str, str]:
    """Return ``A=B,C=D`` as a mapping."""
    from hwsim.errors import InputError

    parts = [part.split("=") for part in text.split(",") if part]
    if any(len(pair) != 2 or not all(pair) for pair in parts):
        raise InputError("must be OLD=NEW, separated by commas", field="--as", value=text)
    return dict(parts)
