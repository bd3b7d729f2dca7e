"""Run CACTI 7 at the sizes that the SRAM model holds between powers of two, or at those that test it.

    python -m flows.tables.cacti FOLDER between > hwsim/technology/tables/sram-cacti7-between.csv
    python -m flows.tables.cacti FOLDER held-out > tests/data/cacti7/held_out.csv

FOLDER is ``hwcomponents_cacti`` of the PyPI package of that name (1.0.40), with ``cacti/cacti`` built for this machine.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

COLUMNS = {
    "access_ns": (" Access time (ns)", 1.0), "cycle_ns": (" Random cycle time (ns)", 1.0),
    "read_pj": (" Dynamic read energy (nJ)", 1e3), "write_pj": (" Dynamic write energy (nJ)", 1e3),
    "area_mm2": (" Area (mm2)", 1.0),
}  # fmt: skip
"""CACTI's columns and what converts them. Leakage is left out: this build's is not that of the other runs."""

CHOSEN = {
    r"-operating temperature \(K\)": "360",
    r"-design objective \(.*?\)": "0:100:0:0:0",
    r"-deviate \(.*?\)": "20:100000:100000:100000:100000",
    r"-Optimize ED or ED\^2 \(.*?\):": '"NONE"',
}
"""Least dynamic power among what is within 20 % of the least delay."""

Run = tuple[int, str, int, int]
"""Node in nm, cell, bytes, bits of an access."""


WIDTHS, WIDTHS_BETWEEN = (8, 16, 32, 64, 128, 256), (24, 48, 96, 192)


def between() -> Iterator[Run]:
    """Every node and cell: 1.5 x 2^k bytes, and 1.5 x 2^k bits where the memory has 2^k bytes, up to 1 MiB."""
    for node in (22, 32, 45, 65, 90):
        for cell in ("itrs-lop", "itrs-hp"):
            for k in range(9, 23):
                yield from ((node, cell, 3 << (k - 1), width) for width in WIDTHS)
            for k in range(9, 21):
                yield from ((node, cell, 1 << k, width) for width in WIDTHS_BETWEEN)


def held_out() -> Iterator[Run]:
    """Some nodes and cells: 1.25 and 1.75 x 2^k bytes, and 1.25 x 2^k of both bytes and bits."""
    for node, cell in ((22, "itrs-hp"), (45, "itrs-lop"), (65, "itrs-hp"), (90, "itrs-lop")):
        for k in range(9, 20):
            for size in (5 << (k - 2), 7 << (k - 2)):
                yield from ((node, cell, size, width) for width in (8, 32, 64, 256) if size >= width)
        for k in range(11, 19):
            yield from ((node, cell, 5 << (k - 2), width) for width in (40, 80, 160))


def figures(folder: Path, run: Run) -> dict[str, str] | None:
    """Return a row of the table, or None if CACTI finds no memory of that size."""
    node, cell, size, width = run
    text = (folder / "default_cfg.cfg").read_text(encoding="utf-8").replace("itrs-lstp", cell)
    for name, value in CHOSEN.items():
        text = re.sub(rf"(?m)^({name}).*$", rf"\1 {value}", text)
    text += (
        f"\n-size (bytes) {size}\n-read-write port 1\n-block size (bytes) {width // 8}\n-technology (u) {node / 1000}\n"
        f'-output/input bus width {width}\n-UCA bank 1\n-cache type "ram"\n-tag size (b) 0\n-associativity 1\n'
    )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "one.cfg"
        path.write_text(text, encoding="utf-8")
        command = ["./cacti", "-infile", str(path)]
        subprocess.run(command, cwd=folder / "cacti", capture_output=True, check=False)  # noqa: S603 (made above)
        result = path.with_name("one.cfg.out")
        if not result.is_file():
            return None
        row = list(csv.DictReader(result.read_text(encoding="utf-8").splitlines()))[-1]
    found = {name: f"{float(row[column]) * scale:.5g}" for name, (column, scale) in COLUMNS.items()}
    return {"node_nm": str(node), "cell": cell, "size_bytes": str(size), "width_bits": str(width), **found}


def main() -> None:
    """Print the table."""
    folder, runs = Path(sys.argv[1]), {"between": between, "held-out": held_out}[sys.argv[2]]
    head = ["node_nm", "cell", "size_bytes", "width_bits", *COLUMNS]
    writer = csv.DictWriter(sys.stdout, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for run in runs() if (row := figures(folder, run)))


if __name__ == "__main__":
    main()
