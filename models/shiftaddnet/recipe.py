"""How a network is made and trained. Defaults are those of the paper: 160 epochs of SGD on CIFAR-10."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt
from torch import nn
from torch.optim import SGD, Optimizer

from hwsim.files import Frozen
from models.layers import ShiftConv2d
from models.shiftaddnet.kinds import Kind
from models.shiftaddnet.resnet import ShiftAddResNet
from models.shiftaddnet.switch import SwitchBar
from models.shiftaddnet.vgg import ShiftAddVGG


def _different(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(numbers)) < max(len(numbers), 2):
        raise ValueError("must be two classes or more, each once")
    return numbers


Classes = Annotated[tuple[Annotated[int, Field(ge=0, le=9)], ...], AfterValidator(_different)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(ge=0)]


class Recipe(Frozen):
    """A network, its data and its training.

    Attributes
    ----------
    network, kind, blocks, widths
        ``resnet`` has ``blocks`` per stage of these ``widths``; ``vgg19_small`` ignores both.
    quantise, bits
        Of adder layers, and of convolutions in a ConvNet; none: full precision.
    pruned_shifts
        Share of the frozen shifts, the smallest, that are zero.
    switch_bar
        Shift weights move by a power of two once that many gradients agree; 0: they are learned or frozen.
    train_images, test_images
        How many of them; none: all.
    classes
        Of the data set, those that are kept, numbered from 0; none: all.
    half
        Which half of the training images; none: both.
    average_from
        Share of the epochs after which the network is the average of what it is at the end of every epoch: stochastic
        weight averaging (P. Izmailov et al., UAI 2018). None: it is what the last step left.
    """

    dataset: Literal["cifar10", "digits"] = "cifar10"
    network: Literal["resnet", "vgg19_small"] = "resnet"
    kind: Kind = "shiftadd"
    blocks: PositiveInt = 3
    widths: tuple[PositiveInt, ...] = (16, 32, 64)
    quantise: Literal["sbm", "wageubn"] | None = None
    bits: PositiveInt = 8
    pruned_shifts: Share = 0.0
    switch_bar: Annotated[int, Field(ge=0)] = 0
    train_images: PositiveInt | None = None
    test_images: PositiveInt | None = None
    classes: Classes | None = None
    half: Literal[0, 1] | None = None
    epochs: PositiveInt = 160
    batch: PositiveInt = 256
    learning_rate: Rate = 0.1
    momentum: Rate = 0.9
    weight_decay: Rate = 1e-4
    milestones: tuple[Share, ...] = (0.5, 0.75)
    """Shares of the epochs after which the learning rate falls to a tenth."""
    average_from: Share | None = None
    seed: int = 0

    def model(self) -> nn.Module:
        """Return the network, with weights as they are before training.

        Raises
        ------
        InputError
            If an option is none of the kind's.
        """
        options: dict[str, Any] = {
            "quantise": self.quantise, "bits": self.bits, "pruned": self.pruned_shifts, "switched": self.switch_bar > 0,
            "classes": len(self.classes) if self.classes else 10, "inputs": 1 if self.dataset == "digits" else 3,
        }  # fmt: skip
        if self.network == "vgg19_small":
            return ShiftAddVGG(self.kind, **options)
        return ShiftAddResNet(self.kind, blocks=self.blocks, widths=self.widths, **options)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """Return SGD, without decay of shifts and signs, and what moves switched shifts, where there are any."""
        shifts = {id(p) for m in model.modules() if isinstance(m, ShiftConv2d) for p in m.parameters()}
        own = [p for p in model.parameters() if id(p) in shifts]
        others = [p for p in model.parameters() if id(p) not in shifts]
        groups: list[dict[str, Any]] = [{"params": others, "weight_decay": self.weight_decay}]
        if self.switch_bar:
            switched = SwitchBar(own, self.learning_rate, self.momentum, self.switch_bar)
            return [SGD(groups, self.learning_rate, self.momentum), switched]
        groups += [{"params": own}] if own else []
        return [SGD(groups, self.learning_rate, self.momentum)]

    def averages(self, epoch: int) -> bool:
        """Return whether weights are averaged at the end of this epoch."""
        return self.average_from is not None and epoch >= round(self.average_from * self.epochs)

    def rate(self, epoch: int) -> float:
        """Return the learning rate in this epoch."""
        passed = sum(epoch >= round(share * self.epochs) for share in self.milestones)
        return self.learning_rate * 0.1**passed
