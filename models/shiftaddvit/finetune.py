"""Fine-tune a vision transformer into additions and shifts, stage by stage; accuracy beside energy, as JSON.

``python -m models.shiftaddvit.finetune --help`` tells the options. The paper's recipe is

    python -m models.shiftaddvit.finetune --recipe paper --network pvt_v2_b0 --weights pvt_v2_b0.pth --data ARCHIVE.npz

and the experiment that docs/shiftaddvit.md shows is what it does without options.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import hwsim
from hwsim.architecture import load_architecture
from hwsim.cost.accounting import load_convention
from hwsim.errors import InputError
from hwsim.files import read_mapping, write_text
from hwsim.trace import trace
from models import checkpoint
from models.command import one_line
from models.elements import in_8_bits
from models.images import load_archive
from models.shiftaddvit.hardware import priced_by_paper
from models.shiftaddvit.mixture import set_shares
from models.shiftaddvit.pretrained import load_pretrained
from models.shiftaddvit.recipe import PAPER, SMALL, Images, Settings, Stage, begin, shifted_shares, train
from models.zoo.pvt import PVTv2
from models.zoo.vit import VisionTransformer

RECIPES = {"paper": PAPER, "small": SMALL}
NETWORKS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "pvt_small": lambda size, classes: PVTv2((16, 32, 80, 128), (1, 1, 1, 1), classes),
    "pvt_v2_b0": lambda size, classes: PVTv2((32, 64, 160, 256), (2, 2, 2, 2), classes),
    "deit_tiny": lambda size, classes: VisionTransformer(
        size=size, patch=16, width=192, depth=12, heads=3, classes=classes
    ),
}
"""Networks by name, for images of a size and a number of classes."""

TRAINING_ON = "eyeriss-45nm-int8"
"""Architecture that prices recorded training: gradients that are shifted have a price as integers alone."""
INFERENCE = {"paper": ("eyeriss-45nm", "shiftaddvit"), "elements": ("pe-array-45nm-mixed", "pe")}
"""Architecture and accounting that price an image: the paper's, and whole elements of our RTL with 8 bits."""


def finetune(
    network: nn.Module, stages: tuple[Stage, ...], images: Images, settings: Settings, folder: Path
) -> list[dict[str, Any]]:
    """Run all stages, keep each one's recording, weights and result in ``folder``, and return the results.

    A stage whose result is there already is not run again; one that was cut begins anew, without what it recorded.
    """
    networks: dict[str | None, nn.Module] = {None: network}
    results = []
    for stage in stages:
        weights, result = folder / f"{stage.name}.pt", folder / f"{stage.name}.json"
        current = networks[stage.name] = begin(networks[stage.after], stage, images, settings)
        if result.exists():
            load_pretrained(current, weights)
        else:
            started, recording = time.process_time(), folder / stage.name
            if recording.exists():
                shutil.rmtree(recording)
            train(current, stage, images, settings, recording)
            seconds = round(time.process_time() - started)
            checkpoint.save(weights, {"model": current.state_dict()})
            write_text(result, json.dumps(_result(stage, current, images, folder) | {"cpu_s": seconds}) + "\n")
        results.append(json.loads(result.read_text()))
        print(json.dumps(results[-1]), file=sys.stderr)
    return results


def _result(stage: Stage, network: nn.Module, images: Images, folder: Path) -> dict[str, Any]:
    run = hwsim.TrainingRun.load(folder / stage.name)
    priced = hwsim.score(run, on=TRAINING_ON)
    accuracies = [value for _, value in run.metrics["accuracy"]]
    shares = shifted_shares(network, images.validation)
    return {
        "stage": stage.name, "after": stage.after, "epochs": stage.epochs, "rate": stage.rate,
        "attention": stage.attention, "linears": stage.linears,
        "accuracy": accuracies[-1], "accuracies": accuracies,
        "training_j": priced.energy_j, "training_uncertainty_j": priced.uncertainty_j,
        "shifted_share": sum(shares) / len(shares) if shares else None,
        "image_mj": image_mj(network, images.validation[:1], shares),
    }  # fmt: skip


def image_mj(network: nn.Module, image: Tensor, shares: list[float]) -> dict[str, float]:
    """Return the energy of what the paper prices of one image, with as many tokens shifted as on average."""
    set_shares(network, sum(shares) / len(shares) if shares else None)
    step = priced_by_paper(trace(network.eval(), image, name="image"))
    set_shares(network, None)
    works = {"paper": step, "elements": in_8_bits(step)}
    return {
        name: hwsim.score(works[name], on=on, accounting=accounting).energy_j * 1e3
        for name, (on, accounting) in INFERENCE.items()
    }


