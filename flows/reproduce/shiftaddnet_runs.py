"""Sections about the training runs of `flows.reproduce.shiftaddnet_training`, beside the paper's accuracies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from flows.reproduce.report import Section
from hwsim.files import read_mapping

RESULTS = Path(__file__).with_name("shiftaddnet_runs.json")
METHODS: dict[str, dict[str, Any]] = {
    "ConvNet": {"kind": "conv"}, "ConvNet FIX8": {"kind": "conv", "quantise": "sbm"}, "DeepShift": {"kind": "shift"},
    "AdderNet": {"kind": "adder"}, "AdderNet FIX8": {"kind": "adder", "quantise": "sbm"},
    "ShiftAddNet": {"kind": "shiftadd"}, "ShiftAddNet FIX8": {"kind": "shiftadd", "quantise": "sbm"},
    "Fixed shift": {"kind": "shiftadd_frozen"}, "Fixed shift FIX8": {"kind": "shiftadd_frozen", "quantise": "sbm"},
}  # fmt: skip
"""Fields of the recipe by method."""
NAMES = {"digits": "scikit-learn's digits", "cifar10": "CIFAR-10-JPEG"}
Printed = Mapping[str, Mapping[str, float]]


def training_sections(printed: Printed) -> tuple[Section, ...]:
    """Return a section for every set of runs that is stored."""
    return tuple(_sections(printed))


def _sections(printed: Printed) -> Iterator[Section]:
    for key, stored in read_mapping(RESULTS).items():
        if key == "schema":
            continue
        dataset, what = key.split()
        make = _methods if what == "methods" else _adapted
        yield make(NAMES[dataset], stored["provenance"], stored["runs"], printed)


def _text(provenance: Mapping[str, Any]) -> str:
    recipe = provenance["recipe"]
    widths = " and ".join(map(str, recipe["widths"]))
    averaged = recipe["average_from"]
    average = "" if averaged is None else f", the network being the average of the last {1 - averaged:.0%} of them"
    return (
        f"A residual network of {recipe['blocks']} block a stage, {widths} channels wide, trained on"
        f" {recipe['train_images'] or 'all'} images for {recipe['epochs']} epochs in batches of {recipe['batch']}, with"
        f" the paper's rates scaled to these epochs{average}; one seed, so small differences mean nothing. FIX8 is"
        f" `sbm`. Runs are recorded and priced on `{provenance['architecture']}`, accounting"
        f" `{provenance['accounting']}`: `{provenance['command']}`."
    )


def _order(runs: list[Mapping[str, Any]], printed: Mapping[str, float]) -> str:
    """How far the accuracies order the methods as the paper's do, and how far they order them at all."""
    ranked = sorted((run for run in runs if run["method"] in printed), key=lambda run: -printed[run["method"]])
    pairs = list(combinations(ranked, 2))
    margins = [better["accuracy"][-1] - worse["accuracy"][-1] for better, worse in pairs]
    deviations = [math.hypot(*map(_deviation, pair)) for pair in pairs]
    clear = [margin for margin, deviation in zip(margins, deviations, strict=True) if abs(margin) > 2 * deviation]
    untrained = [method for method in METHODS if method not in {run["method"] for run in runs}]
    missing = f" Not trained: {', '.join(untrained)}." if untrained else ""
    by_ours = sorted(runs, key=lambda run: -run["accuracy"][-1])
    return (
        f"Accuracies are of {runs[0]['tested']} test images, with a standard error of up to"
        f" {100 * max(map(_deviation, runs)):.1f} points. Best first: {', '.join(run['method'] for run in by_ours)}."
        f" Of the pairs that the paper ranks, by ResNet-20 after 160 epochs of 50,000 images, {len(clear)} of"
        f" {len(pairs)} differ by more than two standard errors, {sum(margin > 0 for margin in clear)} of these the"
        f" paper's way: so few images and epochs prove little about the methods.{missing}"
    )


def _deviation(run: Mapping[str, Any]) -> float:
    share = run["accuracy"][-1]
    return math.sqrt(share * (1 - share) / run["tested"])


def _methods(
    dataset: str, provenance: Mapping[str, Any], runs: list[Mapping[str, Any]], printed: Printed
) -> Section:
    rows = []
    for run in runs:
        published, pruned = printed["methods"].get(run["method"]), printed["pruned"].get(run["method"])
        own = {share: 100 * value for share, value in run["pruned"].items()}
        rows.append((
            run["method"], 100 * run["accuracy"][-1], published, own.get("30%"), own.get("50%"), own.get("70%"), pruned,
            run["energy_j"], run["steps"],
        ))  # fmt: skip
    return Section(
        title=f"Training on {dataset}",
        text=f"{_text(provenance)}\n\n{_order(runs, printed['methods'])}",
        head=(
            "method", "accuracy, %", "paper, %", "30 % of adder weights pruned", "50 %", "70 %", "paper, 50 %",
            "energy of the run, J", "steps",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _adapted(
    dataset: str, provenance: Mapping[str, Any], runs: list[Mapping[str, Any]], printed: Printed
) -> Section:
    words = {"adaptation": "other classes", "finetune": "other images"}
    rows = [
        (
            words[run["experiment"]], run["method"], 100 * run["before"][-1], 100 * run["after"][0],
            100 * run["after"][-1], printed[run["experiment"]].get(run["method"]), run["energy_j"],
        )
        for run in runs
    ]  # fmt: skip
    return Section(
        title=f"Adaptation on {dataset}",
        text=(
            "Train on classes 0 to 4, go on with 5 to 9; or train on half of the images, go on with the other half."
            f" {_text(provenance)}"
        ),
        head=(
            "go on with", "method", "first part, %", "second, first epoch, %", "second, %", "paper, %",
            "energy of both runs, J",
        ),
        rows=tuple(rows),
    )  # fmt: skip
