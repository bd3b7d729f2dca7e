"""A row-stationary chip's measured figures beside what hwsim predicts for the mappings that the chip used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.architecture import RowStationaryChip, load_architecture
from hwsim.cost.accounting import Convention, load_convention
from hwsim.cost.row_stationary_chip import Layer, Zeros
from hwsim.cost.row_stationary_chip_pricing import ChipCost, best_mapping, cost_of, layer_of
from hwsim.cost.work import work_of
from hwsim.errors import HwsimError, InputError
from hwsim.mapping.lowering import convolution_nest
from hwsim.mapping.row_stationary_chip import ChipMapping, check
from hwsim.technology import Technology, load_technology
from hwsim.validation.figures import MEASURED, OF_ZEROS, LayerFigures, read_figures
from hwsim.validation.network import SiliconLayer, SiliconNetwork, load_network


@dataclass(frozen=True)
class LayerComparison:
    """One layer; values in watts, seconds and bytes."""

    name: str
    mapping: ChipMapping
    predicted: dict[str, float]
    measured: dict[str, float]
    best: ChipMapping
    """Mapping with the least product of energy and time."""
    best_predicted: dict[str, float]

    def error_percent(self, column: str) -> float | None:
        """Predicted over measured minus one, in percent; None where nothing was measured."""
        measured = self.measured.get(column)
        return None if measured is None else 100 * (self.predicted[column] / measured - 1)


@dataclass(frozen=True)
class Validation:
    """All layers of a network on a chip."""

    network: str
    architecture: str
    batch: int
    layers: tuple[LayerComparison, ...]
    warning: str = ""
    """What makes the comparison doubtful."""

    @property
    def mean_abs_error_percent(self) -> dict[str, float]:
        """Mean over layers of the absolute error of every column that was measured."""
        means = {}
        for column in MEASURED:
            errors = [error for layer in self.layers if (error := layer.error_percent(column)) is not None]
            if errors:
                means[column] = sum(map(abs, errors)) / len(errors)
        return means

    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "network": self.network,
            "architecture": self.architecture,
            "batch": self.batch,
            "units": {
                "power": "W", "total_latency": "s", "processing_latency": "s", "glb_bytes": "B", "dram_bytes": "B",
            },
            "mean_abs_error_percent": self.mean_abs_error_percent,
            "warning": self.warning,
            "layers": [
                {
                    "name": layer.name,
                    "mapping": layer.mapping.model_dump(),
                    "predicted": layer.predicted,
                    "measured": layer.measured,
                    "error_percent": {column: layer.error_percent(column) for column in layer.measured},
                    "best_mapping": layer.best.model_dump(),
                    "best_predicted": layer.best_predicted,
                }
                for layer in self.layers
            ],
        }


def validate_silicon(figures: Path | str, network: str, *, batch: int, on: str = "eyeriss-v1") -> Validation:
    """Predict every layer of ``network`` and compare it with measured ``figures``.

    What depends on zeros (`hwsim.validation.figures.OF_ZEROS`) is predicted only if the figures have their shares.

    Parameters
    ----------
    figures
        A CSV file; see `hwsim.validation.figures.read_figures`. Shares of zeros are taken from it: they are a
        property of the data, not of the chip.
    network
        ``alexnet``, ``vgg16`` or the path of a YAML file.
    batch
        Images that the chip ran together.
    on
        An architecture of kind ``row_stationary_chip``.

    Raises
    ------
    HwsimError
        If an input is not valid, layers do not match rows, or a mapping breaks a limit of the chip.
    """
    if batch < 1:
        raise InputError("batch must be at least 1", value=batch)
    architecture, folder = load_architecture(on)
    if not isinstance(architecture, RowStationaryChip):
        raise HwsimError(f"{on} is of kind {architecture.kind}: silicon figures need one of kind row_stationary_chip")
    technology = load_technology(architecture.technology, beside=folder)
    convention, described = load_convention("operator"), load_network(network)
    rows = _matched(read_figures(figures), described, figures)
    layers = [
        _layer(silicon, batch, architecture, convention, zeros)
        for silicon, zeros in zip(described.layers, _zeros(rows), strict=True)
    ]
    compared = tuple(
        _compared(row, silicon, layer, architecture, technology)
        for row, silicon, layer in zip(rows, described.layers, layers, strict=True)
    )
    warning = next(filter(None, map(_other_work, rows, layers)), "")
    return Validation(described.name, architecture.name, batch, compared, warning)


def _compared(
    row: LayerFigures, silicon: SiliconLayer, layer: Layer, chip: RowStationaryChip, technology: Technology
) -> LayerComparison:
    try:
        best = best_mapping(layer, chip, technology)
    except HwsimError as error:
        raise HwsimError(f"{silicon.name}: {error}") from error
    used = _used(silicon, best, layer, chip)
    predicted, least = (
        _columns(cost_of(layer, mapping, chip, technology), chip, row) for mapping in (used, best)
    )
    return LayerComparison(row.name, used, predicted, row.measured, best, least)


def _other_work(row: LayerFigures, layer: Layer) -> str:
    """What to say if the figures are not of this layer at this batch, to the two digits that tables print."""
    if row.macs is None or abs(row.macs - layer.macs) <= max(0.05 * layer.macs, 1e7):
        return ""
    return f"{row.name}: {row.macs / 1e9:.2f} G multiply-accumulates measured, {layer.macs / 1e9:.2f} G at this batch"


def _layer(
    silicon: SiliconLayer, batch: int, chip: RowStationaryChip, convention: Convention, zeros: Zeros
) -> Layer:
    operator = silicon.model_copy(update={"batch": batch}).operator()
    nest = convolution_nest(operator)
    if nest is None:
        raise HwsimError(f"{silicon.name} is no convolution that the chip runs")
    try:
        return layer_of(operator, nest, work_of(operator, chip, convention), chip, zeros)
    except HwsimError as error:
        raise HwsimError(f"{silicon.name}: {error}") from error


def _used(silicon: SiliconLayer, best: ChipMapping, layer: Layer, chip: RowStationaryChip) -> ChipMapping:
    """The chip's mapping, with no more images at a time than there are."""
    if silicon.mapping is None:
        return best
    mapping = silicon.mapping.model_copy(update={"n": min(silicon.mapping.n, layer.nest.n)})
    try:
        check(layer.nest, mapping, chip)
    except HwsimError as error:
        raise HwsimError(f"{silicon.name}: {error}") from error
    return mapping


