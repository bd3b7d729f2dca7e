"""ShiftAddViT (NeurIPS 2023): energies and latencies, what its accounting assumes, and what is left without that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hwsim
from flows.reproduce.ablation import ablation
from flows.reproduce.registry import Progress
from flows.reproduce.report import Chart, Figure, Reproduction, Section
from flows.reproduce.shiftaddvit_assumptions import ALL_OFF, SHIFT_WORD_BITS, faster_shifts, gates_ladder
from flows.reproduce.shiftaddvit_networks import BASELINE, OTHERS, networks, traced
from hwsim.cost.result import Result
from hwsim.files import read_mapping
from hwsim.technology import load_technology
from hwsim.workload import Operator, Workload
from hwsim.workload.forms import Linear
from models.elements import in_8_bits, products

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
    published = _operators(printed["operators"]), _networks(printed["networks"], works)
    remaining = ablation(works, "shiftaddvit", "reproduce-shiftaddvit", progress)
    return Reproduction(
        name="shiftaddvit", title="ShiftAddViT: our numbers beside the paper's",
        source=f"H. You et al., ShiftAddViT, NeurIPS 2023. {printed['source'].strip()}",
        sections=(*published, *remaining, _gates(works), _left_out(whole), _training()),
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
        text="Of PVTv2-B0 and B1. Shifts move 10-bit words and take 1/3.2 of the cycles; additions are on chip.",
        figures=tuple(figures),
    )


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
    macs = sum(operator.macs for operator in works[BASELINE].operators)
    return Section(title="Networks", text=NETWORKS_TEXT.format(macs=macs / 1e6), figures=tuple(figures))


NETWORKS_TEXT = """
PVTv2-B0 at 224 x 224, {macs:.1f} million products. Ours are traced from `models.shiftaddvit`: what the paper prices is
picked from the trace, nothing is entered by hand. `all multiply` has attention with codes too, priced as products;
where tokens are shifted, routers are included.
"""


def _gates(works: Mapping[str, Workload]) -> Section:
    narrow = {name: in_8_bits(work) for name, work in works.items()}
    ladder = gates_ladder()
    circuits = load_technology("nangate45").circuits
    area = circuits["int8_mac"].area_um2 / circuits["shift8z_right"].area_um2
    ladder["shifts on equal area"] = faster_shifts(ladder[ALL_OFF], area)
    scores = {
        label: [hwsim.score(work, GATES, convention) for work in narrow.values()]
        for label, convention in ladder.items()
    }
    relative = {
        name: tuple(results[i].energy_j / results[0].energy_j for results in scores.values())
        for i, name in enumerate(OTHERS, start=1)
    }
    title = f"Energy over that of {BASELINE}, 8 bits, our gates"
    return Section(
        title="Whole elements, assumptions one at a time",
        text=GATES_TEXT.format(bits=SHIFT_WORD_BITS, area=area),
        head=(
            "assumptions", f"{BASELINE}, mJ", "ms", *(f"{name} saves" for name in OTHERS),
            *(f"{name}: ms" for name in OTHERS),
        ),
        rows=tuple(_row(label, *results) for label, results in scores.items()),
        charts=(Chart(name=GATES_CHART, title=title, unit="times", groups=CHART_LABELS, series=relative),),
    )  # fmt: skip


GATES_TEXT = """
The same array with INT8 activations; weights of 8 bits, shifts of 4, codes of 1. Operators and elements are ours as
gates in 45 nm (nangate45), memories the paper's. First all four assumptions hold: shift layers move words of {bits}
bits, the paper's rule at this width (partial sums too), take 1/3.2 of the cycles, MatAdd is on chip, and bare operators
are charged without accumulation. Then one is off: operands have their own widths and partial sums 32 bits; a shift
takes a cycle; MatAdd goes through the memories; whole elements are charged, with accumulator, registers and clock. The
last but one row is `--accounting pe`. The last has {area:.2f} times as many shift elements as multipliers, as fit the
same area; those of shifts have 24-bit accumulators. Coefficients of gates are uncertain by 30 to 60 %, most of it
common to both sides: a few percent are no saving.
"""
GATES_CHART = "reproduce-shiftaddvit-gates"
CHART_LABELS = ("all on", "words", "cycles", "on chip", "elements", "all off", "equal area")


def _row(label: str, base: Result, *others: Result) -> tuple[str | float, ...]:
    saved = (f"{100 * (1 - other.energy_j / base.energy_j):.1f} %" for other in others)
    return label, base.energy_j * 1e3, base.latency_s * 1e3, *saved, *(other.latency_s * 1e3 for other in others)


def _left_out(whole: Workload) -> Section:
    parts: dict[str, list[Operator]] = {}
    for operator in products(whole).operators:
        parts.setdefault(_part(operator), []).append(operator)
    rows: list[tuple[str | float, ...]] = []
    for name, operators in parts.items():
        result = hwsim.score(whole.model_copy(update={"operators": tuple(operators)}), *PAPER)
        macs = sum(operator.macs for operator in operators) / 1e6
        rows.append((name, macs, result.energy_j * 1e3, result.latency_s * 1e3))
    head = ("part", "million operations", "mJ", "ms")
    return Section(title="What is not priced", text=LEFT_OUT_TEXT, head=head, rows=tuple(rows))


LEFT_OUT_TEXT = """
Every contraction of the network with attention that adds, under the paper's accounting, which prices linear layers and
products with codes alone. Hash functions multiply: each query and each key is compared with 25 anchors for the 16 bits
that save multiplications afterwards.
"""


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
    head = (
        "stage", "after", "epochs", "accuracy", "tokens shifted", "image, paper, mJ", "image, elements, mJ",
        "training, J",
    )  # fmt: skip
    text = TRAINING_TEXT.format(network=found["options"]["network"], on=found["training_on"], array=ARRAY, **images)
    text += found.get("note", "")
    return Section(title="Trained", text=text, head=head, rows=rows)


TRAINING_TEXT = """
`{network}` on {train} images of ten classes of Tiny-ImageNet (64 x 64), {validation} to validate on, so that accuracies
have a standard error of about 2 points: `python -m models.shiftaddvit.finetune`, from random weights. A stage goes on
from the one it is `after`. Energy of an image as the paper prices it, and in whole elements at 8 bits on `{array}`; of
the recorded training on `{on}`, all operators.
"""
