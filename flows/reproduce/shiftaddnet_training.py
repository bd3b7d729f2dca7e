"""Training runs of all methods at equal epochs, and what they cost: python -m flows.reproduce.shiftaddnet_training -h.

Each method is trained by `models.shiftaddnet.train`, its run recorded and priced, and its trained weights pruned.
Folders that hold finished runs are not trained again, so a run that was cut goes on.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import hwsim
from flows.reproduce.shiftaddnet_runs import ENERGY_PARTS, METHODS, RESULTS
from hwsim.cost.result import Result
from hwsim.errors import InputError
from hwsim.files import read_mapping, write_text
from models.accuracy import accuracy
from models.command import one_line
from models.layers import AdderConv2d
from models.shiftaddnet.adapt import PARTS, adapt
from models.shiftaddnet.datasets import Data, load
from models.shiftaddnet.pruning import prune_adders
from models.shiftaddnet.recipe import Recipe
from models.shiftaddnet.train import CHECKPOINT, load_trained, recipe_of, train

ARCHITECTURE, ACCOUNTING = "eyeriss-45nm", "operator"
PRUNED = (0.3, 0.5, 0.7)
ROUNDING = {"hwsim::round_to_grid", "hwsim::round_by_chance", "aten::aminmax"}
"""Operators of the quantisers: roundings, and the search for the extremes that they lie between."""
ADAPTED = ("DeepShift", "AdderNet", "ShiftAddNet", "Fixed shift")


def run(recipe: Recipe, folder: Path, methods: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Train the methods, yield what came out after each: accuracy by epoch, steps, energy and its parts, and pruned."""
    data = load(recipe)
    for name in methods or METHODS:
        own, place = recipe.model_copy(update=METHODS[name]), folder / name.replace(" ", "-").lower()
        history = train(own, place, data=data)
        result = hwsim.score(place, on=ARCHITECTURE, accounting=ACCOUNTING)
        yield {
            "method": name, "accuracy": history, "tested": len(data.test[1]), "steps": result.steps,
            "samples": result.samples, "energy_j": result.energy_j, "parts_j": _parts_j(result),
            "pruned": dict(_pruned(place / CHECKPOINT, data)),
        }  # fmt: skip


def _parts_j(result: Result) -> Mapping[str, float]:
    """Energy of contractions, of rounding, and of all else: norms, activations, the optimizer."""
    parts = dict.fromkeys(ENERGY_PARTS, 0.0)
    for cost in result.operators:
        part = "contractions" if cost.macs else "rounding" if cost.source in ROUNDING else "other"
        parts[part] += cost.count * cost.energy_pj * 1e-12
    return parts


def _pruned(path: Path, data: Data) -> Iterator[tuple[str, float]]:
    """Accuracy with a share of the adder weights pruned by magnitude, without further training."""
    for share in PRUNED:
        _, model = load_trained(path)
        if any(isinstance(module, AdderConv2d) for module in model.modules()):
            prune_adders(model, share)
            yield f"{share:.0%}", accuracy(model, *data.test)


def adapted(recipe: Recipe, folder: Path, methods: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Run both experiments of Table 2, yield accuracies and energy of both trainings after each."""
    for experiment in PARTS:
        for name in methods or ADAPTED:
            place = folder / f"{experiment}-{name.replace(' ', '-').lower()}"
            found = adapt(experiment, recipe.model_copy(update=METHODS[name]), place)
            results = hwsim.score(place / "before", on=ARCHITECTURE), hwsim.score(place / "after", on=ARCHITECTURE)
            yield {
                "experiment": experiment, "method": name, "before": found.before, "after": found.after,
                "tested": found.tested, "energy_j": sum(result.energy_j for result in results),
            }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything; every result is written when it is there."""
    parser = argparse.ArgumentParser(prog="python -m flows.reproduce.shiftaddnet_training", description=__doc__)
    parser.add_argument("what", choices=("methods", "adaptation"))
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="of the recipe, but kind and quantise")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--method", action="append", choices=tuple(METHODS), default=[], help="one of those to train")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the results (.json)")
    options = parser.parse_intermixed_args(arguments)
    with one_line():
        recipe = _shared(options.fields)
        provenance = _provenance(recipe, options)
        for one in (run if options.what == "methods" else adapted)(recipe, options.output, options.method):
            _store(options.results, f"{recipe.dataset} {options.what}", provenance, one)


def _store(path: Path, title: str, provenance: Mapping[str, Any], one: Mapping[str, Any]) -> None:
    """Put a result among those of the same recipe, in the order of the methods; other recipes' make room."""
    stored: dict[str, Any] = dict(read_mapping(path)) if path.is_file() else {"schema": "hwsim/reproduced-runs/1"}
    before = stored.get(title)
    kept = before["runs"] if before and before["provenance"]["recipe"] == provenance["recipe"] else []
    runs = {_place(other): other for other in (*kept, one)}
    stored[title] = {"provenance": provenance, "runs": [runs[place] for place in sorted(runs)]}
    write_text(path, json.dumps(stored, indent=1) + "\n")


def _place(result: Mapping[str, Any]) -> tuple[str, int]:
    return result.get("experiment", ""), list(METHODS).index(result["method"])


def _shared(fields: Sequence[str]) -> Recipe:
    """Return the recipe that all methods share."""
    recipe = recipe_of(fields)
    for field in {"kind", "quantise"} & recipe.model_fields_set:
        raise InputError("must not be given: every method has its own", field=field, value=getattr(recipe, field))
    return recipe


def _provenance(recipe: Recipe, options: argparse.Namespace) -> Mapping[str, Any]:
    fields = " ".join(options.fields)
    return {
        "command": f"python -m flows.reproduce.shiftaddnet_training {options.what} -o RUNS {fields}",
        "recipe": recipe.model_dump(mode="json", exclude={"kind", "quantise"}), "hwsim": hwsim.__version__,
        "torch": torch.__version__, "machine": platform.machine(), "architecture": ARCHITECTURE,
        "accounting": ACCOUNTING,
    }  # fmt: skip


if __name__ == "__main__":
    main()