def _zeros(rows: Sequence[LayerFigures]) -> list[Zeros]:
    """Zeros of a layer's output are those of the next layer's input; the last layer's are taken as its input's."""
    shares = [row.zeros or 0.0 for row in rows]
    following = [*shares[1:], shares[-1]]
    return [Zeros(own, after, raw_input=i == 0) for i, (own, after) in enumerate(zip(shares, following, strict=True))]


def _columns(cost: ChipCost, chip: RowStationaryChip, row: LayerFigures) -> dict[str, float]:
    """What can be predicted of a layer, in the order of `MEASURED`."""
    seconds = cost.cycles / chip.clock_hz
    columns = {
        "power": cost.chip_pj * 1e-12 / seconds,
        "total_latency": float(cost.activity.total_cycles(chip.dram_bits_per_cycle)[0]) / chip.clock_hz,
        "processing_latency": seconds,
        "glb_bytes": float(cost.activity.buffer_words[0]) * chip.word_bits / 8,
        "dram_bytes": float(cost.activity.dram_bits[0]) / 8,
    }
    return {key: value for key, value in columns.items() if row.zeros is not None or key not in OF_ZEROS}


def _matched(
    rows: Sequence[LayerFigures], network: SiliconNetwork, path: Path | str
) -> list[LayerFigures]:
    """Rows in the order of the network's layers: by name, or by position where all are called otherwise."""
    by_name = {_plain(row.name): row for row in rows}
    names = [_plain(layer.name) for layer in network.layers]
    if by_name.keys().isdisjoint(names) and len(rows) == len(names):
        return list(rows)
    for layer, name in zip(network.layers, names, strict=True):
        if name not in by_name:
            raise InputError(f"must have a row for layer {layer.name} of {network.name}", file=path)
    if more := [row.name for row in rows if _plain(row.name) not in names]:
        raise InputError(f"must be a layer of {network.name}", file=path, field=more[0])
    return [by_name[name] for name in names]


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
