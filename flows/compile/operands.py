"""What an operation of a processing element costs on the operands that a program gives it, from one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.calibrate.activity import activity
from flows.calibrate.streams import Streams
from flows.compile.bundle import Bundle
from flows.compile.price import Operations
from hwsim.architecture import Programmed
from hwsim.technology import Circuit, Coefficient, Technology
from rtl.accelerator import Accelerator
from rtl.array import sides
from rtl.control import Convolution
from rtl.control.execution import Machine
from rtl.pe import catalog

ELEMENTS, BEATS = 8, 4096
"""Elements of the array that are looked at in every command, and the most beats of each."""


@dataclass
class Recorder(Machine):
    """A machine that keeps the operands of some elements in every convolution.

    Attributes
    ----------
    streams
        Of each convolution, in order.
    """

    streams: list[Streams] = field(default_factory=list)

    def operands(self, command: Convolution) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.int64]]]:
        """Return what the machine does, and keep some of it."""
        first, operands = super().operands(command)
        self.streams.append(_sampled(self.accelerator, first, operands))
        return first, operands


def _sampled(
    accelerator: Accelerator, first: NDArray[np.bool_], operands: dict[str, NDArray[np.int64]]
) -> Streams:
    """Streams of `ELEMENTS` elements, spread over the array."""
    places = np.unique(np.linspace(0, accelerator.rows * accelerator.columns - 1, ELEMENTS).astype(int))
    row, column = np.divmod(places, accelerator.columns)
    beats = min(len(first), BEATS)
    own = {name: values[:beats] for name, values in operands.items()}
    seen = {name: np.tile(own[name], (len(places), 1)) for name in sides.operands(accelerator.pe, "common")}
    seen |= {name: own[name][:, row].T for name in sides.operands(accelerator.pe, "rows")}
    seen |= {name: own[name][:, column].T for name in sides.operands(accelerator.pe, "columns")}
    shape = (len(places), beats)
    ordered = {name: seen[name] for name in accelerator.pe.operands}
    return Streams(("",) * len(places), ordered, np.broadcast_to(first[:beats], shape), np.ones(shape, bool))


def operations(bundle: Bundle, image: ArrayLike, architecture: Programmed, technology: Technology) -> Operations:
    """Return the price of an operation in every layer with a sum, by the energy model of the element's circuit.

    Nothing if the element is not exactly a circuit whose model was judged on networks.

    Parameters
    ----------
    image
        Integers ``(channels, rows, columns)``.
    """
    for name in dict.fromkeys(architecture.circuits.values()):
        circuit = technology.circuits.get(name)
        if circuit and circuit.model and _errors(circuit) and _is(circuit, bundle.accelerator):
            recorder = Recorder(bundle.accelerator, bundle.memory(image))
            recorder.run(bundle.layout.program)
            layers = groupby(_spent(bundle, circuit, recorder.streams), lambda one: one[0])
            return {number: _price(name, circuit, technology, list(own)) for number, own in layers}
    return {}


def _is(circuit: Circuit, accelerator: Accelerator) -> bool:
    return catalog.make({"kind": circuit.key, **circuit.parameters}) == accelerator.pe


def _errors(circuit: Circuit) -> list[float]:
    """Largest errors of a circuit's model on the networks that it was judged on."""
    judged = circuit.model.held_out if circuit.model else []
    return [one.max_error for one in judged if one.streams.startswith("network")]


def _spent(bundle: Bundle, circuit: Circuit, streams: list[Streams]) -> Iterator[tuple[int, int, float]]:
    """Yield of each convolution its layer, its beats, and the energy of an operation."""
    own = [(number, command.weights.steps)
           for number, command in zip(bundle.layout.owners, bundle.commands, strict=True)
           if isinstance(command, Convolution)]  # fmt: skip
    for (number, beats), seen in zip(own, streams, strict=True):
        rates = activity(bundle.accelerator.pe, seen)
        each = [circuit.model.energy_pj({name: float(rate[row]) for name, rate in rates.items()})
                for row in range(len(seen.names))] if circuit.model else []  # fmt: skip
        yield number, beats, float(np.mean(each))


def _price(
    name: str, circuit: Circuit, technology: Technology, own: list[tuple[int, int, float]]
) -> tuple[str, Coefficient]:
    number, total = own[0][0], sum(beats for _, beats, _ in own)
    changed = {
        "value": sum(beats * energy for _, beats, energy in own) / total,
        "uncertainty": max(_errors(circuit)),
        "uncertainty_basis": "largest error of the circuit's model on networks; no wires, no glitches",
        "recipe": f"energy model of circuit {name} on the operands of {ELEMENTS} elements in this layer, for one image",
    }
    return f"circuit.{name} in layer {number}", technology.coefficient(f"circuit.{name}").model_copy(update=changed)
