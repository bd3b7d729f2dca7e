"""Progress bars of the command line, on standard error so that output can be piped."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.progress import Progress, TaskID

    from hwsim.cost.result import Result
    from hwsim.scoring import Scorable


def score_with_progress(
    work: Scorable, on: list[str], accounting: str = "operator", *, fuse: bool = False,
    formats: Mapping[str, str] | None = None,
) -> list[Result]:  # fmt: skip
    """Price ``work`` on every architecture of ``on``, with one progress bar each."""
    from rich.console import Console
    from rich.progress import Progress

    from hwsim.scoring import load, score

    run = load(work)
    console = Console(stderr=True)
    results = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        for name in on:
            bar = bars.add_task(f"scoring on {name}", total=None)
            update = functools.partial(_shown, bars, bar)
            results.append(score(run, name, accounting, update, fuse=fuse, formats=formats))
    return results


def _shown(bars: Progress, bar: TaskID, done: int, total: int) -> None:
    bars.update(bar, completed=done, total=total)
