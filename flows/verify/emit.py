"""A PE for somebody else's flow: Verilog, port map and vectors."""

from __future__ import annotations

import json
from pathlib import Path

from flows.verify import design, stimulus
from hwsim.files import write_text
from rtl.pe.element import ProcessingElement


def emit(pe: ProcessingElement, name: str, folder: Path, beats: int) -> list[Path]:
    """Write ``NAME.v``, ``NAME.ports.json`` and ``NAME.vectors.csv`` and return their paths.

    The vectors hold one beat per line: idle cycles in front of it, ``first``, ``last``, the operands, cycles
    until ready again, and the results after it, which the hardware shows with ``done`` for beats marked
    ``last``. Equal arguments give equal files.
    """
    described = {
        "module": name,
        "pe": pe.key,
        "parameters": pe.model_dump(),
        "latency_cycles": pe.latency,
        "ports": design.port_map(pe),
    }
    made = stimulus.make(pe, beats, seed=1)
    columns = {
        "idle": made.idle, "first": made.first.astype(int), "last": made.last.astype(int), **made.operands,
        "cycles": made.cycles, **{f"expected_{port}": column for port, column in made.results.items()},
    }  # fmt: skip
    rows = zip(*(column[:beats].tolist() for column in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    return [
        design.emit(pe.create(), folder / f"{name}.v", name),
        write_text(folder / f"{name}.ports.json", json.dumps(described, indent=1) + "\n"),
        write_text(folder / f"{name}.vectors.csv", "\n".join(lines) + "\n"),
    ]
