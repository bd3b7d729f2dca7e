"""Energies of training on the ZC706 board: a model fitted on a few printed figures, held against the rest.

Energy = samples * (operations * e + bits of weights * d), with ``e`` and ``d`` of each method from its two fixed-point
figures of ResNet-20. FP32 costs a factor more than FIX32, data sets other than CIFAR have a share of its samples, and
bits of weights that do not fit on the chip cost a factor more: one figure of AdderNet each. DeepShift and ConvNet have
one FP32 figure of ResNet-20 and share AdderNet's parameters but for a factor; fixed-point DeepShift has those of its
own two figures of VGG19-small.

Operations and weights are those of our networks. No cost of an operation and of a bit that all methods share explains
the figures: ShiftAddNet does all that AdderNet does, and shifts, and is printed to take less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flows.reproduce.report import Figure


class Key(NamedTuple):
    """What was trained."""

    method: str
    format: str
    network: str
    data: str


@dataclass(frozen=True)
class Size:
    """Of a network: operations of an image's forward pass, weights with as many bits as the format says, other bits."""

    operations: int
    weights: int
    fixed_bits: int

    def bits(self, width: int) -> int:
        """Bits of all weights."""
        return self.weights * width + self.fixed_bits


@dataclass(frozen=True)
class Cost:
    """Megajoules of a whole training, per operation of an image's forward pass and per bit of weights."""

    operation_mj: float
    bit_mj: float

    def energy_mj(self, size: Size, width: int, spilling: float) -> float:
        """Energy of a training; bits of weights that do not fit on the chip count ``spilling`` times."""
        return self.operation_mj * size.operations + self.bit_mj * _bits(size, width, spilling)


def _bits(size: Size, width: int, spilling: float) -> float:
    bits = size.bits(width)
    return bits * (spilling if bits > ON_CHIP_BITS else 1.0)


ON_CHIP_BITS = 545 * 36 * 1024
"""Block memory of the ZC706's XC7Z045."""


HOME, OTHER = ("ResNet-20", "CIFAR-10"), ("VGG19-small", "CIFAR-10")
REFERENCE = "AdderNet"
TWO_POINTS = {"AdderNet": HOME, "ShiftAddNet": HOME, "Fixed shift": HOME, "DeepShift": OTHER}
ONE_POINT = ("ConvNet", "DeepShift")
SAMPLES = {
    "Head-Pose": Key(REFERENCE, "FIX32", "ResNet-20", "Head-Pose"),
    "FlatCam-Face": Key(REFERENCE, "FIX32", "ResNet-20", "FlatCam-Face"),
    "adaptation": Key(REFERENCE, "FP32", "ResNet-20", "adaptation"),
}
"""Figures that say which share of CIFAR's samples there are."""
FLOAT = Key(REFERENCE, "FP32", *HOME)
SPILLED = Key(REFERENCE, "FIX32", *OTHER)
FITTED = {
    FLOAT, SPILLED, *SAMPLES.values(), *(Key(method, "FP32", *HOME) for method in ONE_POINT),
    *(Key(method, form, *where) for method, where in TWO_POINTS.items() for form in ("FIX8", "FIX32")),
}  # fmt: skip
"""Figures that a parameter was fitted to; all others are predicted."""


class Platform:
    """The board, as the fitted figures make it out.

    Parameters
    ----------
    printed
        Megajoules, with at least those of `FITTED`.
    sizes
        Of every method's networks, by method and network.
    """

    def __init__(self, printed: Mapping[Key, float], sizes: Mapping[tuple[str, str], Size]) -> None:
        self.sizes = sizes
        self.spilling = 1.0
        reference, home = self._line(printed, REFERENCE, *HOME), sizes[REFERENCE, HOME[0]]
        large = sizes[REFERENCE, OTHER[0]]
        computed = reference.operation_mj * large.operations
        self.spilling = (printed[SPILLED] - computed) / (reference.bit_mj * large.bits(32))
        self.costs = {method: self._line(printed, method, *where) for method, where in TWO_POINTS.items()}
        self.float_factor = printed[FLOAT] / reference.energy_mj(home, 32, self.spilling)
        self.shares = {data: printed[key] / printed[key._replace(data="CIFAR-10")] for data, key in SAMPLES.items()}
        self.factors = {
            method: printed[Key(method, "FP32", *HOME)]
            / (self.float_factor * reference.energy_mj(sizes[method, HOME[0]], 32, self.spilling))
            for method in ONE_POINT
        }

    def _line(self, printed: Mapping[Key, float], method: str, network: str, data: str) -> Cost:
        size = self.sizes[method, network]
        few, many = (_bits(size, width, self.spilling) for width in (8, 32))
        narrow, wide = (printed[Key(method, form, network, data)] for form in ("FIX8", "FIX32"))
        bit_mj = (wide - narrow) / (many - few)
        return Cost((narrow - bit_mj * few) / size.operations, bit_mj)

    def energy_mj(self, key: Key) -> float:
        """Energy of a training."""
        method = REFERENCE if key.method in ONE_POINT and key.format == "FP32" else key.method
        width = 32 if key.format == "FP32" else int(key.format.removeprefix("FIX"))
        energy_mj = self.costs[method].energy_mj(self.sizes[key.method, key.network], width, self.spilling)
        factor = self.float_factor * self.factors.get(key.method, 1.0) if key.format == "FP32" else 1.0
        return self.shares.get(key.data, 1.0) * factor * energy_mj


def figures(printed: Mapping[Key, float], sizes: Mapping[tuple[str, str], Size]) -> tuple[Figure, ...]:
    """Every printed energy beside the model's."""
    platform = Platform(printed, sizes)
    return tuple(
        Figure(
            name=", ".join(key), unit="MJ", printed=value, ours=platform.energy_mj(key),
            role="fitted" if key in FITTED else "predicted",
        )
        for key, value in printed.items()
    )  # fmt: skip


def errors(found: Sequence[Figure], *words: str) -> list[float]:
    """Absolute errors in percent of the predicted figures whose names hold these words."""
    chosen = [one for one in found if one.role == "predicted" and all(word in one.name for word in words)]
    return [abs(one.difference_percent) for one in chosen]
