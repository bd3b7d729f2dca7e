"""Map layers of `chip` with AccelForge and print what it finds as JSON; runs in AccelForge's environment.

    python benchmarks/peers/accelforge_driver.py LAYER...

It needs the program `dot` of Graphviz, and minutes for a sliding window, which is why those are refused.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import accelforge
import chip

ARCHITECTURE = """
arch:
  nodes:
  - !Memory
    {{name: dram, size: inf, leak_power: 0, area: 0, tensors: {{keep: All}}, actions: {dram}}}
  - !Memory
    {{name: buffer, size: {buffer_bits}, leak_power: 0, area: 0, tensors: {{keep: All}}, actions: {buffer}}}
  - !Container
    name: element
    spatial:
    - {{name: columns, fanout: {columns}, reuse: input}}
    - {{name: rows, fanout: {rows}, reuse: output}}
{registers}
  - !Compute
    {{name: mac, leak_power: 0, area: 0, actions: [{{name: compute, energy: {mac}, throughput: 1}}]}}
"""
REGISTER = """\
  - !Memory
    {{name: register_{name}, size: {bits}, leak_power: 0, area: 0, tensors: {{keep: {name}}}, actions: {actions}}}"""
WORKLOAD = """
renames:
  einsums:
  - name: default
    tensor_accesses:
    - {{name: input, source: Inputs & Intermediates, expected_count: 1}}
    - {{name: output, source: Outputs, expected_count: 1}}
    - {{name: weight, source: ~(input | output), expected_count: 1}}
workload:
  bits_per_value: {{All: {bits}}}
  rank_sizes: {{P: {p}, Q: {p}, C: {c}, M: {m}}}
  einsums:
  - name: layer
    tensor_accesses:
    - {{name: X, projection: [p, q, c]}}
    - {{name: W, projection: [c, m]}}
    - {{name: Y, projection: [p, q, m], output: True}}
    renames: {{input: X, output: Y, weight: W}}
"""
TENSORS = {"X": "input", "W": "weight", "Y": "output"}


def actions(energy_pj: float) -> str:
    """A read and a write of one word."""
    each = f"energy: {energy_pj}, bits_per_action: {chip.WORD_BITS}, throughput: inf"
    return f"[{{name: read, {each}}}, {{name: write, {each}}}]"


def architecture(order: Iterable[str]) -> str:
    """The chip in AccelForge's terms, with the registers of the operands one inside the other in ``order``."""
    registers = [
        REGISTER.format(name=name, bits=chip.REGISTER_WORDS[name] * chip.WORD_BITS, actions=actions(chip.REGISTER_PJ))
        for name in order
    ]
    return ARCHITECTURE.format(
        dram=actions(chip.DRAM_PJ), buffer=actions(chip.BUFFER_PJ), buffer_bits=chip.BUFFER_BITS, columns=chip.COLUMNS,
        rows=chip.ROWS, mac=chip.MAC_PJ, registers="\n".join(registers),
    )  # fmt: skip


def run(layer: chip.Layer) -> dict[str, Any]:
    """Return the least energy over all orders of the registers, with the CPU seconds of all."""
    if layer.kernel > 1:
        raise SystemExit(f"{layer.name} has a sliding window")
    Path("workload.yaml").write_text(
        WORKLOAD.format(bits=chip.WORD_BITS, p=layer.out_size, c=layer.in_channels, m=layer.out_channels)
    )
    start = time.process_time()
    found = [search(order) for order in itertools.permutations(chip.REGISTER_WORDS)]
    spent = round(time.process_time() - start, 2)
    return {"layer": layer.name, "cpu_s": spent} | min(found, key=lambda one: one["energy_pj"])


def search(order: Iterable[str]) -> dict[str, Any]:
    """Return the least energy for one order of the registers."""
    Path("arch.yaml").write_text(architecture(order))
    spec = accelforge.Spec.from_yaml("arch.yaml", "workload.yaml")
    spec.mapper.metrics = accelforge.Metrics.ENERGY
    accelforge.set_n_parallel_jobs(1)
    found = spec.map_workload_to_arch()
    row = found.data.iloc[0]
    names = [name.split("<SEP>") for name in found.data.columns]
    moved = {
        f"{component} {TENSORS[tensor]} {action}": float(row["<SEP>".join((einsum, what, component, tensor, action))])
        for einsum, what, component, tensor, action in (name for name in names if len(name) == 5)
        if what == "energy" and tensor in TENSORS
    }
    return {"registers": list(order), "energy_pj": float(row["Total<SEP>energy"]), "moved_pj": moved}


def main() -> None:
    """Print everything as one JSON document."""
    layers = [layer for layer in chip.RESNET18 if layer.name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with contextlib.redirect_stdout(sys.stderr):  # it reports its progress there
            results = [run(layer) for layer in layers]
    print(json.dumps({"peer": f"accelforge {version('accelforge')}", "results": results}))


if __name__ == "__main__":
    main()
