"""What nextpnr's report says of the clock, and where the time of the slowest path goes."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

MODULE = re.compile(r"^module \\?(\S+)", re.MULTILINE)


def summary(report: dict[str, Any], verilog: Path) -> dict[str, Any]:
    """Return the clock in MHz and the critical path, in ns by module of the Verilog.

    Only paths between registers of one clock count: pins have no delays that anybody knows.
    """
    slowest = min(report["fmax"].values(), key=lambda clock: float(clock["achieved"]))
    modules = set(MODULE.findall(verilog.read_text(encoding="utf-8")))
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    longest = max(paths, key=lambda path: sum(float(part["delay"]) for part in path["path"]))
    by_module: dict[str, float] = defaultdict(float)
    for part in longest["path"]:
        by_module[module_of(part["to"]["cell"], modules)] += float(part["delay"])
    return {
        "fmax_mhz": round(float(slowest["achieved"]), 2),
        "critical_path": {
            "from": longest["path"][0]["from"]["cell"],
            "to": longest["path"][-1]["to"]["cell"],
            "by_module_ns": {name: round(delay, 2) for name, delay in by_module.items()},
        },
    }


def module_of(cell: str, modules: set[str]) -> str:
    """Return the module that a flattened cell's name begins with, without the top's name."""
    parts = cell.split(".")
    for end in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:end])
        if f"top.{name}" in modules:
            return name
    return "top"
