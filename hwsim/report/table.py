"""The comparison as a table for terminals and pipes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwsim.cost.result import Result
from hwsim.report.comparison import Section, comparison, distinct, labels, unlike
from hwsim.report.details import Table as Cells
from hwsim.report.units import counted

WIDTH = 100
_WIDEST = 1000
_LABELS, _CELL, _NAME = 29, 20, 30  # columns of text: labels with units, the narrowest cell, the longest unbroken word


def comparison_text(results: Sequence[Result]) -> str:
    """Compare ``results`` with the first of them, as plain text of at most 100 columns."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        print_comparison(results, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def print_comparison(results: Sequence[Result], console: Console | None = None) -> None:
    """Print the comparison of ``results`` with the first of them, on standard output unless ``console`` is given.

    Results that do not fit side by side go into further tables below.
    """
    console = console or Console(width=None if sys.stdout.isatty() else WIDTH)
    sections, names = comparison(results), labels(results)
    for line in _heading(results):
        console.print(Text(line), soft_wrap=True)
    cell = max(_CELL, *map(_longest_word, names))
    beside = max(1, (console.width - _LABELS) // (cell + 2))
    for first in range(0, len(results), beside):
        console.print(_table(sections, names, range(len(results))[first : first + beside]))


def print_table(table: Cells, title: str) -> None:
    """Print a table under ``title``, on standard output; columns are as wide as their cells."""
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column, name in enumerate(table.head):
        drawn.add_column(Text(name), justify="right" if column in table.numeric else "left", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    Console(width=Console(width=_WIDEST).measure(drawn).maximum).print(drawn)


def _longest_word(name: str) -> int:
    return min(_NAME, max(map(len, name.split()), default=0))


def _heading(results: Sequence[Result]) -> list[str]:
    works = distinct(f"{r.workload}: {counted(r.steps, 'step')}, {counted(r.samples, 'sample')}" for r in results)
    accountings = distinct(f"Accounting {r.accounting}: {r.accounting_title}" for r in results)
    return [*works, *accountings, *filter(None, [unlike(results)])]


def _table(sections: Sequence[Section], names: Sequence[str], columns: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("unit")
    for column in columns:
        name = names[column]
        table.add_column(Text(name), justify="right", overflow="fold", min_width=_longest_word(name))
    for section in sections:
        table.add_section()
        table.add_row(Text(section.title, style="bold"))
        for row in section.rows:
            indent = "  " * (row.level + 1)
            table.add_row(indent + row.label, row.unit, *(Text(row.cells[column]) for column in columns))
    return table
