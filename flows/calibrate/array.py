"""A systolic array running a layer: its energy predicted from what PEs and registers cost, and on its gates.

Predicted are the PEs (each on the operands that it sees, idle while the wave is elsewhere), the operand and control
lines between them, the drain registers and the result buffer: every register with its clock in every cycle, and what
moves in lines, drain and buffer. Not predicted is the array's control (counters of a dozen bits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import moves, networks, packing, storage, synthesis
from flows.calibrate.activity import activity
from flows.calibrate.library import Library
from flows.calibrate.measure import Setup
from flows.calibrate.model import fit
from flows.calibrate.netlist import Net, Netlist
from flows.calibrate.power import Prices
from flows.calibrate.rounding import rounded
from flows.calibrate.simulation import Ports, Waves, compiled, simulate
from flows.calibrate.streams import Streams
from flows.calibrate.timing import analyse
from hwsim.errors import HwsimError
from hwsim.technology.circuit import ArrayCheck, Circuit, EnergyModel
from hwsim.technology.storage import CLOCKED, ENABLED, OFFERED, STORED, WRITTEN, Moves
from rtl.array import SystolicArray

Integers = NDArray[np.int64]
MOST = 4
"""Tiles of a layer that are run."""


@dataclass(frozen=True)
class Tiles:
    """Tiles of one layer, back to back.

    Attributes
    ----------
    x, w
        Operands of shape ``(beats, rows)`` and ``(beats, columns)``.
    terms
        Beats of each tile.
    """

    x: Integers
    w: Integers
    terms: int

    @classmethod
    def of(cls, array: SystolicArray, x: Integers, w: Integers) -> Tiles:
        """Return at most `MOST` tiles of a matrix product: ``x`` is ``(rows, terms)``, ``w`` is ``(terms, outputs)``.

        What does not fill a tile is left out.
        """
        rows = [x[top : top + array.rows].T for top in range(0, len(x) - array.rows + 1, array.rows)]
        columns = [w[:, left : left + array.columns]
                   for left in range(0, w.shape[1] - array.columns + 1, array.columns)]  # fmt: skip
        pairs = [(row, column) for row in rows for column in columns][:MOST]
        return cls(np.concatenate([row for row, _ in pairs]), np.concatenate([column for _, column in pairs]), len(w))

    @staticmethod
    def fits(array: SystolicArray, x: NDArray[Any], w: NDArray[Any]) -> bool:
        """Whether the product fills a tile that takes longer to sum than to drain."""
        return len(x) >= array.rows and w.shape[1] >= array.columns and len(w) > array.latency + array.rows

    @property
    def first(self) -> NDArray[np.bool_]:
        """Where tiles start."""
        return np.asarray(np.arange(len(self.x)) % self.terms == 0)

    @property
    def last(self) -> NDArray[np.bool_]:
        """Where tiles end."""
        return np.asarray(np.roll(self.first, -1))


def checks(name: str, circuit: Circuit, array: SystolicArray, setup: Setup) -> list[ArrayCheck]:
    """Return a check of each layer of the networks that no model is fitted to and that fills a tile.

    Parameters
    ----------
    name, circuit
        The PE's name and what was measured of it.
    array
        Of these PEs, which take numbers ``x`` and ``w``.
    setup
        Where to synthesise.
    """
    if circuit.model is None or not packing.plain(array.pe):
        raise HwsimError(f"an array of {name} has no layers to run: it takes no numbers x and w")
    queue = storage.Queue(moves.buffer_words(array), array.columns, array.result_shape.width)
    models = Models(circuit.model, _storage_model(storage.Line(), setup), _storage_model(queue, setup))
    gates = Gates(array, synthesis.synthesise(array.create(), setup.library, setup.folder, setup.recipe), setup.library)
    found, formats = [], array.pe.operands
    for layer, (x, w) in networks.layers().items():
        if layer.startswith(f"{networks.FITTED}.") or not Tiles.fits(array, x, w):
            continue
        tiles = Tiles.of(array, packing.encoded(x, formats["x"]), packing.encoded(w, formats["w"]))
        parts = predicted(array, models, tiles)
        found.append(ArrayCheck(
            circuit=name, rows=array.rows, columns=array.columns, layer=layer, tiles=len(tiles.x) // tiles.terms,
            operations=len(tiles.x) * array.rows * array.columns,
            predicted_pj={part: rounded(energy) for part, energy in parts.items()},
            gates_pj=rounded(gates.energy_pj(tiles)),
        ))  # fmt: skip
    if not found:
        raise HwsimError(f"no layer of the networks fills {array.rows} x {array.columns} PEs")
    return found


def _storage_model(part: storage.Line | storage.Queue, setup: Setup) -> EnergyModel:
    netlist = synthesis.synthesise(part, setup.library, setup.folder, setup.recipe)
    return fit(part.sample(netlist, setup.library, seed=1), {})


def cycles(array: SystolicArray, tiles: Tiles) -> int:
    """Return the cycles from the first beat until the last row of results has left."""
    return array.cycles(tiles.terms, len(tiles.x) // tiles.terms) + 1


@dataclass(frozen=True)
class Models:
    """What the parts of an array cost: a PE, a bit of a line of registers, and a bit of the result buffer."""

    pe: EnergyModel
    line: EnergyModel
    queue: EnergyModel


def predicted(array: SystolicArray, models: Models, tiles: Tiles) -> dict[str, float]:
    """Return picojoules by part: ``pes``, ``lines``, ``drain`` and ``buffer``."""
    length = cycles(array, tiles)
    results = array.compute(tiles.first, tiles.last, x=tiles.x, w=tiles.w)
    return {
        "pes": _elements(array, models.pe, tiles, length), "lines": _lines(array, models.line, tiles, length),
        "drain": _drain(array, models.line, results, length), "buffer": _buffer(array, models.queue, results, length),
    }  # fmt: skip


def _elements(array: SystolicArray, model: EnergyModel, tiles: Tiles, length: int) -> float:
    total, beats = 0.0, len(tiles.x)
    for row, column in np.ndindex(array.rows, array.columns):
        at = array.distance(row, column)
        valid = np.zeros(length, bool)
        valid[at : at + beats] = True
        shown = np.clip(np.arange(length) - at, 0, beats - 1)
        operands = {"x": tiles.x[shown, row][None], "w": tiles.w[shown, column][None]}
        streams = Streams(("",), operands, (tiles.first[shown] & valid)[None], valid[None])
        rates = {name: float(rate[0]) for name, rate in activity(array.pe, streams).items()}
        total += beats * model.energy_pj(rates)
    return total


def _lines(array: SystolicArray, model: EnergyModel, tiles: Tiles, length: int) -> float:
    beats = moves.Beats(tiles.first, tiles.last, {"x": tiles.x, "w": tiles.w})
    return _of_line(model, moves.line_bits(array) * length, moves.lines(array, beats))


def _drain(array: SystolicArray, model: EnergyModel, results: Integers, length: int) -> float:
    return _of_line(model, moves.drain_bits(array) * length, moves.drain(array, results))


def _buffer(array: SystolicArray, model: EnergyModel, results: Integers, length: int) -> float:
    moved, words = moves.buffer(array, results), moves.buffer_words(array)
    clocked = words * array.columns * array.result_shape.width * length
    return model.energy_pj({CLOCKED: clocked, STORED: moved.stored, WRITTEN: moved.written * words})


def _of_line(model: EnergyModel, clocked: float, moved: Moves) -> float:
    return model.energy_pj({CLOCKED: clocked, STORED: moved.stored, OFFERED: moved.stored, ENABLED: moved.enabled})


class Gates:
    """An array as gates, ready to run layers.

    Parameters
    ----------
    array, netlist, library
        The array, and its gates in the library.
    """

    def __init__(self, array: SystolicArray, netlist: Netlist, library: Library) -> None:
        self.array, self.netlist = array, _with_fields(array, netlist)
        self._cycle = compiled(self.netlist)
        self._prices = Prices(self.netlist, analyse(self.netlist), library.voltage_v)

    def energy_pj(self, tiles: Tiles) -> float:
        """Return the picojoules from the first beat until the last row of results has left.

        Raises
        ------
        HwsimError
            If the gates do not give the product.
        """
        waves = simulate(self.netlist, _driven(self.array, tiles), self._cycle)
        self._check(waves, tiles)
        return float(self._prices.evaluate(waves).total_pj[0])

    def _check(self, waves: Waves, tiles: Tiles) -> None:
        array, outputs = self.array, self.netlist.outputs
        rows, valid = outputs["results__payload"], waves.port(outputs["results__valid"], False)[0] == 1
        bits = array.result_shape.width
        shown = np.stack([waves.port(rows[column * bits : (column + 1) * bits], True)[0][valid]
                          for column in range(array.columns)], axis=1)  # fmt: skip
        expected = array.compute(tiles.first, tiles.last, x=tiles.x, w=tiles.w).reshape(-1, array.columns)
        taken = waves.port(outputs["beats__ready"], False)[0][1 : 1 + len(tiles.x)]
        if not taken.all() or shown.shape != expected.shape or (shown != expected).any():
            raise HwsimError("gates of the array do not give the product of the layer")


def _fields(array: SystolicArray) -> dict[str, int]:
    """Return the fields of a beat and their bits, lowest first."""
    x, w = (array.pe.operand_shape(name).width for name in ("x", "w"))
    return {"first": 1, "last": 1, **{f"x{row}": x for row in range(array.rows)},
            **{f"w{column}": w for column in range(array.columns)}}  # fmt: skip


def _with_fields(array: SystolicArray, netlist: Netlist) -> Netlist:
    """Return the netlist with a port per field of a beat."""
    nets: tuple[Net, ...] = netlist.inputs["beats__payload"]
    inputs = {name: bits for name, bits in netlist.inputs.items() if name != "beats__payload"}
    start = 0
    for name, width in _fields(array).items():
        inputs[name] = nets[start : start + width]
        start += width
    return Netlist(netlist.gates, inputs, netlist.outputs)


def _driven(array: SystolicArray, tiles: Tiles) -> Ports:
    """Return what is on the ports; the first cycle is the reset."""
    length = cycles(array, tiles)
    busy = np.arange(-1, length)
    valid = (busy >= 0) & (busy < len(tiles.x))
    ports: Ports = {"beats__valid": valid[None].astype(np.int64), "results__ready": np.ones((1, length + 1), np.int64),
                    "rst": (busy < 0)[None].astype(np.int64)}  # fmt: skip
    columns = [tiles.first, tiles.last, *tiles.x.T, *tiles.w.T]
    for name, values in zip(_fields(array), columns, strict=True):
        ports[name] = np.where(busy < 0, 0, values[np.clip(busy, 0, len(values) - 1)]).astype(np.int64)[None]
    return ports
