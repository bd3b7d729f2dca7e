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

from flows.calibrate import networks, storage, synthesis
from flows.calibrate.activity import activity
from flows.calibrate.library import Library
from flows.calibrate.measure import Setup
from flows.calibrate.model import fit
from flows.calibrate.netlist import Net, Netlist
from flows.calibrate.power import Prices
from flows.calibrate.rounding import rounded
from flows.calibrate.simulation import Ports, simulate
from flows.calibrate.streams import Streams
from flows.calibrate.timing import analyse
from hwsim.errors import HwsimError
from hwsim.technology.circuit import ArrayCheck, Circuit, EnergyModel
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
    if circuit.model is None or not networks.fits(array.pe):
        raise HwsimError(f"an array of {name} has no layers to run: it takes no numbers x and w")
    queue = storage.Queue(array.buffered_tiles * array.rows, array.columns, array.result_shape.width)
    models = Models(circuit.model, _storage_model(storage.Line(), setup), _storage_model(queue, setup))
    netlist = synthesis.synthesise(array.create(), setup.library, setup.folder, setup.recipe)
    found = []
    for layer, (x, w) in networks.layers().items():
        if layer.startswith(f"{networks.FITTED}.") or not Tiles.fits(array, x, w):
            continue
        tiles = Tiles.of(array, networks.encoded(x, array.pe, "x"), networks.encoded(w, array.pe, "w"))
        parts = predicted(array, models, tiles)
        found.append(ArrayCheck(
            circuit=name, rows=array.rows, columns=array.columns, layer=layer, tiles=len(tiles.x) // tiles.terms,
            operations=len(tiles.x) * array.rows * array.columns,
            predicted_pj={part: rounded(energy) for part, energy in parts.items()},
            gates_pj=rounded(measured(array, netlist, setup.library, tiles)),
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
    """Energy of the lines of operands, of first and last, and of valid."""
    words = [(tiles.x[:, row], array.pe.operand_shape("x").width, array.distance(row, array.columns - 1))
             for row in range(array.rows)]  # fmt: skip
    words += [(tiles.w[:, column], array.pe.operand_shape("w").width, array.distance(0, column))
              for column in range(array.columns)]  # fmt: skip
    words.append((tiles.first * 2 + tiles.last, 2, array.span))
    clocked = stored = renewed = 0
    for values, bits, stages in words:
        clocked += bits * stages * length
        stored += stages * _toggled(values, bits)
        renewed += bits * stages * 2  # each stage is enabled once and disabled once
    clocked, stored = clocked + array.span * length, stored + array.span * 2
    return _priced(model, clocked, stored, stored, renewed)


def _drain(array: SystolicArray, model: EnergyModel, results: Integers, length: int) -> float:
    """Energy of the drain registers: while rows shift out, a row shows itself and all rows below, in order."""
    bits, tiles = array.result_shape.width, len(results)
    through = [results[:, row:].reshape(-1, array.columns) for row in range(array.rows)]
    moved = sum(_toggled(passing[:, column], bits) for passing in through for column in range(array.columns))
    size = array.rows * array.columns * bits
    return _priced(model, size * length, moved, moved, 2 * size * tiles)


def _buffer(array: SystolicArray, model: EnergyModel, results: Integers, length: int) -> float:
    """Energy of the result buffer: each row of results is written over the one a buffer's depth before."""
    bits, depth = array.result_shape.width, array.buffered_tiles * array.rows
    rows = results.reshape(-1, array.columns)
    stored = sum(_toggled(rows[slot::depth, column], bits) for slot in range(depth) for column in range(array.columns))
    size = depth * array.columns * bits
    return model.energy_pj({storage.CLOCKED: size * length, storage.STORED: stored, storage.WRITTEN: size * len(rows)})


def _priced(model: EnergyModel, clocked: float, stored: float, offered: float, renewed: float) -> float:
    return model.energy_pj({storage.CLOCKED: clocked, storage.STORED: stored, storage.OFFERED: offered,
                            storage.ENABLED: renewed})  # fmt: skip


def _toggled(values: NDArray[Any], bits: int) -> int:
    changed = (values[1:] ^ values[:-1]) & ((1 << bits) - 1)
    return int(np.bitwise_count(changed).sum() + np.bitwise_count(values[:1] & ((1 << bits) - 1)).sum())  # from zero


def measured(array: SystolicArray, netlist: Netlist, library: Library, tiles: Tiles) -> float:
    """Return the picojoules of the array's gates, from the first beat until the last row of results has left.

    Raises
    ------
    HwsimError
        If the gates do not give the product.
    """
    length, beats = cycles(array, tiles), len(tiles.x)
    netlist, ports = _driven(array, netlist, tiles, length)
    waves = simulate(netlist, ports)
    rows, valid = netlist.outputs["results__payload"], waves.port(netlist.outputs["results__valid"], False)[0] == 1
    bits = array.result_shape.width
    shown = np.stack([waves.port(rows[column * bits : (column + 1) * bits], True)[0][valid]
                      for column in range(array.columns)], axis=1)  # fmt: skip
    expected = array.compute(tiles.first, tiles.last, x=tiles.x, w=tiles.w).reshape(-1, array.columns)
    taken = waves.port(netlist.outputs["beats__ready"], False)[0][1 : 1 + beats]
    if not taken.all() or shown.shape != expected.shape or (shown != expected).any():
        raise HwsimError("gates of the array do not give the product of the layer")
    return float(Prices(netlist, analyse(netlist), library.voltage_v).evaluate(waves).total_pj[0])


def _driven(array: SystolicArray, netlist: Netlist, tiles: Tiles, length: int) -> tuple[Netlist, Ports]:
    """Return the netlist with a port per field of a beat, and what is on them; the first cycle is the reset."""
    fields: list[tuple[str, int, Any]] = [("first", 1, tiles.first), ("last", 1, tiles.last)]
    fields += [(f"x{row}", array.pe.operand_shape("x").width, tiles.x[:, row]) for row in range(array.rows)]
    fields += [(f"w{column}", array.pe.operand_shape("w").width, tiles.w[:, column]) for column in range(array.columns)]
    nets: tuple[Net, ...] = netlist.inputs["beats__payload"]
    inputs = {name: bits for name, bits in netlist.inputs.items() if name != "beats__payload"}
    busy = np.arange(-1, length)
    valid = (busy >= 0) & (busy < len(tiles.x))
    ports: Ports = {"beats__valid": valid[None].astype(np.int64), "results__ready": np.ones((1, length + 1), np.int64),
                    "rst": (busy < 0)[None].astype(np.int64)}  # fmt: skip
    start = 0
    for name, width, values in fields:
        inputs[name] = nets[start : start + width]
        start += width
        ports[name] = np.where(busy < 0, 0, values[np.clip(busy, 0, len(values) - 1)]).astype(np.int64)[None]
    return Netlist(netlist.gates, inputs, netlist.outputs), ports
