"""Sections about the training runs of `flows.reproduce.shiftaddnet_training`, beside the paper's accuracies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.reproduce.ordering import Measured, agreement
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
NAMES = {"cifar10": "CIFAR-10-JPEG", "digits": "scikit-learn's digits"}
BASELINE, FIX8 = "ConvNet", " FIX8"
Printed = Mapping[str, Mapping[str, float]]
Runs = list[Mapping[str, Any]]


ENERGY_PARTS = ("contractions", "rounding", "other")
"""Of a run's energy."""


def training_sections(printed: Printed, energies_mj: Mapping[str, float]) -> tuple[Section, ...]:
    """Return the sections of every set of runs that is stored.

    Parameters
    ----------
    printed
        Accuracies in percent, by table and method.
    energies_mj
        What the same methods are printed to take.
    """
    return tuple(_sections(printed, energies_mj))


def _sections(printed: Printed, energies_mj: Mapping[str, float]) -> Iterator[Section]:
    stored = read_mapping(RESULTS)
    for dataset, name in NAMES.items():
        if found := stored.get(f"{dataset} methods"):
            yield _accuracies(name, found["provenance"], found["runs"], printed)
            yield _energies(name, found["provenance"], found["runs"], energies_mj)
        if found := stored.get(f"{dataset} adaptation"):
            yield _adapted(name, found["provenance"], found["runs"], printed)


def _text(provenance: Mapping[str, Any]) -> str:
    recipe = provenance["recipe"]
    widths = " and ".join(map(str, recipe["widths"]))
    averaged = recipe["average_from"]
    average = "" if averaged is None else f", the network being the average of the last {1 - averaged:.0%} of them"
    return (
        f"A residual network of {recipe['blocks']} block a stage, {widths} channels wide, trained on"
        f" {recipe['train_images'] or 'all'} images for {recipe['epochs']} epochs in batches of {recipe['batch']}, with"
        f" the paper's rates scaled to these epochs{average}; one seed. FIX8 is `sbm`. `{provenance['command']}`."
    )


def _accuracies(dataset: str, provenance: Mapping[str, Any], runs: Runs, printed: Printed) -> Section:
    rows, measured = [], [Measured(run["method"], run["accuracy"][-1], run["tested"]) for run in runs]
    for run, one in zip(runs, measured, strict=True):
        published, pruned = printed["methods"].get(one.method), printed["pruned"].get(one.method)
        own = {share: 100 * value for share, value in run["pruned"].items()}
        rows.append((
            one.method, 100 * one.accuracy, f"{100 * one.deviation:.1f}", published, own.get("30%"), own.get("50%"),
            own.get("70%"), pruned,
        ))  # fmt: skip
    return Section(
        title=f"Training on {dataset}",
        text=f"{_text(provenance)}\n\n{_order(measured, printed['methods'])}",
        head=(
            "method", "accuracy, %", "standard error", "paper, %", "30 % of adder weights pruned", "50 %", "70 %",
            "paper, 50 %",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _order(measured: list[Measured], printed: Mapping[str, float]) -> str:
    by_ours = sorted(measured, key=lambda one: -one.accuracy)
    untrained = [method for method in METHODS if method not in {one.method for one in measured}]
    return (
        f"Accuracies are of {measured[0].tested} test images, the paper's of ResNet-20 after 160 epochs of 50,000"
        f" images. Best first: {', '.join(one.method for one in by_ours)}. {agreement(measured, printed)}"
        + (f" Not trained: {', '.join(untrained)}." if untrained else "")
    )


def _energies(dataset: str, provenance: Mapping[str, Any], runs: Runs, printed_mj: Mapping[str, float]) -> Section:
    ours_j = {run["method"]: run["energy_j"] for run in runs}
    rows = [
        (
            (method := run["method"]), run["energy_j"], *(run["parts_j"][part] for part in ENERGY_PARTS),
            *(_relative(energies, method, BASELINE) for energies in (ours_j, printed_mj)),
            *(_relative(energies, method, method.removesuffix(FIX8)) for energies in (ours_j, printed_mj)),
        )
        for run in runs
    ]  # fmt: skip
    return Section(
        title=f"Energy of these runs on {dataset}",
        text=(
            f"Each run of {runs[0]['steps']} steps as recorded, on `{provenance['architecture']}`, accounting"
            f" `{provenance['accounting']}`, beside what the paper prints of ResNet-20 on its board.\n{ENERGIES_TEXT}"
        ),
        head=(
            "method", "energy, J", *(f"{part}, J" for part in ENERGY_PARTS), f"over {BASELINE}'s", "paper",
            "over its FP32", "paper",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _relative(energies: Mapping[str, float], method: str, other: str) -> float | None:
    return energies[method] / energies[other] if method in energies and other in energies else None


ENERGIES_TEXT = """
Quantisation is part of the datapath: a rounding is one operator, which reads FP32 and writes the integers that the
layer moves, in the forward pass of inputs and weights and in the backward pass of errors; finding the extremes of a
tensor is a pass that reads it. Shift layers round their inputs to 16.16. Norms, activations, sums of branches and the
optimizer (`other`) are FP32 in every method, as in the paper's code. Both layers of a shift-add unit move their
operands: it takes more than a convolution here, where the paper prints less.
"""


def _adapted(dataset: str, provenance: Mapping[str, Any], runs: Runs, printed: Printed) -> Section:
    words = {"adaptation": "other classes", "finetune": "other images"}
    rows, agreements = [], []
    for experiment, shown in words.items():
        own, published = [run for run in runs if run["experiment"] == experiment], printed[experiment]
        measured = [Measured(run["method"], run["after"][-1], run["tested"]) for run in own]
        agreements.append(f"With {shown}: {agreement(measured, published)}")
        rows += [
            (
                shown, one.method, 100 * run["before"][-1], 100 * run["after"][0], 100 * one.accuracy,
                f"{100 * one.deviation:.1f}", published.get(one.method), run["energy_j"],
            )
            for run, one in zip(own, measured, strict=True)
        ]  # fmt: skip
    return Section(
        title=f"Adaptation on {dataset}",
        text=(
            "Train on classes 0 to 4, go on with 5 to 9; or train on half of the images, go on with the other half."
            f" {_text(provenance)} Priced on `{provenance['architecture']}`, accounting `{provenance['accounting']}`."
            f"\n\n{' '.join(agreements)}"
        ),
        head=(
            "go on with", "method", "first part, %", "second, first epoch, %", "second, %", "standard error",
            "paper, %", "energy of both runs, J",
        ),
        rows=tuple(rows),
    )  # fmt: skip
