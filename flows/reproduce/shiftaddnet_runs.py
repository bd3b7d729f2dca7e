"""Sections about the training runs of `flows.reproduce.shiftaddnet_training`, beside the paper's accuracies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.reproduce.report import Section
from hwsim.files import read_mapping

RESULTS = Path(__file__).with_name("shiftaddnet_runs.json")
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
    images = recipe["train_images"] or "all"
    widths = " and ".join(map(str, recipe["widths"]))
    return (
        f"A residual network of {recipe['blocks']} block a stage, {widths} channels wide, {images} training images,"
        f" {recipe['epochs']} epochs in batches of {recipe['batch']}, with the paper's schedule scaled to these epochs;"
        " one seed, so small differences mean nothing. FIX8 is `sbm`. Runs are recorded and priced on"
        f" `{provenance['architecture']}`, accounting `{provenance['accounting']}`: `{provenance['command']}`."
    )


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
        text=f"{_text(provenance)} The paper's accuracies are of ResNet-20 on CIFAR-10: compare the order alone.",
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
