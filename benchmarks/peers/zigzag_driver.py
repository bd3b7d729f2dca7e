"""Map the layers of `chip` with ZigZag and print its mappings as JSON; runs in ZigZag's environment.

    python benchmarks/peers/zigzag_driver.py LAYER...
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chip
import yaml
from zigzag.api import get_hardware_performance_zigzag

OPERANDS = {"input": "I1", "weight": "I2", "output": "O"}
LAYER_OPERANDS = {"input": "I", "weight": "W", "output": "O"}
DIMENSIONS = {"B": "n", "K": "m", "C": "c", "OY": "p", "OX": "q", "FY": "r", "FX": "s"}


def memory(bits: int, energy_pj: float, operands: list[str], served: list[str]) -> dict[str, Any]:
    """A memory whose port moves one word at a time, so that every word is charged alone."""
    directions = {"I1": ("fh", "tl"), "I2": ("fh", "tl"), "O": ("fh", "tl", "fl", "th")}
    port = {"bandwidth_min": chip.WORD_BITS, "bandwidth_max": chip.WORD_BITS, "name": "rw_port_1", "type": "read_write",
            "allocation": [f"{name}, {way}" for name in operands for way in directions[name]]}  # fmt: skip
    return {"size": bits, "r_cost": energy_pj, "w_cost": energy_pj, "area": 0, "latency": 1, "operands": operands,
            "ports": [port], "served_dimensions": served}  # fmt: skip


def accelerator() -> dict[str, Any]:
    """The chip in ZigZag's terms."""
    registers = {
        f"register_{name}": memory(words * chip.WORD_BITS, chip.REGISTER_PJ, [OPERANDS[name]], [])
        for name, words in chip.REGISTER_WORDS.items()
    }
    everything = list(OPERANDS.values())
    return {
        "name": "chip",
        "memories": registers | {
            "buffer": memory(chip.BUFFER_BITS, chip.BUFFER_PJ, everything, ["D1", "D2"]),
            "dram": memory(10**12, chip.DRAM_PJ, everything, ["D1", "D2"]),
        },
        "operational_array": {
            "unit_energy": chip.MAC_PJ, "unit_area": 0, "dimensions": ["D1", "D2"], "sizes": [chip.COLUMNS, chip.ROWS],
        },
    }  # fmt: skip


def workload(layer: chip.Layer) -> list[dict[str, Any]]:
    """The layer in ZigZag's terms."""
    sizes = [1, layer.out_channels, layer.in_channels, layer.out_size, layer.out_size, layer.kernel, layer.kernel]
    return [{
        "id": 0, "name": "layer", "operator_type": "Conv",
        "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
        "dimension_relations": [f"ix={layer.stride}*ox+1*fx", f"iy={layer.stride}*oy+1*fy"],
        "loop_dims": list(DIMENSIONS), "loop_sizes": sizes,
        "operand_precision": {"W": chip.WORD_BITS, "I": chip.WORD_BITS, "O": chip.WORD_BITS, "O_final": chip.WORD_BITS},
        "operand_source": {"I": 0, "W": 0},
        "pr_loop_dims": ["IX", "IY"], "pr_loop_sizes": [layer.size, layer.size], "padding": [[layer.padding] * 2] * 2,
    }]  # fmt: skip


def mapping(layer: chip.Layer) -> list[dict[str, Any]]:
    """What is fixed: output channels along one axis, input channels along the other."""
    columns, rows = layer.spread
    return [{"name": "default", "spatial_mapping": {"D1": [f"K, {columns}"], "D2": [f"C, {rows}"]},
             "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"}}]  # fmt: skip


def run(layer: chip.Layer, folder: Path) -> dict[str, Any]:
    """Search and return the mapping, what ZigZag says of it and the CPU seconds."""
    texts = {"accelerator": accelerator(), "workload": workload(layer), "mapping": mapping(layer)}
    for name, content in texts.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    start = time.process_time()
    energy_pj, cycles, found = get_hardware_performance_zigzag(
        str(folder / "workload.yaml"), str(folder / "accelerator.yaml"), str(folder / "mapping.yaml"), opt="energy",
        temporal_mapping_type="even", loma_show_progress_bar=False, dump_folder=str(folder / "out"),
    )  # fmt: skip
    spent = time.process_time() - start
    evaluation = found[0][1][0][0]
    nests = {str(name): levels for name, levels in evaluation.temporal_mapping.mapping_dic_origin.items()}
    moved = {str(name): levels for name, levels in evaluation.memory_word_access.items()}
    return {
        "layer": layer.name, "cpu_s": round(spent, 2), "energy_pj": float(energy_pj), "cycles": float(cycles),
        "spread": list(layer.spread),
        "loops": {ours: [[[DIMENSIONS[str(d)], int(n)] for d, n in level] for level in nests[theirs]]
                  for ours, theirs in LAYER_OPERANDS.items()},
        "accesses": {ours: [accesses(level) for level in moved[theirs]] for ours, theirs in LAYER_OPERANDS.items()},
    }  # fmt: skip


def accesses(level: Any) -> dict[str, int]:
    """Words read and written at a memory, on the sides of the compute unit (low) and of the external memory (high)."""
    return {way.name.lower(): int(count) for way, count in level.data.items()}


def main() -> None:
    """Print everything as one JSON document."""
    logging.disable(logging.CRITICAL)
    results = []
    for layer in chip.RESNET18:
        if layer.name in sys.argv[1:] or not sys.argv[1:]:
            with tempfile.TemporaryDirectory() as folder:
                results.append(run(layer, Path(folder)))
    print(json.dumps({"peer": f"zigzag-dse {version('zigzag-dse')}", "results": results}))


if __name__ == "__main__":
    main()
