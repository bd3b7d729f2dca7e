"""What the operands that a program gives the array make move, and what an operation on them costs, from one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from operator import add, attrgetter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.calibrate import moves
from flows.calibrate.activity import activity
from flows.calibrate.streams import Streams
from flows.compile.bundle import Bundle
from flows.compile.pace import pace, runs
from flows.compile.price import Recorded
from flows.verify.accelerator_cycles import work
from hwsim.architecture import Programmed
from hwsim.cost.accelerator_program import Convolution as Work
from hwsim.technology import Circuit, Coefficient, Technology
from hwsim.technology.storage import Moves
from rtl.accelerator import Accelerator
from rtl.array import sides
from rtl.control import Convolution
from rtl.control.execution import Machine
from rtl.pe import catalog

ELEMENTS, BEATS = 8, 4096
"""Elements of the array that are looked at in every command, and the most beats of each, in whole sums."""
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """A convolution: its beats, what moves in the array's lines and drain and in its buffer, and some operands."""

    beats: int
    lines: Moves
    buffer: Moves
    streams: Streams


@dataclass
class Recorder(Machine):
    """A machine that keeps what there is to know of every convolution.

    Attributes
    ----------
    seen
        Of each, in order.
    """

    seen: list[Seen] = field(default_factory=list)

    def _convolve(self, command: Convolution) -> Integers:
        first, operands = self.operands(command)
        last, array = np.roll(first, -1), self.accelerator.array
        sums = array.compute(first, last, **operands)
        own = work(self.accelerator, command)
        assert isinstance(own, Work)  # noqa: S101 (of a convolution)
        beats = moves.Beats(first, last, operands, runs(own, array.rows, array.interval))
        lines = moves.lines(array, beats) + moves.drain(array, sums)
        streams = sampled(self.accelerator, operands, pace(own, array.rows, array.interval), own.sums)
        self.seen.append(Seen(own.beats, lines, moves.buffer(array, sums), streams))
        return sums.reshape(-1, array.columns)


def sampled(
    accelerator: Accelerator, operands: Mapping[str, Integers], places: NDArray[np.bool_], sums: int
) -> Streams:
    """Return streams of `ELEMENTS` elements, spread over the array, in sums that are spread over the command.

    Parameters
    ----------
    operands
        Of the array, by name.
    places
        Where there are beats in the cycles of a sum.
    sums
        In how many equal sums the beats are.
    """
    terms = int(places.sum())
    chosen = np.unique(np.linspace(0, sums - 1, min(max(BEATS // terms, 1), sums)).astype(int))
    beats = (chosen[:, None] * terms + np.maximum(np.cumsum(places) - 1, 0)).reshape(-1)
    elements = np.unique(np.linspace(0, accelerator.rows * accelerator.columns - 1, ELEMENTS).astype(int))
    row, column = np.divmod(elements, accelerator.columns)
    pe, own = accelerator.pe, {name: values[beats] for name, values in operands.items()}
    seen = {name: np.tile(own[name], (len(elements), 1)) for name in sides.operands(pe, "common")}
    seen |= {name: own[name][:, row].T for name in sides.operands(pe, "rows")}
    seen |= {name: own[name][:, column].T for name in sides.operands(pe, "columns")}
    first = np.tile(places & (np.cumsum(places) == 1), len(chosen))
    shape = (len(elements), len(beats))
    return Streams(
        ("",) * len(elements), {name: seen[name] for name in pe.operands},
        np.broadcast_to(first, shape), np.broadcast_to(np.tile(places, len(chosen)), shape),
    )  # fmt: skip


def recorded(
    bundle: Bundle, image: ArrayLike, architecture: Programmed, technology: Technology
) -> dict[int, Recorded]:
    """Return what moves in every layer with a sum, and the price of an operation in it.

    An operation has a price of its own if the element is exactly a circuit whose energy model was judged on networks.

    Parameters
    ----------
    image
        Integers ``(channels, rows, columns)``.
    """
    recorder = Recorder(bundle.accelerator, bundle.memory(image))
    recorder.run(bundle.layout.program)
    owners = [number for number, command in zip(bundle.layout.owners, bundle.commands, strict=True)
              if isinstance(command, Convolution)]  # fmt: skip
    name, circuit = _circuit(bundle.accelerator, architecture, technology)
    found = {}
    for number, group in groupby(zip(owners, recorder.seen, strict=True), lambda pair: pair[0]):
        own = [seen for _, seen in group]
        lines, buffer = (reduce(add, map(attrgetter(part), own)) for part in ("lines", "buffer"))
        operation = None
        if circuit:
            price = _price(name, circuit, bundle.accelerator, technology, own)
            operation = f"circuit.{name} in layer {number}", price
        found[number] = Recorded(lines, buffer, operation)
    return found


def _circuit(
    accelerator: Accelerator, architecture: Programmed, technology: Technology
) -> tuple[str, Circuit | None]:
    for name in dict.fromkeys(architecture.circuits.values()):
        circuit = technology.circuits.get(name)
        if circuit and circuit.model and _errors(circuit) and _is(circuit, accelerator):
            return name, circuit
    return "", None


def _is(circuit: Circuit, accelerator: Accelerator) -> bool:
    return catalog.make({"kind": circuit.key, **circuit.parameters}) == accelerator.pe


def _errors(circuit: Circuit) -> list[float]:
    """Largest errors of a circuit's model on the networks that it was judged on."""
    judged = circuit.model.held_out if circuit.model else []
    return [one.max_error for one in judged if one.streams.startswith("network")]


def _energy_pj(circuit: Circuit, accelerator: Accelerator, streams: Streams) -> float:
    """Energy of an operation without the clock of the cycles between operations, which is charged apart."""
    assert circuit.model is not None  # noqa: S101 (`_circuit` chose one with a model)
    rates = activity(accelerator.pe, streams)
    rates["cycles"] = rates["cycles"] - (~streams.valid).sum(axis=1) / streams.valid.sum(axis=1)
    each = [{name: float(rate[row]) for name, rate in rates.items()} for row in range(len(streams.names))]
    return float(np.mean([circuit.model.energy_pj(one) for one in each]))


def _price(
    name: str, circuit: Circuit, accelerator: Accelerator, technology: Technology, own: list[Seen]
) -> Coefficient:
    total = sum(seen.beats * _energy_pj(circuit, accelerator, seen.streams) for seen in own)
    changed = {
        "value": total / sum(seen.beats for seen in own),
        "uncertainty": max(_errors(circuit)),
        "uncertainty_basis": "largest error of the circuit's model on networks; no wires, no glitches",
        "recipe": f"energy model of circuit {name} on the operands of {ELEMENTS} elements in this layer, for one image",
    }
    return technology.coefficient(f"circuit.{name}").model_copy(update=changed)