def load_images(name: str, train_only: int | None = None) -> Images:
    """Return an archive's images, less their mean and over their deviation, channel by channel.

    Parameters
    ----------
    train_only
        How many to train on, drawn without regard to their order; none: all.
    """
    archive = load_archive(name)
    train_on = archive.is_train.nonzero().flatten()
    if train_only:
        drawn = torch.randperm(len(train_on), generator=torch.Generator().manual_seed(0))
        train_on = train_on[drawn[:train_only].sort().values]
    validate_on = (~archive.is_train).nonzero().flatten()
    pixels = archive.decode(train_on)
    scale = pixels.mean((0, 2, 3), keepdim=True), pixels.std((0, 2, 3), keepdim=True)
    normal = [(part - scale[0]) / scale[1] for part in (pixels, archive.decode(validate_on))]
    return Images(normal[0], archive.labels[train_on], normal[1], archive.labels[validate_on])


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.shiftaddvit.finetune", description=__doc__)
    add = partial(parser.add_argument, metavar="X")
    add("--recipe", choices=RECIPES, default="small", help="paper or small")
    add("--network", choices=NETWORKS, default="pvt_small", help=", ".join(NETWORKS))
    add("--weights", help="checkpoint with timm's names to start from; its classifier is left out")
    add("--data", default="tiny_imagenet_10.npz", help="archive of images in the folder HWSIM_DATA")
    add("--images", type=int, help="images to train on, instead of all")
    add("--epochs", type=int, help="of every stage, instead of the recipe's")
    add("--batch", type=int, default=64, help="images of a batch")
    add("--on", default="eyeriss-45nm", help="architecture whose latencies balance the experts")
    add("--accounting", default="shiftaddvit", help="accounting of those latencies")
    add("--seed", type=int, default=0, help="of all random numbers")
    add("--runs", type=Path, default=Path("runs/shiftaddvit"), help="folder of recordings and weights")
    add("--output", type=Path, help="file for the results (.json)")
    return parser.parse_args(arguments)


def _check(options: argparse.Namespace) -> None:
    """Refuse what would be an error only after hours."""
    for name in ("images", "epochs", "batch"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise InputError("must be greater than 0", field=name, value=value)
    if options.output and options.output.suffix != ".json":
        raise InputError("file name must end in .json", field="output", value=str(options.output))
    load_architecture(options.on)
    load_convention(options.accounting)


def _begin_or_go_on(folder: Path, chosen: Mapping[str, str]) -> None:
    """Write down what the stages in a folder have in common, or refuse to go on with other stages."""
    path = folder / "options.json"
    before = read_mapping(path) if path.is_file() else chosen
    for name in sorted(before.keys() | chosen.keys()):
        if before.get(name) != chosen.get(name):
            raise InputError(f"must be {before.get(name)} as in {path}", field=name, value=chosen.get(name))
    write_text(path, json.dumps(chosen, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Run a recipe from the command line."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    with one_line():
        _run(options)


def _run(options: argparse.Namespace) -> None:
    _check(options)
    torch.manual_seed(options.seed)
    images = load_images(options.data, options.images)
    if options.batch > (most := len(images.train)):
        raise InputError(f"must be at most {most}, the training images", field="batch", value=options.batch)
    network = NETWORKS[options.network](images.train.shape[2], int(images.train_labels.max()) + 1)
    if options.weights:
        load_pretrained(network, options.weights, classifier=False)
    stages = RECIPES[options.recipe]
    if options.epochs:
        stages = tuple(Stage(**{**vars(stage), "epochs": options.epochs}) for stage in stages)
    settings = Settings(batch=options.batch, on=options.on, accounting=options.accounting)
    given = {name: value for name, value in vars(options).items() if name not in ("runs", "output")}
    chosen = {name: str(value) for name, value in given.items() if value is not None}
    _begin_or_go_on(options.runs, chosen)
    found = {
        "schema": "hwsim/finetuning/1",
        "options": chosen,
        "torch": torch.__version__, "machine": platform.machine(), "threads": torch.get_num_threads(),
        "training_on": TRAINING_ON, "inference": INFERENCE,
        "images": {"train": len(images.train), "validation": len(images.validation)},
        "stages": finetune(network, stages, images, settings, options.runs),
    }  # fmt: skip
    text = json.dumps(found, indent=1) + "\n"
    if options.output:
        write_text(options.output, text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
