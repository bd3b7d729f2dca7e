"""Storage of systolic arrays as gates: what a bit costs in lines of registers and in result buffers, per library.

python -m flows.tables.storage LIBRARY=FILE.lib[.gz][,FILE...] ... > hwsim/technology/models/storage.yaml
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from flows.calibrate import synthesis
from flows.calibrate.library import Library
from flows.calibrate.measure import Setup
from flows.calibrate.model import Sample, fit
from flows.calibrate.storage import Line, Queue
from flows.tables.registers import named_libraries
from hwsim.technology.storage import SELECTED, STORED, Storage

FITTED = Queue(4, 2, 24), Queue(8, 4, 24), Queue(16, 8, 24)
"""Buffers of two tiles of 2 x 2, 4 x 4 and 8 x 8 results."""
OTHER = Queue(8, 4, 32), Queue(16, 4, 20)


def measure(setup: Setup) -> Storage:
    """Return the models of a library: of lines from one, of buffers from several sizes."""
    line = _netlist(Line(), setup)
    judged = {"other words": Line.sample(line, setup.library, seed=2)}
    return Storage(
        line=fit(Line.sample(line, setup.library, seed=1), judged),
        queue=fit(
            Sample.joined(queue_sample(queue, setup) for queue in FITTED),
            {f"{one.words} words of {one.columns} x {one.bits} bits": queue_sample(one, setup) for one in OTHER},
        ),
    )


def queue_sample(queue: Queue, setup: Setup) -> Sample:
    """Return streams of a buffer, with what grows with its words."""
    sample = queue.sample(_netlist(queue, setup), setup.library, seed=1)
    rates = {**sample.rates, SELECTED: sample.rates[STORED] * queue.words}
    return Sample(sample.names, rates, sample.energy_pj)


def _netlist(part: Line | Queue, setup: Setup) -> Any:
    return synthesis.synthesise(part, setup.library, setup.folder, setup.recipe)


def table(libraries: dict[str, list[Path]]) -> dict[str, Any]:
    """Return the models of every library."""
    found = {}
    for name, paths in libraries.items():
        with tempfile.TemporaryDirectory() as folder:
            setup = Setup(Library(paths), Path(folder), synthesis.Recipe())
            synthesis.place(setup.library, setup.folder)
            found[name] = measure(setup).model_dump()
    return found


def main() -> None:
    """Print the table."""
    sys.stdout.write(yaml.safe_dump(table(named_libraries(sys.argv[1:])), sort_keys=False))


if __name__ == "__main__":
    main()
