"""ShiftAddViT (NeurIPS 2023): energies and latencies, what its accounting assumes, and what is left without that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hwsim
from flows.reproduce.registry import Progress
from flows.reproduce.report import Chart, Figure, Reproduction, Section
from flows.reproduce.shiftaddvit_assumptions import ALL_OFF, faster_shifts, gates_ladder, published_ladder
from flows.reproduce.shiftaddvit_networks import ALL_SHIFTED, BASELINE, MIXED, networks, traced
from hwsim.cost.accounting import Convention
from hwsim.cost.result import Result
from hwsim.files import read_mapping
from hwsim.technology import load_technology
from hwsim.workload import Operator, Workload
from hwsim.workload.forms import Linear
from models.shiftaddvit.hardware import in_8_bits, products

PRINTED = Path(__file__).with_name("shiftaddvit.yaml")
TRAINED = Path(__file__).with_name("shiftaddvit-training.json")
GATES = str(Path(__file__).with_name("row-stationary-gates.yaml"))
ARRAY = "pe-array-45nm-mixed"
PAPER = ("eyeriss-45nm", "shiftaddvit")


def reproduce(progress: Progress | None = None) -> Reproduction:
    """Compute every table that needs no training, and show the results of a training."""
    printed = read_mapping(PRINTED)
    whole = traced()
    works = networks(whole)
    makers = (
        lambda: _operators(printed["operators"]), lambda: _networks(printed["networks"], works),
        lambda: _published(works), lambda: _gates(works), lambda: _left_out(whole), _training,
    )  # fmt: skip
    sections = []
    for done, make in enumerate(makers):
        if progress:
            progress(done, len(makers))
        sections.append(make())
    return Reproduction(
        name="shiftaddvit", title="ShiftAddViT: our numbers beside the paper's",
        source=f"H. You et al., ShiftAddViT, NeurIPS 2023. {printed['source'].strip()}", sections=tuple(sections),
    )  # fmt: skip


def _operators(printed: list[Mapping[str, Any]]) -> Section:
    figures = []
    for row in printed:
        result = hwsim.score(_linear(row), *PAPER)
        ours = {
            "energy_mj": result.energy_j * 1e3, "latency_ms": result.latency_s * 1e3,
            "compute_mj": result.energy_j_by("component")["compute",] * 1e3,
        }  # fmt: skip
        for key, what in (("energy_mj", ""), ("compute_mj", ", of it computing"), ("latency_ms", ", latency")):
            if key in row:
                figures.append(_figure(row["name"] + what, key, ours[key], row[key]))
    return Section(
        title="Operators",
        text="Shapes of PVTv2-B1 and B0. Latencies behind /3.2 for shifts; an addition is on chip.", figures=tuple(figures),
    )  # fmt: skip


def _linear(row: Mapping[str, Any]) -> Workload:
    form = Linear(
        kind="linear", name="product", batch=row["rows"], in_features=row["inner"], out_features=row["columns"],
        primitive=row["primitive"],
    )  # fmt: skip
    return Workload(name=row["name"], operators=(form.operator(),))


def _figure(name: str, key: str, ours: float, printed: float) -> Figure:
    return Figure(name=name, unit=key.rsplit("_", 1)[1].replace("mj", "mJ"), ours=ours, printed=printed, digits=5)


def _networks(printed: Mapping[str, Mapping[str, float]], works: Mapping[str, Workload]) -> Section:
    figures = []
    for name, row in printed.items():
        result = hwsim.score(works[name], *PAPER)
        figures.append(_figure(name, "energy_mj", result.energy_j * 1e3, row["energy_mj"]))
        figures.append(_figure(f"{name}, latency", "latency_ms", result.latency_s * 1e3, row["latency_ms"]))
    return Section(
        title="Networks",
        text=f"PVTv2-B0 at 224 x 224, {sum(o.macs for o in works[BASELINE].operators) / 1e6:.1f} million products. Ours are traced "
        "from `models.shiftaddvit`: what the paper prices is picked from the trace, nothing is entered by hand. "
        "`all multiply` has binary attention too, priced as products. With routers.",
        figures=tuple(figures),
    )  # fmt: skip


def _published(works: Mapping[str, Workload]) -> Section:
    rows = {name: _scores(works, PAPER[0], convention) for name, convention in published_ladder().items()}
    return Section(
        title="Assumptions, at 32 bits with the paper's unit energies",
        text=(
            "Energy saved and speed-up against `all multiply` under the same accounting. `all on` is the paper's; then one "
            "assumption is off: `words`, shift layers (partial sums too) move 32-bit words instead of 10-bit ones; `cycles`, a "
            "shift takes a cycle instead of 1/3.2; `on chip`, MatAdd reads and writes memories as others do; `accumulate`, the "
            "addition behind a product or shift is charged."
        ),
        head=_HEAD, rows=_rows(rows), charts=(_chart("reproduce-shiftaddvit-published", rows),),
    )  # fmt: skip


def _gates(works: Mapping[str, Workload]) -> Section:
    narrow = {name: in_8_bits(work) for name, work in works.items()}
    ladder = gates_ladder()
    rows = {name: _scores(narrow, GATES, convention) for name, convention in ladder.items()}
    circuits = load_technology("nangate45").circuits
    area = circuits["int8_mac"].area_um2 / circuits["shift8"].area_um2
    rows["equal area"] = _scores(narrow, GATES, faster_shifts(ladder[ALL_OFF], area))
    rows["our array"] = _scores(narrow, ARRAY, ladder[ALL_OFF])
    return Section(
        title="Assumptions, at 8 bits with our own RTL as gates",
        text=(
            "INT8 activations; weights of 8 bits, shifts of 4, codes of 1. Operators and elements are ours in 45 nm (nangate45). "
            "The assumptions are the same (`words`: 6-bit words by the paper's rule, or each operand's own and 32-bit "
            "partial sums), but that the last is `elements`: whole processing elements with accumulator, registers and clock "
            f"instead of bare operators. `all off` is `--accounting pe`. `equal area`: {area:.2f} times as many shift elements "
            f"as multipliers, for they are smaller. `our array`: 16 x 16 elements with SRAM and LPDDR4 and the best mappings (`{ARRAY}`). "
            "Gates have uncertainties of 30 to 60 %, most of it common to both sides: savings of a few percent are none."
        ),
        head=_HEAD, rows=_rows(rows), charts=(_chart("reproduce-shiftaddvit-gates", rows),),
    )  # fmt: skip


_HEAD = (
    "off", "all multiply, mJ", "ms", "add saves", "shift, add saves", "50 % shifted saves", "60 % shifted saves",
    "add speeds up", "shift, add", "50 % shifted", "60 % shifted",
)  # fmt: skip


def _scores(works: Mapping[str, Workload], on: str, convention: Convention) -> dict[str, Result]:
    return {name: hwsim.score(work, on, convention) for name, work in works.items()}


def _rows(scores: Mapping[str, Mapping[str, Result]]) -> tuple[tuple[str | float, ...], ...]:
    rows = []
    for name, results in scores.items():
        base, *others = results.values()
        rows.append((
            name, base.energy_j * 1e3, base.latency_s * 1e3, *(f"{_saved(other, base):.1f} %" for other in others),
            *(f"{base.latency_s / other.latency_s:.2f}" for other in others),
        ))  # fmt: skip
    return tuple(rows)


def _saved(other: Result, base: Result) -> float:
    return 100 * (1 - other.energy_j / base.energy_j)


def _chart(name: str, scores: Mapping[str, Mapping[str, Result]]) -> Chart:
    relative = {
        network: tuple(results[network].energy_j / results[BASELINE].energy_j for results in scores.values())
        for network in (ALL_SHIFTED, MIXED)
    }
    return Chart(
        name=name, title="Energy, relative to the network that multiplies", unit="times", groups=tuple(scores), series=relative
    )  # fmt: skip


def _left_out(whole: Workload) -> Section:
    parts: dict[str, list[Operator]] = {}
    for operator in products(whole).operators:
        parts.setdefault(_part(operator), []).append(operator)
    rows: list[tuple[str | float, ...]] = []
    for name, operators in parts.items():
        result = hwsim.score(whole.model_copy(update={"operators": tuple(operators)}), *PAPER)
        macs = sum(operator.macs for operator in operators) / 1e6
        rows.append((name, macs, result.energy_j * 1e3, result.latency_s * 1e3))
    return Section(
        title="What is not priced",
        text=(
            "Every contraction of the network with attention that adds, under the paper's accounting. The paper prices linear "
            "layers and products with codes. Hash functions multiply: each query and each key is compared with 25 anchors to "
            "get the 16 bits that save multiplications afterwards."
        ),
        head=("part", "million operations", "mJ", "ms"), rows=tuple(rows),
    )  # fmt: skip


def _part(operator: Operator) -> str:
    module = operator.module.split(".")
    if operator.primitive == "binary_add":
        return "products with codes (MatAdd)"
    if "codes" in module:
        return "hash functions of queries and keys"
    if {"qkv", "out", "fc1", "fc2"} & set(module):
        return "linear layers"
    if {"patches", "depthwise"} & set(module):
        return "convolutions"
    return "classifier" if "head" in module else "softmax attention of the last stage"


def _training() -> Section:
    found = json.loads(TRAINED.read_text())
    images, stages = found["images"], found["stages"]
    rows = tuple(
        (
            stage["stage"], stage["after"] or "-", stage["epochs"], f"{100 * stage['accuracy']:.1f} %",
            "-" if stage["shifted_share"] is None else f"{100 * stage['shifted_share']:.0f} %",
            stage["image_mj"]["paper"], stage["image_mj"]["elements"], stage["training_j"],
        )
        for stage in stages
    )  # fmt: skip
    return Section(
        title="Trained",
        text=(
            f"`{found['options']['network']}` on {images['train']} images of ten classes of Tiny-ImageNet (64 x 64), "
            f"{images['validation']} to validate on, so that accuracies have a standard error of about 2 points: "
            "`python -m models.shiftaddvit.finetune`, seed 0, from random weights. Energy of an image as the paper prices it, and with whole "
            f"elements at 8 bits on `{ARRAY}`; of the recorded training on `{found['training_on']}`, all operators."
        ),
        head=("stage", "after", "epochs", "accuracy", "tokens shifted", "image, paper, mJ", "image, elements, mJ", "training, J"),
        rows=rows,
    )  # fmt: skip
