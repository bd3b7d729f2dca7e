"""Networks and their programs on architectures: on this project's accelerator by programs, on others as traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from flows.compile.bundle import LAYOUT, Bundle
from flows.compile.check import check_rtl
from flows.compile.network import compile_network
from flows.compile.operands import recorded
from flows.compile.price import Recorded, accelerator_of, costs
from flows.compile.sources import load_images, load_model
from flows.verify.simulate import Simulator
from hwsim.architecture import Programmed, load_architecture
from hwsim.cost.accounting import load_convention
from hwsim.cost.priced import technology_of
from hwsim.cost.result import Result
from hwsim.errors import InputError
from hwsim.scoring import score as score_workload
from hwsim.technology import Technology
from hwsim.trace import trace
from hwsim.trace.target import load_target

ACCOUNTING = "pe"
"""Whole elements are what programs are priced by."""


@dataclass(frozen=True)
class Source:
    """A network with images, or a compiled program.

    Attributes
    ----------
    name
        As results call it.
    model, images
        Of a network.
    bundle
        Of a program.
    """

    name: str
    model: nn.Module | ExportedProgram | None = None
    images: Tensor | None = None
    bundle: Bundle | None = None


def score(
    source: Source, on: Sequence[str], accounting: str = "operator", *, rtl: Simulator | None = None,
    host_ops: bool = False,
) -> list[Result]:  # fmt: skip
    """Price one image through a network on every architecture.

    Parameters
    ----------
    accounting
        Of architectures that are no accelerators of this project.
    rtl
        Simulator that runs programs on the RTL, to compare every counter with the model's.
    host_ops
        Leave what the accelerator cannot do to the host, whose cost is not in the result.

    Raises
    ------
    HwsimError
        If the network cannot run on one of them, or the RTL differs from the model.
    """
    results = []
    for name in on:
        architecture, folder = load_architecture(name)
        if isinstance(architecture, Programmed):
            technology = technology_of(architecture, folder)
            results.append(_programmed(source, architecture, technology, rtl, host_ops))
        elif source.model is None or source.images is None:
            raise InputError(f"runs on architectures of kind accelerator, and {name} is none", file=source.name)
        else:
            module = source.model if isinstance(source.model, nn.Module) else source.model.module()
            workload = trace(module, (source.images[:1],), name=source.name)
            results.append(score_workload(workload, on=name, accounting=accounting))
    if rtl and not any(isinstance(result.architecture, Programmed) for result in results):
        raise InputError("must name an architecture of kind accelerator to check its RTL", field="--on", value=list(on))
    return results


def _programmed(
    source: Source, architecture: Programmed, technology: Technology, rtl: Simulator | None, host_ops: bool
) -> Result:
    bundle, own = source.bundle, dict[int, Recorded]()
    if source.model is not None and source.images is not None:
        network = compile_network(source.model, source.images, accelerator_of(architecture), host_ops=host_ops)
        bundle = network.bundle
        own = recorded(bundle, network.integers(source.images[:1])[0].numpy(), architecture, technology)
    if bundle is None:
        raise InputError("must be a network with images, or a program", field="source", value=source.name)
    priced = costs(bundle, architecture, technology, own)
    notes = ["Cycles are those of the program, exact for a memory of constant latency."]
    if rtl:
        counters = check_rtl(bundle, architecture.memory_latency, rtl)
        notes.append(f"The RTL on {rtl} counts the same: {counters['cycles']} cycles, every stall, every access.")
    if bundle.layout.host:
        notes.append(f"Left to the host, and not priced: {', '.join(bundle.layout.host)}.")
    used = {charge.coefficient for cost in priced for charge in cost.charges}
    measured = dict(one.operation for one in own.values() if one.operation)
    convention = load_convention(ACCOUNTING)
    return Result(
        workload=source.name, samples=1, architecture=architecture, accounting=convention.name,
        accounting_title=convention.title, node_nm=technology.node_nm, voltage_v=technology.voltage_v,
        coefficients={key: measured.get(key) or technology.coefficient(key) for key in sorted(used)},
        operators=priced, notes=tuple(notes),
    )  # fmt: skip


def load_source(name: str, data: str = "") -> Source:
    """Return what a name stands for: a network with images, or the program in a folder.

    Parameters
    ----------
    name
        What `hwsim compile` takes as a network, or writes. Without ``data`` a function returns network and images, as
        `hwsim.trace.target` has it.
    data
        Images, as `hwsim compile` takes them.

    Raises
    ------
    InputError
        If there is no such thing.
    """
    if (Path(name) / LAYOUT).is_file():
        if data:
            raise InputError("must be absent for a compiled program", field="--data", value=data)
        return Source(Path(name).name, bundle=Bundle.load(name))
    label = Path(name).stem if name.endswith(".pt2") else name.rpartition(":")[2]
    if data:
        return Source(label, load_model(name), load_images(data))
    if name.endswith(".pt2"):
        raise InputError("must be given for an exported program", field="--data", value=data)
    target = load_target(name)
    images = target["inputs"][0] if isinstance(target["inputs"], tuple) else target["inputs"]
    if not isinstance(images, Tensor):
        raise InputError("must return a model and a tensor of images", field=name, value=type(images).__name__)
    return Source(label, target["model"], torch.as_tensor(images).float())
