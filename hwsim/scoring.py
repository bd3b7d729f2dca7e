"""Scoring: what a workload or a training run costs on one or more architectures."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, overload, runtime_checkable

from hwsim.architecture import (
    Architecture,
    BitFusion,
    FreeDataflow,
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
from hwsim.errors import HwsimError
from hwsim.fusion import Pricing, fused_costs
from hwsim.technology import Technology
from hwsim.workload import Operator, Workload

Progress = Callable[[int, int], None]
"""Called with the number of operators priced so far and in all."""


@runtime_checkable
class Run(Protocol):
    """Anything that knows how often each of its workloads was executed."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def samples(self) -> int:
        """Samples processed in all."""

    @property
    def steps(self) -> int:
        """Steps counted in ``executions``."""

    @property
    def untraced(self) -> int:
        """Steps beside those, whose operators are not known."""

    @property
    def executions(self) -> tuple[tuple[Workload, int], ...]:
        """Each distinct workload with its number of executions."""


Scorable = Workload | Run | str | Path


@overload
def score(
    work: Scorable, on: str = ..., accounting: str = ..., progress: Progress | None = ..., *, fuse: bool = ...
) -> Result: ...
@overload
def score(
    work: Scorable, on: list[str], accounting: str = ..., progress: Progress | None = ..., *, fuse: bool = ...
) -> list[Result]: ...


def score(
    work: Scorable,
    on: str | list[str] = "eyeriss-45nm",
    accounting: str = "operator",
    progress: Progress | None = None,
    *,
    fuse: bool = False,
) -> Result | list[Result]:
    """Price ``work`` on one architecture, or on several.

    Parameters
    ----------
    work
        A workload, a training run, or the path of either (a file or a run's folder).
    on
        Name of a preset or path of a YAML file; a list gives a list of results.
    accounting
        Name of the accounting convention.
    progress
        Called after every distinct operator, and where chains are fused once more from the start after every chain.
    fuse
        Run chains of operators tile by tile where that saves energy; needs an architecture of kind ``hierarchy``.

    Raises
    ------
    hwsim.errors.HwsimError
        If an input is not valid or an operator cannot be priced.
    """
    run = load(work)
    convention = load_convention(accounting)
    if isinstance(on, str):
        return _score(run, on, convention, progress, fuse=fuse)
    return [_score(run, name, convention, progress, fuse=fuse) for name in on]


def load(work: Scorable) -> Workload | Run:
    """Return ``work`` itself, or what its path holds."""
    if not isinstance(work, str | Path):
        return work
    if Path(work).is_dir():
        from hwsim.training.run import TrainingRun

        return TrainingRun.load(work)
    return Workload.load(work)


def _score(
    work: Workload | Run, name: str, convention: Convention, progress: Progress | None, *, fuse: bool
) -> Result:
    architecture, folder = load_architecture(name)
    if fuse and not isinstance(architecture, FreeDataflow):
        raise HwsimError(f"{name} has a fixed dataflow: operators are fused on architectures of kind hierarchy")
    technology = technology_of(architecture, folder)
    executions = ((work, 1),) if isinstance(work, Workload) else work.executions
    prices = _prices(executions, architecture, technology, convention, progress)

    def alone(operator: Operator) -> OperatorCost:
        return prices[operator.signature]

    def together(operators: Sequence[Operator]) -> Iterable[OperatorCost]:
        if not fuse or not isinstance(architecture, FreeDataflow):
            return map(alone, operators)
        return fused_costs(operators, Pricing(architecture, technology, convention, alone), progress)

    costs = tuple(
        with_standing(cost, architecture, technology).model_copy(
            update={
                "name": operator.name, "module": operator.module, "source": operator.source,
                "phase": operator.phase, "count": operator.count * times,
            }
        )
        for workload, times in executions
        for operator, cost in zip(workload.operators, together(workload.operators), strict=True)
    )  # fmt: skip
    costs += tuple(skipped(one, times) for workload, times in executions for one in workload.skipped)
    used = sorted({charge.coefficient for cost in costs for charge in cost.charges})
    return Result(
        workload=work.name,
        samples=work.samples,
        steps=1 if isinstance(work, Workload) else work.steps,
        architecture=architecture,
        accounting=convention.name,
        accounting_title=convention.title,
        node_nm=technology.node_nm,
        voltage_v=technology.voltage_v,
        coefficients={key: technology.coefficient(key) for key in used},
        operators=costs,
        notes=_notes(work, convention, fuse=fuse),
    )


def _notes(work: Workload | Run, convention: Convention, *, fuse: bool) -> tuple[str, ...]:
    notes = list(convention.notes)
    if fuse:
        notes.append("Chains of operators are fused where that saves energy; what others read later is still written.")
    workloads = [work] if isinstance(work, Workload) else [workload for workload, _ in work.executions]
    if any(operator.primitive == "comm" for workload in workloads for operator in workload.operators):
        notes.insert(0, "Collectives cost their memory traffic only: the network between devices is not modelled.")
    if not isinstance(work, Workload) and work.untraced:
        notes.insert(0, f"{work.untraced} further steps are not counted: their operators were not traced.")
    return tuple(notes)


def _prices(
    executions: Sequence[tuple[Workload, int]],
    architecture: Architecture,
    technology: Technology,
    convention: Convention,
    progress: Progress | None,
) -> dict[Hashable, OperatorCost]:
    """Price every distinct operator once, whatever it is called and however often it runs."""
    distinct = {operator.signature: operator for workload, _ in executions for operator in workload.operators}
    prices: dict[Hashable, OperatorCost] = {}
    for signature, operator in distinct.items():
        try:
            prices[signature] = _price(operator, architecture, technology, convention)
        except HwsimError as error:
            raise HwsimError(f"{operator.name}: {error}") from error
        if progress:
            progress(len(prices), len(distinct))
    return prices


def _price(
    operator: Operator, architecture: Architecture, technology: Technology, convention: Convention
) -> OperatorCost:
    if is_sparse_product(operator) and not convention.contractions_only and architecture.stream_levels:
        return price_sparse_product(operator, architecture, technology, convention)
    if operator.is_contraction:
        return _price_contraction(operator, architecture, technology, convention)
    if convention.contractions_only:
        return not_priced(operator, "not priced by this accounting")
    if not architecture.stream_levels:
        return not_priced(operator, f"{architecture.kind} has no model of operators that are no contractions")
    return price_stream(operator, architecture, technology)


def _price_contraction(
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
