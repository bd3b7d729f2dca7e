"""A training run written as a description, to be edited and scored again."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hwsim.errors import InputError
from hwsim.files import write_text
from hwsim.training.description import SCHEMA
from hwsim.training.facts import Mixture
from hwsim.training.run import TrainingRun
from hwsim.training.tally import Counts


def describe(run: TrainingRun, path: Path | str) -> Path:
    """Write ``run`` as a description, its distinct steps beside it in the folder ``NAME-steps``.

    Epochs keep their numbers; parts of a run without any count as epochs. Successive ones that are alike are one stage.

    Raises
    ------
    InputError
        If the name does not end in .yaml, .yml or .json, or no step of the run is known.
    """
    path = Path(path)
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise InputError("name of the description must end in .yaml, .yml or .json", file=path)
    if not run.executions:
        raise InputError("holds no step whose operators are known", file=run.name)
    folder = path.with_name(f"{path.stem}-steps")
    for number, (workload, _) in enumerate(run.executions):
        workload.save(folder / f"{number}.json")
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "name": run.name,
        "steps": {str(n): {"workload": f"{folder.name}/{n}.json"} for n in range(len(run.executions))},
        "stages": _stages(run),
        "metrics": {name: [list(logged) for logged in series] for name, series in run.metrics.items()},
    }
    if path.suffix == ".json":
        return write_text(path, json.dumps(data, indent=1) + "\n")
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return write_text(path, yaml.dump(data, Dumper=dumper, sort_keys=False, width=120))


def _stages(run: TrainingRun) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = []
    last = -1
    for span, counts in run.counts:
        epoch = last + 1 if span.epoch is None else max(span.epoch, last)
        for stage in _of_span(span.stage, counts):
            before = stages[-1] if stages else {}
            follows = before and epoch == before["epoch"] + before["epochs"]
            if follows and {**before, "epoch": 0, "epochs": 1} == {**stage, "epoch": 0, "epochs": 1}:
                before["epochs"] += 1
            else:
                stages.append({**stage, "epoch": epoch})
            last = epoch
    return stages


def _of_span(name: str, counts: Counts) -> list[dict[str, Any]]:
    """Return one stage, or several where distinct steps differ in the facts of their modules."""
    steps = {number: round(sum(mixtures.values())) for (number, path), mixtures in counts.items() if path is None}
    modules: dict[int, dict[str, Any]] = {number: {} for number in steps}
    for (number, path), mixtures in sorted(counts.items(), key=lambda item: item[0][1] or ""):  # outer before inner
        if path is not None and number in modules:
            modules[number][glob.escape(path)] = _cases(mixtures)
    stages: list[dict[str, Any]] = []
    for number, times in steps.items():
        for stage in stages:
            if stage["modules"] == modules[number]:
                stage["steps"][str(number)] = times
                break
        else:
            stages.append(
                {"name": name, "epoch": 0, "epochs": 1, "steps": {str(number): times}, "modules": modules[number]}
            )
    return stages


def _cases(mixtures: Mapping[Mixture, float]) -> Any:
    """Return the facts with their shares of the steps; alone if they hold in all of them."""
    total = sum(mixtures.values())
    cases = []
    for mixture, times in mixtures.items():
        plain = [part.model_dump(exclude_defaults=True, mode="json") for part in mixture]
        own = plain[0] if len(plain) == 1 else {"inputs": plain}
        cases.append({"share": times / total, **own})
    if len(cases) > 1:
        return cases
    return {name: value for name, value in cases[0].items() if name != "share"}
