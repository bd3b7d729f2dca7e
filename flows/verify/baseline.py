"""Resources as they were last accepted: compared with a tolerance per key, or written anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hwsim.errors import HwsimError
from hwsim.files import write_text

FILE = Path(__file__).with_name("baseline.json")

TOLERANCE: dict[str, tuple[float, float]] = {
    "lut": (0.05, 2), "ff": (0.02, 1), "dsp": (0, 0), "bram": (0, 0), "fmax_mhz": (0.12, 0),
    "area_um2": (0.03, 0), "cells": (0.05, 2),
}  # fmt: skip
"""Allowed difference by key: a share of the accepted value plus a number. The clock may be any faster, and
its spread is a record and not compared."""

TARGETS: dict[tuple[str, str], dict[str, float]] = {
    ("shift8_piped", "ecp5-25k"): {"lut": 90, "fmax_mhz": 200},
    ("adder8_last", "ecp5-25k"): {"lut": 75, "fmax_mhz": 120},
    ("adder8_piped", "ecp5-25k"): {"lut": 75, "fmax_mhz": 200},
    ("int8_mac_piped", "ecp5-25k"): {"lut": 72, "dsp": 1, "fmax_mhz": 200},
}
"""What a configuration must reach on a part: at most that many cells, at least that clock. Never updated."""


class BaselineError(HwsimError):
    """A figure is not what was accepted, or less than its target."""


def accept(name: str, target: str, figures: dict[str, Any], *, file: Path = FILE) -> None:
    """Let ``figures`` of configuration ``name`` wait for `merge`; parallel checks must not write one file."""
    text = json.dumps(figures, indent=1, sort_keys=True) + "\n"
    write_text(file.with_suffix("") / f"{name}@{target}.json", text)


def check(name: str, target: str, figures: dict[str, Any], *, file: Path = FILE) -> None:
    """Compare ``figures`` of configuration ``name`` with the accepted ones.

    Raises
    ------
    BaselineError
        If a figure differs beyond its tolerance, or none was accepted yet.
    """
    known = accepted(file)
    if target not in known.get(name, {}):
        raise BaselineError(f"no accepted figures of {name} on {target}; run hwsim verify --update")
    old = known[name][target]
    wrong = [
        f"{key} {figures[key]} instead of {old.get(key)}" for key in figures if not _close(key, figures, old)
    ]
    if wrong:
        raise BaselineError(f"{name} on {target}: {', '.join(wrong)}; run hwsim verify --update to accept")


def meet(name: str, target: str, figures: dict[str, Any]) -> None:
    """Compare ``figures`` with the `TARGETS` of configuration ``name``, if it has some.

    Raises
    ------
    BaselineError
        If a figure misses its target.
    """
    missed = [
        f"{key} {figures[key]}, must be at {'least' if key == 'fmax_mhz' else 'most'} {bound:g}"
        for key, bound in TARGETS.get((name, target), {}).items()
        if (figures[key] < bound if key == "fmax_mhz" else figures[key] > bound)
    ]
    if missed:
        raise BaselineError(f"{name} on {target}: {'; '.join(missed)}")


def accepted(file: Path = FILE) -> dict[str, Any]:
    """Return the accepted figures by configuration and target."""
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _close(key: str, figures: dict[str, Any], old: dict[str, Any]) -> bool:
    if key not in TOLERANCE:
        return True
    if key not in old:
        return False
    share, number = TOLERANCE[key]
    difference = figures[key] - old[key]
    return abs(difference) <= share * old[key] + number or (key == "fmax_mhz" and difference > 0)


def merge(file: Path = FILE) -> None:
    """Put all waiting entries into the file and remove them."""
    known = accepted(file)
    for part in sorted(file.with_suffix("").glob("*.json")):
        name, target = part.stem.split("@")
        known.setdefault(name, {})[target] = json.loads(part.read_text(encoding="utf-8"))
        part.unlink()
    write_text(file, json.dumps(known, indent=1, sort_keys=True) + "\n")
    if file.with_suffix("").is_dir():
        file.with_suffix("").rmdir()
