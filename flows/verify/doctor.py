"""Doctor: every external tool, whether it is installed, its version and what needs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from flows.verify.tools import Tool


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List every external tool, its version and what needs it; status 1 if one is missing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from flows.verify import tools
    from hwsim.errors import HwsimError

    rows = [_row(tool) for tool in tools.TOOLS.values()]
    rows.append(_cells())
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        table = Table("tool", "version", "needed by", "install")
        for row in rows:
            table.add_row(*(Text(row[key] or "missing") for key in ("tool", "version", "purpose", "install")))
        Console().print(table)
    missing = [row["tool"] for row in rows if not row["version"]]
    if missing:
        raise HwsimError(f"missing: {', '.join(missing)}; the table says what installs them")


def _row(tool: Tool) -> dict[str, str]:
    from flows.verify import tools

    try:
        version = tools.version(tool.program)
    except tools.MissingToolError:
        version = ""
    return {"tool": tool.program, "version": version, "purpose": tool.purpose, "install": tool.package}


def _cells() -> dict[str, str]:
    from flows.verify import tools

    try:
        version = str(tools.cells("osu018_stdcells.lib").parent)
    except tools.MissingToolError:
        version = ""
    return {
        "tool": "osu018 standard cells", "version": version, "purpose": "verify: gate level",
        "install": "apt-get install qflow-tech-osu018",
    }  # fmt: skip
