"""The page of memories: external memories, SRAM with its errors, register files.

python -m flows.tables.memories docs
"""

from __future__ import annotations

import csv
import sys
from math import exp, log, sqrt
from pathlib import Path

from flows.tables.markdown import render, table
from hwsim.files import write_text
from hwsim.technology import load_technology
from hwsim.technology.dram import drams
from hwsim.technology.macros import Macro, fitted, macros
from hwsim.technology.registers import register_files
from hwsim.technology.scaling import factors
from hwsim.technology.sram import VOLTAGES_V, runs, sram

HELD_OUT = Path(__file__).parents[2] / "tests" / "data" / "cacti7" / "held_out.csv"
QUANTITIES = {"access_ns": "access time", "read_pj": "read energy", "write_pj": "write energy", "area_mm2": "area"}
HOROWITZ = (
    ("SRAM", 8192, 32, 5.0),
    ("cache", 8192, 64, 10.0),
    ("cache", 32768, 64, 20.0),
    ("cache", 1 << 20, 64, 100.0),
)
"""Kind, bytes, bits, picojoules."""


def page() -> dict[str, str]:
    """Return the page by its path inside the folder of the documentation."""
    errors = _errors()
    energies = errors["read_pj"] + errors["write_pj"]
    within = sum(abs(error) <= 0.1 for error in energies) / len(energies)
    scaled = [row for one in macros().values() for row in _scaled(one)]
    return {
        "memories.md": render(
            "memories.md.j2",
            drams=_drams(), runs=runs(), held_out=len(errors["read_pj"]), errors=_error_table(errors),
            by_stated=_by_stated(), jump=_jump(), coverage=f"{within:.0%} of the energies are within 10 %.",
            horowitz=_horowitz(), macros=_macros(),
            scaled=f"{exp(sum(map(log, scaled)) / len(scaled)):.0%}", registers=_registers(),
        )
    }  # fmt: skip


def _drams() -> str:
    rows = [
        (f"`dram.{name}`", f"{one.value:g}", f"{one.uncertainty:.0%}", one.conditions, one.confidence, one.source,
         one.uncertainty_basis)
        for name, one in drams().items()
    ]  # fmt: skip
    return table(("coefficient", "pJ/bit", "+-", "conditions", "trust", "source", "what the uncertainty covers"), rows)


def _errors() -> dict[str, list[float]]:
    """Relative errors of the model at the runs left out."""
    found: dict[str, list[float]] = {name: [] for name in QUANTITIES}
    for row in csv.DictReader(HELD_OUT.read_text(encoding="utf-8").splitlines()):
        memory = sram(int(row["size_bytes"]), int(row["width_bits"]), int(row["node_nm"]), row["cell"])
        for name, errors in found.items():
            errors.append(getattr(memory, name) / float(row[name]) - 1)
    return found


def _error_table(errors: dict[str, list[float]]) -> str:
    rows = []
    for name, words in QUANTITIES.items():
        sizes = sorted(map(abs, errors[name]))
        mean_square = sqrt(sum(size**2 for size in sizes) / len(sizes))
        rows.append((words, _percent(mean_square), _percent(sizes[int(0.95 * len(sizes))]), _percent(sizes[-1])))
    return table(("quantity", "root mean square", "95 % are within", "largest"), rows)


STATED = (0.0, 0.03, 0.06, 0.1, 1.0)
"""Limits of the classes of uncertainty that the page has."""


def _by_stated() -> str:
    """Errors of both energies at the runs left out, by the uncertainty that the model states for them."""
    found: dict[float, list[float]] = {limit: [] for limit in STATED[1:]}
    for row in csv.DictReader(HELD_OUT.read_text(encoding="utf-8").splitlines()):
        memory = sram(int(row["size_bytes"]), int(row["width_bits"]), int(row["node_nm"]), row["cell"])
        for name in ("read_pj", "write_pj"):
            limit = next(limit for limit in STATED[1:] if memory.uncertainty[name] < limit)
            found[limit].append(abs(getattr(memory, name) / float(row[name]) - 1))
    rows = []
    for low, (high, sizes) in zip(STATED, found.items(), strict=False):
        within = sum(size <= 0.1 for size in sizes) / len(sizes)
        mean_square = sqrt(sum(size**2 for size in sizes) / len(sizes))
        limits = f"{low:.0%} to {high:.0%}" if high < 1 else f"above {low:.0%}"
        rows.append((limits, str(len(sizes)), _percent(mean_square), f"{within:.0%}", _percent(max(sizes))))
    return table(("stated", "energies", "root mean square", "within 10 %", "largest"), rows)


def _jump() -> str:
    """A place where CACTI divides a memory otherwise than next to it."""
    four, six, eight = (sram(size * 1024, 64, 45, "itrs-lop").read_pj for size in (4, 6, 8))
    return f"at 45 nm a read of 64 bits takes {four:.2f} pJ in 4 KiB, {six:.2f} in 6 KiB and {eight:.2f} in 8 KiB"


def _horowitz() -> str:
    rows = []
    for kind, size, bits, energy_pj in HOROWITZ:
        ours = sram(size, bits, 45, "itrs-hp").read_pj
        rows.append(
            (f"{kind}, {size // 1024} KiB, {bits} bit", f"{energy_pj:g}", f"{ours:.3g}", f"{ours / energy_pj:.2f}")
        )
    return table(("read of", "Horowitz pJ", "CACTI pJ", "ratio"), rows)


def _macros() -> str:
    rows = []
    for name, one in macros().items():
        rest = [other for other in macros().values() if other != one]
        law = fitted(rest, one.words, one.bits)
        ratios = (*_scaled(one), law.read_pj / one.read_pj, law.write_pj / one.write_pj, law.area_mm2 / one.area_mm2)
        size = name.split("_")[3]
        rows.append((size, f"{one.read_pj:.3g}", f"{one.write_pj:.3g}", *(f"{ratio:.2f}" for ratio in ratios)))
    head = ("macro", "read pJ", "write pJ", "scaled, read", "scaled, write", "left out, read", "left out, write",
            "left out, area")  # fmt: skip
    return table(head, rows)


def _scaled(one: Macro) -> tuple[float, float]:
    """Read and write of CACTI at 90 nm, scaled to 130 nm and 1.2 V, over the macro's."""
    memory = sram(one.size_bytes, one.bits, 90, "itrs-hp")
    by = factors(90, VOLTAGES_V["itrs-hp"][90], 130, 1.2).energy
    return memory.read_pj * by / one.read_pj, memory.write_pj * by / one.write_pj


def _registers() -> str:
    rows = [
        (f"`{library}`", f"{load_technology(library).node_nm:g} nm", size,
         *(f"{value:.3g}" for value in (one.read_pj, one.write_pj, one.hold_pj, one.area_um2, one.delay_ns)))
        for library, sizes in register_files().items() for size, one in sizes.items()
    ]  # fmt: skip
    return table(("library", "node", "words x bits", "read pJ", "write pJ", "hold pJ/cycle", "um2", "ns"), rows)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def main() -> None:
    """Write the page into a folder."""
    for name, text in page().items():
        write_text(Path(sys.argv[1]) / name, text)


if __name__ == "__main__":
    main()
