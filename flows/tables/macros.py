"""Read energy, time, leakage and area of memory macros from their Liberty files into a table.

python -m flows.tables.macros FILE.lib.gz ... > hwsim/technology/models/ihp-sram.yaml
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

from flows.calibrate.liberty import Group, read
from flows.calibrate.rounding import rounded
from hwsim.errors import InputError
from hwsim.technology.macros import Macro

READ, WRITE = "A_MEN&!A_WEN&A_REN", "A_MEN&A_WEN&!A_REN"
"""Conditions of the clock pin's internal power."""


def macro(path: Path) -> tuple[str, Macro]:
    """Return the name and figures of the one memory in a Liberty file.

    Raises
    ------
    InputError
        If the file has no such memory, or other units than nanosecond, picofarad, volt and nanowatt.
    """
    library, _ = read(path)
    units = [library.attributes.get(name) for name in ("time_unit", "voltage_unit", "leakage_power_unit")]
    if units != ["1ns", "1V", "1nW"] or library.attributes.get("capacitive_load_unit", "").split(",")[1:] != ["pf"]:
        raise InputError("units must be 1ns, 1V, 1nW and pf", file=path, value=units)
    cell = next(library.all("cell"))
    words, bits = map(int, re.findall(r"\d+", cell.arguments[0].partition("1P_")[2])[:2])
    clock = next(pin for pin in cell.all("pin") if pin.arguments == ("A_CLK",))
    energies = {group.attributes["when"].replace(" ", ""): _rise(group) for group in clock.all("internal_power")}
    delays = [
        max(table.numbers("values"))
        for bus in cell.all("bus") if bus.arguments == ("A_DOUT",)
        for holder in (bus, *bus.all("pin")) for timing in holder.all("timing")
        for table in timing.all("cell_rise", "cell_fall")
    ]  # fmt: skip
    return cell.arguments[0], Macro(
        words=words, bits=bits, read_pj=rounded(energies[READ]), write_pj=rounded(energies[WRITE]),
        access_ns=rounded(max(delays)), leakage_mw=rounded(float(cell.attributes["cell_leakage_power"]) * 1e-6),
        area_mm2=rounded(float(cell.attributes["area"]) * 1e-6),
    )  # fmt: skip


def _rise(group: Group) -> float:
    return next(group.all("rise_power")).numbers("values")[0]


def main() -> None:
    """Print the table."""
    found = dict(sorted(macro(Path(name)) for name in sys.argv[1:]))
    sys.stdout.write(yaml.safe_dump({name: one.model_dump() for name, one in found.items()}, sort_keys=False))


if __name__ == "__main__":
    main()
