"""ShiftAddNet (NeurIPS 2020): counts, sizes, unit energies, energies of training, what assumptions are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from flows.reproduce import platform
from flows.reproduce.ablation import ablation
from flows.reproduce.platform import Key, Size
from flows.reproduce.registry import Progress
from flows.reproduce.report import Chart, Figure, Reproduction, Section
from flows.reproduce.shiftaddnet_runs import FIX8, training_sections
from hwsim.files import read_mapping
from hwsim.technology import load_technology
from hwsim.trace import trace
from hwsim.workload import Workload
from models.layers import AdderConv2d, ShiftConv2d
from models.shiftaddnet import Kind, resnet20, vgg19_small

PRINTED = Path(__file__).with_suffix(".yaml")
METHODS: dict[str, Kind] = {
    "ConvNet": "conv", "DeepShift": "shift", "AdderNet": "adder", "ShiftAddNet": "shiftadd",
    "Fixed shift": "shiftadd_frozen",
}  # fmt: skip
SHORT = {"ConvNet": "Conv", "DeepShift": "Shift", "AdderNet": "Add", "ShiftAddNet": "SA", "Fixed shift": "Fix"}
NETWORKS = {"ResNet-20": resnet20, "VGG19-small": vgg19_small}
TABLES = {"45 nm": "shiftaddnet-45nm", "ZC706": "shiftaddnet-zc706"}
WEIGHTED = (nn.Conv2d, ShiftConv2d, AdderConv2d)


def reproduce(progress: Progress | None = None) -> Reproduction:
    """Compute every table of the paper that needs no training."""
    printed = read_mapping(PRINTED)
    with FakeTensorMode():
        models = {(m, n): make(kind) for m, kind in METHODS.items() for n, make in NETWORKS.items()}
        images = torch.zeros(1, 3, 32, 32)
        traced = {key: trace(model.eval(), images, name=" ".join(key)) for key, model in models.items()}
    sizes = {key: _size(model, traced[key]) for key, model in models.items()}
    home = {method: traced[method, "ResNet-20"] for method in METHODS if method != "Fixed shift"}
    return Reproduction(
        name="shiftaddnet", title="ShiftAddNet: our numbers beside the paper's", source=f"{printed['source']}.",
        sections=(
            _counts(printed["counts"], models, traced), _sizes(printed["sizes_mib"], models),
            _units(printed["multiplication_over"]), _energies(printed, sizes),
            *ablation(home, "shiftaddvit", "reproduce-shiftaddnet", progress),
            *training_sections(printed["accuracies"], _of_methods(printed["energies"])),
        ),
    )  # fmt: skip


def _of_methods(energies: Sequence[Sequence[Any]]) -> Mapping[str, float]:
    """Megajoules of ResNet-20 on CIFAR-10 by the names of `training_sections`: full precision, or FIX8."""
    home = {Key(*row[:4]): float(row[4]) for row in energies}
    suffixes = {"FP32": "", "FIX8": FIX8}
    return {
        f"{key.method}{suffixes[key.format]}": value
        for key, value in home.items()
        if key[2:] == platform.HOME and key.format in suffixes
    }


def _weights(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> int:
    return sum(cast("Any", m).weight.numel() for m in model.modules() if isinstance(m, kinds))


def _operations(workload: Workload, *primitives: str) -> int:
    return sum(one.macs for one in workload.operators if one.is_contraction and one.primitive in primitives)


def _size(model: nn.Module, workload: Workload) -> Size:
    shifts = [m for m in model.modules() if isinstance(m, ShiftConv2d)]
    only = not any(isinstance(m, AdderConv2d) for m in model.modules())  # then shifts are all there is to quantise
    fixed = 0 if only else sum(m.weight.numel() * m.bits for m in shifts)
    weights = _weights(model, WEIGHTED) - (0 if only else _weights(model, (ShiftConv2d,)))
    return Size(_operations(workload, "mac", "shift", "add"), weights, fixed)


def _counts(
    printed: Mapping[str, Mapping[str, float]], models: Mapping[tuple[str, str], nn.Module],
    traced: Mapping[tuple[str, str], Workload],
) -> Section:  # fmt: skip
    figures = []
    for network, counts in printed.items():
        model, workload = models["ShiftAddNet", network], traced["ShiftAddNet", network]
        ours = {
            "weights": _weights(model, (ShiftConv2d,)), "adder_weights": _weights(model, (AdderConv2d,)),
            "shifts": _operations(workload, "shift") / 1e6, "additions": _operations(workload, "add") / 1e6,
        }  # fmt: skip
        for name, value in counts.items():
            shown, unit = f"{network}, {name.replace('_', ' ')}", "" if name.endswith("weights") else "M"
            figures.append(Figure(name=shown, unit=unit, printed=value, ours=ours[name], digits=6))
    return Section(
        title="Counts", figures=tuple(figures),
        text="Shift weights, adder weights, and operations of the forward pass of one image.",
    )  # fmt: skip


def _sizes(printed: Mapping[str, float], models: Mapping[tuple[str, str], nn.Module]) -> Section:
    multiplied = _weights(models["ConvNet", "ResNet-20"], (nn.Conv2d,)) * 4 / 2**20
    model = models["ShiftAddNet", "ResNet-20"]
    shifts, adders = _weights(model, (ShiftConv2d,)) * 5 / 8 / 2**20, _weights(model, (AdderConv2d,)) / 2**20
    rows = {
        "ConvNet and AdderNet": (printed["convolutions"], multiplied),
        "ShiftAddNet, FP32 adder weights": (printed["shiftadd_fp32"], shifts + 4 * adders),
        "ShiftAddNet, 8-bit adder weights": (printed["shiftadd_fix8"], shifts + adders),
    }
    return Section(
        title="Sizes of ResNet-20", text="Weights alone, shifts in 5 bits. The paper rounds the last two to a digit.",
        figures=tuple(Figure(name=name, unit="MiB", printed=p, ours=own) for name, (p, own) in rows.items()),
    )  # fmt: skip


def _units(printed: Mapping[str, Mapping[str, float]]) -> Section:
    figures = []
    for label, ratios in printed.items():
        table = load_technology(TABLES[label])
        for operation, ratio in ratios.items():
            multiplication = f"mult.{operation.partition('.')[2]}"
            ours = table.coefficient(multiplication).value / table.coefficient(operation).value
            figures.append(Figure(name=f"{label}, {operation}", unit="times", printed=ratio, ours=ours, digits=3))
    return Section(
        title="Unit energies", figures=tuple(figures),
        text=(
            "What a multiplication costs over an addition or a shift, by the tables `shiftaddnet-45nm` and"
            " `shiftaddnet-zc706`, which hold Table 1. These are operators alone; [whole elements](shift.md) differ"
            " less."
        ),
    )  # fmt: skip


def _energies(printed: Mapping[str, Any], sizes: Mapping[tuple[str, str], Size]) -> Section:
    energies = {Key(*row[:4]): float(row[4]) for row in printed["energies"]}
    found = platform.figures(energies, sizes)
    fitted = sum(one.role == "fitted" for one in found)
    small, large = sizes["ConvNet", "ResNet-20"], sizes["ConvNet", "VGG19-small"]
    ratios = [
        energies[key] / energies[key._replace(network="ResNet-20")]
        for key in energies if key[2:] == platform.OTHER and key._replace(network="ResNet-20") in energies
    ]  # fmt: skip
    sample_j = energies[Key("ConvNet", "FP32", *platform.HOME)] * 1e6 / printed["training_samples"]
    product_pj = load_technology(TABLES["ZC706"]).coefficient("mult.fp32").value
    return Section(
        title="Energy of training on the ZC706", figures=found, charts=(_training_chart(found),),
        text=(
            "Of a whole training: 160 epochs, 8 million samples on CIFAR. A model with an energy per operation and one"
            f" per bit of weights for each method is fitted on {fitted} of the {len(found)} figures and predicts the"
            f" others: {_spread(found, 'ResNet-20')}, {_spread(found, 'VGG19-small')}.\n\n"
            "Two things in the figures no sum over operations and bits explains. ShiftAddNet does all that AdderNet"
            " does, and shifts as well, yet is printed to take less on ResNet-20 in every format: each method has"
            " parameters of its own here. And VGG19-small, with"
            f" {large.operations / small.operations:.0f} times the operations and"
            f" {large.weights / small.weights:.0f} times the weights of ResNet-20, is printed to take up to"
            f" {max(ratios):.0f} times the energy.\n\n"
            f"A sample of ConvNet's takes {sample_j:.1f} J on the board; its multiplications, forward and backward,"
            f" take {3 * small.operations * product_pj * 1e-9:.1f} mJ by the unit energies of the same paper. Nearly"
            " all of it is time times power of the platform, which the paper does not give."
        ),
    )  # fmt: skip


def _spread(found: Sequence[Figure], network: str) -> str:
    errors = platform.errors(found, network)
    return f"{network} to {sum(errors) / len(errors):.1f} % in the mean and {max(errors):.0f} % at most"


def _training_chart(found: Sequence[Figure]) -> Chart:
    """What was printed of ResNet-20 on CIFAR-10, and the model's."""
    where = f", {', '.join(platform.HOME)}"
    home = {one.name.removesuffix(where): one for one in found if one.name.endswith(where)}
    return Chart(
        name="reproduce-shiftaddnet-training", title="Training of ResNet-20 on CIFAR-10", unit="MJ",
        groups=tuple(f"{SHORT[method]} {form}" for method, form in (name.split(", ") for name in home)),
        series={
            "printed": tuple(one.printed for one in home.values()), "model": tuple(one.ours for one in home.values())
        },
    )  # fmt: skip
