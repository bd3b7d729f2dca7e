"""A row-stationary chip's measured figures beside what hwsim predicts for the mappings that the chip used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.architecture import RowStationaryChip, load_architecture
from hwsim.cost.row_stationary_chip import Zeros
from hwsim.cost.row_stationary_chip_pricing import ChipCost, best_mapping, cost_of
from hwsim.errors import HwsimError, InputError
from hwsim.mapping.lowering import convolution_nest
from hwsim.mapping.row_stationary import Nest
from hwsim.mapping.row_stationary_chip import ChipMapping, check
from hwsim.technology import load_technology
from hwsim.validation.figures import MEASURED, LayerFigures, read_figures
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
            "units": {"power": "W", "processing_latency": "s", "glb_bytes": "B", "dram_bytes": "B"},
            "mean_abs_error_percent": self.mean_abs_error_percent,
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
    described = load_network(network)
    rows = _matched(read_figures(figures), described, figures)
    zeros = _zeros(rows)
    compared = []
    for row, layer, share in zip(rows, described.layers, zeros, strict=True):
        nest = _nest(layer, batch)
        best = best_mapping(nest, architecture, technology, share)
        if best is None:
            raise HwsimError(f"{layer.name}: no mapping fits {architecture.name}")
        used = _used(layer, best, nest, architecture)
        predicted, least = (cost_of(nest, mapping, architecture, technology, share) for mapping in (used, best))
        compared.append(
            LayerComparison(row.name, used, _columns(predicted, architecture), row.measured, best,
                            _columns(least, architecture))
        )  # fmt: skip
    return Validation(described.name, architecture.name, batch, tuple(compared))


def _nest(layer: SiliconLayer, batch: int) -> Nest:
    nest = convolution_nest(layer.model_copy(update={"batch": batch}).operator())
    if nest is None:
        raise HwsimError(f"{layer.name} is no convolution that the chip runs")
    return nest


def _used(layer: SiliconLayer, best: ChipMapping, nest: Nest, chip: RowStationaryChip) -> ChipMapping:
    """The chip's mapping, with no more images at a time than there are."""
    if layer.mapping is None:
        return best
    mapping = layer.mapping.model_copy(update={"n": min(layer.mapping.n, nest.n)})
    try:
        check(nest, mapping, chip)
    except HwsimError as error:
        raise HwsimError(f"{layer.name}: {error}") from error
    return mapping


def _zeros(rows: Sequence[LayerFigures]) -> list[Zeros]:
    """Zeros of a layer's output are those of the next layer's input; the last layer's are taken as its input's."""
    shares = [row.zeros for row in rows]
    following = [*shares[1:], shares[-1]]
    return [Zeros(own, after, raw_input=i == 0) for i, (own, after) in enumerate(zip(shares, following, strict=True))]


def _columns(cost: ChipCost, chip: RowStationaryChip) -> dict[str, float]:
    seconds = cost.cycles / chip.clock_hz
    return {
        "power": cost.chip_pj * 1e-12 / seconds,
        "processing_latency": seconds,
        "glb_bytes": float(cost.activity.buffer_words[0]) * chip.word_bits / 8,
        "dram_bytes": float(cost.activity.dram_bits[0]) / 8,
    }


def _matched(
    rows: Sequence[LayerFigures], network: SiliconNetwork, path: Path | str
) -> list[LayerFigures]:
    """Rows in the order of the network's layers: by name, or by position where names are spelled otherwise."""
    if len(rows) != len(network.layers):
        raise InputError(f"must have a row for each of the {len(network.layers)} layers of {network.name}",
                         file=path, value=len(rows))  # fmt: skip
    by_name = {_plain(row.name): row for row in rows}
    names = [_plain(layer.name) for layer in network.layers]
    return [by_name[name] for name in names] if by_name.keys() == set(names) else list(rows)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
