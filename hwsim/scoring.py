"""Scoring: what a workload or a training run costs on one or more architectures."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import overload

from hwsim.architecture import (
    Architecture,
    BitFusion,
    FreeDataflow,
    Gpu,
    Programmed,
    RowStationary,
    RowStationaryChip,
    Systolic,
    load_architecture,
)
from hwsim.cost.accounting import Convention, load_convention
from hwsim.cost.bitfusion_pricing import price_bitfusion
from hwsim.cost.contraction import price_contraction
from hwsim.cost.hierarchy import price_mapped
from hwsim.cost.priced import technology_of
from hwsim.cost.result import OperatorCost, Result
from hwsim.cost.row_stationary_chip_pricing import price_chip
from hwsim.cost.sparse_product import is_sparse_product, price_sparse_product
from hwsim.cost.standing import with_standing
from hwsim.cost.streaming import not_priced, price_stream, skipped
from hwsim.cost.systolic_pricing import price_systolic
from hwsim.errors import HwsimError, InputError, MissingCoefficientError
from hwsim.extensions import extension
from hwsim.files import read_mapping
from hwsim.fusion import Pricing, fused_costs
from hwsim.gpu.pricing import awaited, price_gpu
from hwsim.technology import Technology
from hwsim.training.costs import operator_costs, timeline
from hwsim.training.described import described
from hwsim.training.formats import reformatted
from hwsim.training.run import TrainingRun
from hwsim.training.variants import Variants, variants
from hwsim.workload import Operator, Workload
from hwsim.workload.fused import fuse as fused

Progress = Callable[[int, int], None]
"""Called with the number of operators priced so far and in all."""


Scorable = Workload | TrainingRun | str | Path


@overload
def score(
    work: Scorable, on: str = ..., accounting: str | Convention = ..., progress: Progress | None = ..., *,
    fuse: bool = ..., formats: Mapping[str, str] | None = ...,
) -> Result: ...
@overload
def score(
    work: Scorable, on: list[str], accounting: str | Convention = ..., progress: Progress | None = ..., *,
    fuse: bool = ..., formats: Mapping[str, str] | None = ...,
) -> list[Result]: ...


def score(
    work: Scorable,
    on: str | list[str] = "eyeriss-45nm",
    accounting: str | Convention = "operator",
    progress: Progress | None = None,
    *,
    fuse: bool = False,
    formats: Mapping[str, str] | None = None,
) -> Result | list[Result]:
    """Price ``work`` on one architecture, or on several.

    Parameters
    ----------
    work
        A workload, a training run, or the path of either (a file or a run's folder).
    on
        Name of a preset or path of a YAML file; a list gives a list of results.
    accounting
        Name of the accounting convention, or one made from it.
    progress
        Called after every distinct operator, and where chains are fused once more from the start after every chain.
    fuse
        On an architecture of kind ``hierarchy``, run chains of operators tile by tile where that saves energy; on a
        GPU, make one kernel of elementwise operators that pass tensors on, as compilers of frameworks do.
    formats
        Number formats to price as others, such as ``{"bf16": "fp16"}`` where a technology lacks one.

    Raises
    ------
    hwsim.errors.HwsimError
        If an input is not valid or an operator cannot be priced.
    """
    run = reformatted(load(work), formats) if formats else load(work)
    convention = load_convention(accounting) if isinstance(accounting, str) else accounting
    results = [
        _score(run, name, convention, progress, fuse=fuse) for name in ([on] if isinstance(on, str) else on)
    ]
    if formats:
        note = f"Formats priced as others: {', '.join(f'{old} as {new}' for old, new in formats.items())}."
        results = [result.model_copy(update={"notes": (note, *result.notes)}) for result in results]
    return results[0] if isinstance(on, str) else results


def load(work: Scorable) -> Workload | TrainingRun:
    """Return ``work`` itself, or what its path holds: a folder a recorded run, a file a described one or a workload."""
    if not isinstance(work, str | Path):
        return work
    if Path(work).is_dir():
        return TrainingRun.load(work)
    data = read_mapping(work)
    if isinstance(data, dict) and str(data.get("schema", "")).startswith("hwsim/training/"):
        return described(data, Path(work))
    return Workload.parse(data, work)


def _score(
    work: Workload | TrainingRun, name: str, convention: Convention, progress: Progress | None, *, fuse: bool
) -> Result:
    architecture, folder = load_architecture(name)
    technology = technology_of(architecture, folder)
    run = TrainingRun.once(work) if isinstance(work, Workload) else work
    if not run.executions:
        raise InputError("holds no step whose operators are known", file=run.name)
    if fuse and isinstance(architecture, Gpu):
        run, architecture = _compiled(run), architecture.model_copy(update={"padded_rows": True})
    free = _free(architecture, run) if fuse and not isinstance(architecture, Gpu) else None
    found = variants(run)
    prices = _prices((form for one in found for _, form in one.forms), architecture, technology, convention, progress)

    def alone(operator: Operator) -> OperatorCost:
        return prices[operator.signature]

    if free:
        pricing = Pricing(free, technology, convention, alone)
        steps = [run.executions[number][0] for number in dict.fromkeys(one.structure for one in found)]
        forms = [[cost] for step in steps for cost in fused_costs(step.operators, pricing, progress)]
    else:
        forms = [[alone(form) for _, form in one.forms] for one in found]
        forms = _with_host(found, forms, architecture) if isinstance(architecture, Gpu) else forms
    priced = [
        (one, [with_standing(cost, architecture, technology) for cost in costs])
        for one, costs in zip(found, forms, strict=True)
    ]
    costs = tuple(operator_costs(run, priced))
    costs += tuple(skipped(one, times) for workload, times in run.executions for one in workload.skipped)
    used = sorted({charge.coefficient for cost in costs for charge in cost.charges})
    coefficients = {key: technology.coefficient(key) for key in used}
    return Result(
        workload=run.name,
        samples=run.samples,
        steps=run.steps,
        architecture=architecture,
        accounting=convention.name,
        accounting_title=convention.title,
        node_nm=technology.node_nm,
        voltage_v=technology.voltage_v,
        coefficients=coefficients,
        operators=costs,
        notes=(*_notes(run, convention, architecture, fuse=fuse), *_of_kind(architecture, fuse=fuse)),
        timeline=None if isinstance(work, Workload) else timeline(run, priced, coefficients),
    )


def _free(architecture: Architecture, run: TrainingRun) -> FreeDataflow:
    """Return the architecture if operators of the run can be fused on it."""
    if not isinstance(architecture, FreeDataflow):
        rule = "has a fixed dataflow: operators are fused on architectures of kind hierarchy and gpu"
        raise HwsimError(f"{architecture.name} {rule}")
    _check_stays(run)
    return architecture


def _compiled(run: TrainingRun) -> TrainingRun:
    """Return ``run`` with the elementwise operators of its steps fused as compilers do."""
    _check_stays(run)
    executions = tuple((fused(workload, across_modules=True), count) for workload, count in run.executions)
    return replace(run, executions=executions)


def _check_stays(run: TrainingRun) -> None:
    if run.varies:
        raise HwsimError(f"{run.name} changes as it goes: only runs whose modules stay as traced are fused")


def _with_host(found: list[Variants], forms: list[list[OperatorCost]], gpu: Gpu) -> list[list[OperatorCost]]:
    """Return the costs of every distinct step with what it waits for the host of ``gpu``."""
    waiting = []
    for _, step in groupby(zip(found, forms, strict=True), key=lambda pair: pair[0].structure):
        ones, costs = zip(*step, strict=True)
        waiting += awaited([one.operator for one in ones], costs, gpu)
    return waiting


def _notes(run: TrainingRun, convention: Convention, on: Architecture, *, fuse: bool) -> tuple[str, ...]:
    notes = list(convention.notes)
    if fuse and not isinstance(on, Gpu):
        notes.append("Chains of operators are fused where that saves energy; what others read later is still written.")
    networked = isinstance(on, Gpu) and on.node is not None
    communicates = any(one.primitive == "comm" for workload, _ in run.executions for one in workload.operators)
    if communicates and not networked:
        notes.insert(0, "Collectives cost their memory traffic only: the network between devices is not modelled.")
    if run.varies:
        notes.insert(0, "Precision, skipping and sparsity are those that the run reported, module by module.")
    if run.untraced:
        notes.insert(0, f"{run.untraced} further steps are not counted: their operators were not traced.")
    return tuple(notes)


def _of_kind(architecture: Architecture, *, fuse: bool) -> tuple[str, ...]:
    if isinstance(architecture, Gpu):
        how = "as a compiler fuses its kernels" if fuse else "as eager PyTorch runs it"
        return (f"The GPU is modelled from its data sheet, {how}: nothing was measured for this.",)
    if not isinstance(architecture, Programmed):
        return ()
    return (
        "Every layer is a program of its own, whose weights are loaded before it begins; whole elements are priced, "
        "whatever the accounting. A network with its images (FILE.py:FUNCTION) is priced as a whole, with pooling.",
    )


def _prices(
    operators: Iterable[Operator],
    architecture: Architecture,
    technology: Technology,
    convention: Convention,
    progress: Progress | None,
) -> dict[Hashable, OperatorCost]:
    """Price every distinct operator once, whatever it is called and however often it runs."""
    distinct = {operator.signature: operator for operator in operators}
    prices: dict[Hashable, OperatorCost] = {}
    for signature, operator in distinct.items():
        try:
            prices[signature] = _price(operator, architecture, technology, convention)
        except MissingCoefficientError as error:
            raise MissingCoefficientError(f"{operator.name}: {error} (--as prices one format as another)") from error
        except HwsimError as error:
            raise HwsimError(f"{operator.name}: {error}") from error
        if progress:
            progress(len(prices), len(distinct))
    return prices


def _price(
    operator: Operator, architecture: Architecture, technology: Technology, convention: Convention
) -> OperatorCost:
    if isinstance(architecture, Gpu):
        return _price_by_kind(operator, architecture, technology, convention)
    if is_sparse_product(operator) and not convention.contractions_only and architecture.stream_levels:
        return price_sparse_product(operator, architecture, technology, convention)
    if operator.is_contraction:
        return _price_by_kind(operator, architecture, technology, convention)
    if convention.contractions_only:
        return not_priced(operator, "not priced by this accounting")
    if not architecture.stream_levels:
        return not_priced(operator, f"{architecture.kind} has no model of operators that are no contractions")
    return price_stream(operator, architecture, technology)


def _price_by_kind(
    operator: Operator, architecture: Architecture, technology: Technology, convention: Convention
) -> OperatorCost:
    match architecture:
        case RowStationary():
            return price_contraction(operator, architecture, technology, convention)
        case RowStationaryChip():
            return price_chip(operator, architecture, technology, convention)
        case Systolic():
            return price_systolic(operator, architecture, technology, convention)
        case BitFusion():
            return price_bitfusion(operator, architecture, technology, convention)
        case FreeDataflow():
            return price_mapped(operator, architecture, technology, convention)
        case Gpu():
            return price_gpu(operator, architecture, technology, convention)
        case Programmed():
            cost: OperatorCost = extension("price_on_accelerator")(operator, architecture, technology, convention)
            return cost
