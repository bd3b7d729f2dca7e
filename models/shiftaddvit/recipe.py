"""Fine-tuning in the paper's three stages: softmax attention, attention that adds, linear layers that shift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hwsim
from models.accuracy import accuracy
from models.shiftaddvit.attention import fit_codes
from models.shiftaddvit.balance import balance_loss, mixtures, simulate_latencies
from models.shiftaddvit.codes import Codes
from models.shiftaddvit.reparametrise import Linears, reparametrise

UNDECAYED = ("shift", "sign", "bias")
"""Last part of the names of parameters that weight decay leaves alone, and all with one axis."""


@dataclass(frozen=True)
class Stage:
    """One stage of the recipe.

    Attributes
    ----------
    name
        What reports and files call it.
    epochs, rate
        Length, and the learning rate that a cosine brings to zero.
    after
        The stage whose network it starts from; none: the given network.
    attention, linears
        What `models.shiftaddvit.reparametrise` changes before the stage.
    """

    name: str
    epochs: int
    rate: float
    after: str | None = None
    attention: Codes | None = None
    linears: Linears = "multiply"


PAPER = (
    Stage("softmax", 100, 5e-5),
    Stage("add", 100, 5e-5, "softmax", attention="hash"),
    Stage("mixture", 100, 1e-5, "add", linears="mixture"),
)
"""The paper's, which starts from weights of ImageNet, with batches of 256."""

SMALL = (
    Stage("softmax", 12, 1e-3),
    Stage("softmax-longer", 6, 3e-4, "softmax"),
    Stage("add", 4, 3e-4, "softmax", attention="hash"),
    Stage("shift", 1, 1e-4, "add", linears="shift"),
    Stage("mixture", 1, 1e-4, "add", linears="mixture"),
)
"""Of minutes, from random weights; the network that only multiplies has one epoch more than what shifts in the end."""


@dataclass(frozen=True)
class Images:
    """Training and validation images ``(images, 3, rows, columns)`` with their classes."""

    train: Tensor
    train_labels: Tensor
    validation: Tensor
    validation_labels: Tensor


@dataclass(frozen=True)
class Settings:
    """What all stages share.

    Attributes
    ----------
    batch, decay
        Size of a batch, weight decay of AdamW.
    on, accounting
        Architecture and convention whose latencies balance the experts.
    """

    batch: int = 256
    decay: float = 0.05
    on: str = "eyeriss-45nm"
    accounting: str = "operator"


def begin(network: nn.Module, stage: Stage, images: Images, settings: Settings) -> nn.Module:
    """Return the network of a stage that starts from the one of the stage before.

    Hash functions are fitted to the first training images; latencies of experts are simulated for one batch.
    """
    network = reparametrise(network, attention=stage.attention, linears=stage.linears)
    if stage.attention == "hash":
        fit_codes(network, images.train[: settings.batch])
    if any(mixtures(network)):
        simulate_latencies(network, images.train[: settings.batch], settings.on, settings.accounting)
    return network


def train(network: nn.Module, stage: Stage, images: Images, settings: Settings, record: Path) -> None:
    """Train the network of a stage in place and record the run in a folder, accuracy after every epoch.

    Images are mirrored and moved by up to a sixteenth of their size, at random.
    """
    steps = len(images.train) // settings.batch
    optimizer = torch.optim.AdamW(_groups(network, settings.decay), lr=stage.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / (stage.epochs * steps))) / 2
    )
    with hwsim.record(record, network, optimizer) as run:
        for epoch in range(stage.epochs):
            run.epoch(epoch)
            network.train()
            for chosen in torch.randperm(len(images.train)).split(settings.batch)[:steps]:
                scores = network(augmented(images.train[chosen]))
                loss = F.cross_entropy(scores, images.train_labels[chosen])
                if any(mixtures(network)):
                    loss = loss + balance_loss(network)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            run.log(loss=loss.item(), accuracy=accuracy(network, images.validation, images.validation_labels))


def augmented(images: Tensor) -> Tensor:
    """Return the images, each mirrored or not and all moved by the same number of pixels, zeros coming in."""
    mirrored = torch.rand(len(images)) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    reach = images.shape[2] // 16
    down, right = torch.randint(2 * reach + 1, (2,)).tolist()
    padded = F.pad(images, (reach,) * 4)
    return padded[:, :, down : down + images.shape[2], right : right + images.shape[3]]


def shifted_shares(network: nn.Module, images: Tensor) -> list[float]:
    """Return for every mixture the share of its tokens that its router sends to the shift layer."""
    counts: list[float] = []

    def count(router: nn.Module, given: tuple[Tensor, ...], scores: Tensor) -> None:
        counts.append((scores[:, 1] > scores[:, 0]).float().mean().item())

    hooks = [mixture.router.register_forward_hook(count) for mixture in mixtures(network)]
    try:
        with torch.no_grad():
            network.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    return counts


def _groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    kept: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        bare = parameter.ndim == 1 or name.rsplit(".", 1)[-1] in UNDECAYED
        (kept if bare else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": kept, "weight_decay": 0.0}]
