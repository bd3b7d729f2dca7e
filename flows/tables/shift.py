"""The page "What a shift really saves" and its charts, from the technology tables and the cost model.

python -m flows.tables.shift docs
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import sqrt
from pathlib import Path

import hwsim
from flows.tables import markdown
from flows.tables.charts import bars
from hwsim.cost.result import Result
from hwsim.errors import HwsimError
from hwsim.files import write_text
from hwsim.mapping.cache import disabled
from hwsim.technology import Circuit, Resources, Technology, load_technology
from hwsim.technology.registers import register_file

LIBRARIES = ("osu018", "sky130hd", "ihp-sg13g2", "nangate45", "asap7")
PARTS = {"ECP5": "fpga-ecp5", "iCE40": "fpga-ice40", "7-series": "fpga-xc7"}
ELEMENTS = {"int8": "int8_mac", "shift": "shift8"}
NETWORKS = {
    "ResNet-20": Path(__file__).with_name("resnet20.yaml"),
    "Transformer-base": Path(str(files("hwsim.examples") / "transformer_base.yaml")),
}
ARRAYS = (4, 8)
"""Rows and columns of the arrays that were run as gates."""


@dataclass(frozen=True)
class Saving:
    """What INT8 multiplication costs over shifting, level by level."""

    operator: float
    element: float
    area: float
    adder: float
    """Multiply-accumulate element over adder element (L1 distance)."""
    array: dict[int, float | None]
    """By its edge; None where no such array was run in the library."""
    network: dict[str, float]
    arithmetic: dict[str, float]
    """Share of what the network saves that the elements themselves save; moving fewer bits saves the rest."""


def saving(library: str) -> Saving:
    """Return all ratios in one library."""
    table = load_technology(library)
    circuits = table.circuits
    results = {kind: _scores(kind, table) for kind in ELEMENTS}
    return Saving(
        operator=circuits["operator.mult8"].energy_pj / circuits["operator.shift8"].energy_pj,
        element=_networks_pj(circuits["int8_mac"]) / _networks_pj(circuits["shift8"]),
        area=circuits["int8_mac"].area_um2 / circuits["shift8"].area_um2,
        adder=_networks_pj(circuits["int8_mac"]) / _networks_pj(circuits["adder8"]),
        array={edge: _arrays(table, edge) for edge in ARRAYS},
        network={name: results["int8"][name].energy_j / results["shift"][name].energy_j for name in NETWORKS},
        arithmetic={name: _saved_by_elements(results["int8"][name], results["shift"][name]) for name in NETWORKS},
    )


def _scores(kind: str, table: Technology) -> dict[str, Result]:
    """Every network on the preset array, with this library's elements and wires as long as they make the array."""
    text = (Path(str(files("hwsim.architecture") / "presets")) / f"pe-array-45nm-{kind}.yaml").read_text()
    element = table.circuits[ELEMENTS[kind]].area_um2 + 2 * register_file(table.name, 16, 8).area_um2
    half_edge_mm = 8 * sqrt(element / 0.7) * 1e-3  # of 16 elements at 70 % utilisation
    text = text.replace("nangate45+shiftaddnet-45nm", table.name).replace("wire.0.5mm", f"wire.{half_edge_mm:.3f}mm")
    with tempfile.TemporaryDirectory() as folder, disabled():
        path = write_text(Path(folder) / "array.yaml", text)
        return {name: hwsim.score(work, on=str(path), accounting="pe") for name, work in NETWORKS.items()}


def _saved_by_elements(multiply: Result, shift: Result) -> float:
    compute_j = [result.energy_j_by("component")["compute",] for result in (multiply, shift)]
    return (compute_j[0] - compute_j[1]) / (multiply.energy_j - shift.energy_j)


def _networks_pj(circuit: Circuit) -> float:
    """Energy of an operation on operands of networks, which come last."""
    return circuit.energy[-1].total_pj


def _arrays(table: Technology, edge: int) -> float | None:
    """Energy of the gates of an array of multiply-accumulate elements over that of shift elements, on equal layers."""
    spent: dict[str, dict[str, float]] = {name: {} for name in ELEMENTS.values()}
    for one in table.arrays:
        if (one.rows, one.columns) == (edge, edge) and one.circuit in spent:
            spent[one.circuit][one.layer] = one.gates_pj
    multiply, shift = (spent[name] for name in ELEMENTS.values())
    both = sorted(multiply.keys() & shift.keys())
    return sum(multiply[layer] for layer in both) / sum(shift[layer] for layer in both) if both else None


