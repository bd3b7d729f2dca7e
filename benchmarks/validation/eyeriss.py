"""Fit the two power coefficients of `eyeriss-v1-65nm` to the chip's AlexNet figures, and write docs/validation.md.

    python benchmarks/validation/eyeriss.py FIGURES.csv

The fit sees reported activity only (multiply-accumulates, shares of zeros, buffer bytes, latencies), never a
prediction, so that errors of the activity model do not hide in the coefficients.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hwsim.architecture import load_architecture
from hwsim.files import write_text
from hwsim.technology import load_technology
from hwsim.validation.figures import MEASURED, SCALE, LayerFigures, read_figures
from hwsim.validation.network import load_network
from hwsim.validation.silicon import validate_silicon

TEMPLATE = Path(__file__).with_suffix(".md")
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
BATCH = 4


def fit(rows: tuple[LayerFigures, ...]) -> tuple[float, float]:
    """Return pJ per unskipped multiply-accumulate and pJ per cycle, by least squares of relative power errors."""
    chip, _ = load_architecture("eyeriss-v1")
    byte_pj = load_technology("eyeriss-v1-65nm").coefficient("global_buffer").energy_pj(8)
    layers = load_network("alexnet").layers
    by_name = {layer.name: layer.model_copy(update={"batch": BATCH}).operator().macs for layer in layers}
    unknowns, known, power = [], [], []
    for row in rows:
        seconds = row.measured["processing_latency"]
        unknowns.append((by_name[row.name] * (1 - row.zeros) / seconds * 1e-12, chip.clock_hz * 1e-12))
        known.append(row.measured["glb_bytes"] * byte_pj / seconds * 1e-12)
        power.append(row.measured["power"])
    weight = 1 / np.array(power)
    left = np.array(unknowns) * weight[:, None]
    right = (np.array(power) - np.array(known)) * weight
    (mac_pj, cycle_pj), *_ = np.linalg.lstsq(left, right, rcond=None)
    return float(mac_pj), float(cycle_pj)


def leave_one_out(rows: tuple[LayerFigures, ...]) -> list[tuple[float, float]]:
    """Coefficients when each layer in turn takes no part in the fit."""
    return [fit(rows[:i] + rows[i + 1 :]) for i in range(len(rows))]


def page(path: Path | str) -> str:
    """Return the whole page for the figures in ``path``."""
    rows = read_figures(path)
    mac_pj, cycle_pj = fit(rows)
    macs, cycles = zip(*leave_one_out(rows), strict=True)
    return TEMPLATE.read_text().format(
        figures=Path(path).read_text().strip(), comparison=_comparison(path), mac_pj=mac_pj, cycle_pj=cycle_pj,
        mac_low=min(macs), mac_high=max(macs), cycle_low=min(cycles), cycle_high=max(cycles),
    )  # fmt: skip


def _comparison(path: Path | str) -> str:
    validation = validate_silicon(path, "alexnet", batch=BATCH)
    header = ["layer", "mapping (m n e p q r t)", *MEASURED.values(), "best mapping"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for layer in validation.layers:
        best = layer.best_predicted
        cells = [layer.name, " ".join(str(value) for value in layer.mapping.model_dump().values())]
        for column in MEASURED:
            error = layer.error_percent(column)
            scale = SCALE[column]
            cells.append(f"{layer.predicted[column] / scale:.1f} / {layer.measured[column] / scale:g} ({error:+.1f} %)")
        cells.append(f"{best['processing_latency'] * 1e3:.1f} ms, {best['power'] * 1e3:.0f} mW")
        lines.append("| " + " | ".join(cells) + " |")
    means = validation.mean_abs_error_percent
    shown = " | ".join(f"**{means[column]:.1f} %**" for column in MEASURED)
    lines.append(f"| mean absolute error | | {shown} | |")
    return "\n".join(lines)


def main() -> None:
    """Fit, print, and write the page."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = read_figures(sys.argv[1])
    mac_pj, cycle_pj = fit(rows)
    print(f"mac.int16 {mac_pj:.3f} pJ/op, clock {cycle_pj:.1f} pJ/op; one layer left out: {leave_one_out(rows)}")
    write_text(PAGE, page(sys.argv[1]))


if __name__ == "__main__":
    main()