def page() -> dict[str, str]:
    """Return the files of the page by their path inside the folder of the documentation."""
    savings = {library: saving(library) for library in LIBRARIES}
    return {
        "shift.md": _text(savings),
        "shift-levels.svg": bars(
            "Energy of INT8 multiplication over shift", LIBRARIES,
            {
                "bare operator": [one.operator for one in savings.values()],
                "whole element": [one.element for one in savings.values()],
                "array of 4 x 4": [one.array[4] for one in savings.values()],
                "network (ResNet-20)": [one.network["ResNet-20"] for one in savings.values()],
            },
            "times",
        ),
        "shift-fpga.svg": bars(
            "Look-up tables of an element between registers", list(PARTS),
            {label: [float(_resources(table)[name].lut) for table in PARTS.values()]
             for label, name in FPGA_ELEMENTS.items()}, "LUT",
        ),
        "shift-split.svg": _split_chart(),
    }  # fmt: skip


FPGA_ELEMENTS = {
    "INT8 MAC": "int8_mac", "INT8 MAC, piped": "int8_mac_piped", "shift": "shift8", "shift, piped": "shift8_piped",
    "adder, piped": "adder8_piped",
}  # fmt: skip


def _resources(table: str) -> Mapping[str, Resources]:
    fpga = load_technology(table).fpga
    if fpga is None:
        raise HwsimError(f"technology {table} is no FPGA")
    return fpga.resources


def _split_chart() -> str:
    """Where the energy of ResNet-20 goes at 45 nm, for both arrays."""
    table = load_technology("nangate45")
    parts = ("compute", "register_file", "network", "global_buffer", "dram")
    series = {}
    for kind, label in (("int8", "INT8 multiply-accumulate"), ("shift", "shift-accumulate")):
        energy_j = _scores(kind, table)["ResNet-20"].energy_j_by("component")
        series[label] = [energy_j[part,] * 1e6 for part in parts]
    names = ("element", "register files", "array wires", "buffer", "DRAM")
    return bars("Energy of an image of ResNet-20 at 45 nm (nangate45), uJ", names, series, "uJ")


def _text(savings: Mapping[str, Saving]) -> str:
    head = (
        "library", "bare operator", "whole element", "element's area", "adder element",
        *(f"array, {edge} x {edge}" for edge in ARRAYS),
        *(f"{level}, {name}" for level in ("network", "of it arithmetic") for name in NETWORKS),
    )  # fmt: skip
    energies = [
        (f"`{library}`", *map(_number, (one.operator, one.element, one.area, one.adder)),
         *map(_number, (*one.array.values(), *one.network.values())),
         *(f"{share:.0%}" for share in one.arithmetic.values()))
        for library, one in savings.items()
    ]  # fmt: skip
    cells = [
        (label, *(_cells(_resources(table)[name]) for table in PARTS.values())) for label, name in FPGA_ELEMENTS.items()
    ]
    published, asic = load_technology("shiftaddnet-zc706"), load_technology("shiftaddnet-45nm")
    return markdown.render(
        "shift.md.j2",
        span=_span,
        operators=[one.operator for one in savings.values()],
        elements=[one.element for one in savings.values()],
        arrays=[value for one in savings.values() for value in one.array.values() if value is not None],
        networks=[value for one in savings.values() for value in one.network.values()],
        arithmetic=[100 * share for one in savings.values() for share in one.arithmetic.values()],
        energies=markdown.table(head, energies),
        cells=markdown.table(("element", *(f"{part}: LUT / FF / DSP, MHz" for part in PARTS)), cells),
        mult=published.coefficient("mult.int8"),
        shift=published.coefficient("shift.int8"),
        asic=asic.coefficient("mult.int8").value / asic.coefficient("shift.int8").value,
    )


def _cells(used: Resources) -> str:
    ff = "-" if used.ff is None else str(used.ff)
    clock = "-" if used.fmax_mhz is None else f"{used.fmax_mhz:.0f}"
    return f"{used.lut} / {ff} / {used.dsp}, {clock}"


def _span(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Write the page and its charts into a folder."""
    for name, text in page().items():
        write_text(Path(sys.argv[1]) / name, text)


if __name__ == "__main__":
    main()
