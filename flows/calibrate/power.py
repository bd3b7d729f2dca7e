"""Energy of simulated gates: every transition of every gate, priced with the library's tables.

A gate's inputs (and, of a flip-flop, its state) before and after a cycle are a pair of small integers. For each pair
the cell says which of its energy tables apply (`_weights`); the gate's slews and load turn these into picojoules. So
a cycle of a gate costs one look-up, conditions (``when``), negative energies and clock edges without change included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import boolean
from flows.calibrate.library import Cell, Energy
from flows.calibrate.netlist import Gate, Netlist
from flows.calibrate.simulation import Waves
from flows.calibrate.timing import EDGES, Timing, causes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Power:
    """Dynamic energy of each lane in picojoules, over all cycles; arrays of shape ``(lanes,)``.

    Attributes
    ----------
    internal_pj
        Inside the cells, without what the clock's edges cost.
    switching_pj
        Charging the input pins that gates drive.
    clock_cell_pj
        What both edges of the clock cost inside the flip-flops, changed or not.
    clock_pin_pj
        Charging the clock pins; the clock tree is not in it.
    input_pj
        Charging the pins that the input ports drive; whoever drives the ports pays it.
    """

    internal_pj: Floats
    switching_pj: Floats
    clock_cell_pj: Floats
    clock_pin_pj: Floats
    input_pj: Floats

    @property
    def total_pj(self) -> Floats:
        """Everything."""
        return self.internal_pj + self.switching_pj + self.clock_pj + self.input_pj

    @property
    def clock_pj(self) -> Floats:
        """All that the clock costs."""
        return self.clock_cell_pj + self.clock_pin_pj


class Prices:
    """The energy tables of every gate of a netlist.

    Parameters
    ----------
    netlist, timing, voltage_v
        The gates, their slews, and the supply.
    """

    def __init__(self, netlist: Netlist, timing: Timing, voltage_v: float) -> None:
        self.netlist, self.voltage_v = netlist, voltage_v
        cells = {gate.cell.name: gate.cell for gate in netlist.gates}
        weights = {name: _weights(cell) for name, cell in cells.items()}
        self._tables = [_priced(gate, weights[gate.cell.name], netlist, timing) for gate in netlist.gates]

    def evaluate(self, waves: Waves) -> Power:
        """Return the energy of the cycles after the first."""
        cycles = len(waves.words) - 1
        internal, in_cells, on_pins = (np.zeros(waves.lanes) for _ in range(3))
        for index, gate in enumerate(self.netlist.gates):
            inside, edges = self.inside(index, waves)
            internal += inside
            in_cells += edges
            if gate.cell.register:
                on_pins += gate.cell.inputs[gate.cell.clock_pin] * self.voltage_v**2 * cycles
        charge = np.array([self.netlist.load_pf[net] for net in self.netlist.nets]) * self.voltage_v**2 / 2
        spent = charge[:, None] * waves.toggles()
        ports = sum(len(bits) for bits in self.netlist.inputs.values())
        return Power(internal, spent[ports:].sum(axis=0), in_cells, on_pins, spent[:ports].sum(axis=0))

    def inside(self, index: int, waves: Waves) -> tuple[Floats, Floats]:
        """Return what gate number ``index`` draws beyond its load: without, and by, the clock's edges."""
        pairs = _pairs(self.netlist.gates[index], index, waves)
        changes, edges = self._tables[index]
        return _summed(changes, pairs), _summed(edges, pairs)


def _summed(table: Floats, pairs: NDArray[np.uint32]) -> Floats:
    """Return what the pairs of each lane cost together; many tables of edges are zero throughout."""
    return np.asarray(table[pairs].sum(axis=0)) if table.any() else np.zeros(pairs.shape[1])


def _variables(cell: Cell) -> list[str]:
    """Return what a gate's code is made of: pins other than the clock, lowest bit first, then the state."""
    pins = [pin for pin in cell.inputs if pin != cell.clock_pin]
    return [*pins, cell.register.state] if cell.register else pins


def _pairs(gate: Gate, index: int, waves: Waves) -> NDArray[np.uint32]:
    """Return ``before << n | after`` of shape ``(cycles - 1, lanes)``, for a gate of ``n`` variables."""
    variables = _variables(gate.cell)
    code = np.zeros((len(waves.words), waves.lanes), np.uint32)
    for position, name in enumerate(variables):
        state = gate.cell.register is not None and name == gate.cell.register.state
        code |= (waves.state(index) if state else waves.bits(gate.pins[name])).astype(np.uint32) << position
    return code[:-1] << np.uint32(len(variables)) | code[1:]


@dataclass(frozen=True)
class _Weights:
    """How much of each energy's rise and fall each pair of codes costs, shapes ``(energies, pairs)``."""

    rise: Floats
    fall: Floats
    of_clock: NDArray[np.bool_]


def _priced(gate: Gate, weights: _Weights, netlist: Netlist, timing: Timing) -> tuple[Floats, Floats]:
    """Return the picojoules of each pair of codes: without, and by, the clock's edges."""
    up, down = (
        np.array([_energy(gate, energy, edge, netlist, timing) for energy in gate.cell.energies])
        for edge in ("rise", "fall")
    )
    total = up[:, None] * weights.rise + down[:, None] * weights.fall
    return total[~weights.of_clock].sum(axis=0), total[weights.of_clock].sum(axis=0)


def _energy(gate: Gate, energy: Energy, edge: str, netlist: Netlist, timing: Timing) -> float:
    """Return the picojoules of one edge.

    Slews end where the table does: a layout buffers what is slower, such as an enable of a whole word, and energies
    extrapolated to it would dwarf all others.
    """
    table = energy.rise if edge == "rise" else energy.fall
    net = gate.pins.get(energy.pin)
    if table is None or not isinstance(net, int):
        return 0.0
    if energy.pin in gate.cell.inputs:
        return table.at(slew=table.within(timing.slew(net, edge)), load=0.0)
    related = gate.pins.get(energy.related, "")  # nothing is known of what moves the output: the ideal slew
    arcs = (arc for arc in gate.cell.arcs if (arc.pin, arc.related) == (energy.pin, energy.related))
    by = {cause for arc in arcs for cause in causes(arc, edge)} or set(EDGES)
    slew = sum(timing.slew(related, cause) for cause in sorted(by)) / len(by)
    return table.at(slew=table.within(slew), load=netlist.load_pf[net])


def _weights(cell: Cell) -> _Weights:
    variables = _variables(cell)
    codes = np.arange(1 << len(variables))
    old = _values(cell, variables, np.repeat(codes, len(codes)))
    new = _values(cell, variables, np.tile(codes, len(codes)))
    rise, fall = (np.zeros((len(cell.energies), len(codes) ** 2)) for _ in range(2))
    groups: dict[tuple[str, str], list[int]] = {}
    for index, energy in enumerate(cell.energies):
        groups.setdefault((energy.pin, energy.supply), []).append(index)
    for (pin, _), members in groups.items():
        energies = [cell.energies[index] for index in members]
        if pin == cell.clock_pin:
            rise[members], fall[members] = _conditional(energies, old), _conditional(energies, new)
        elif pin in cell.inputs:
            share = _conditional(energies, new)
            rise[members], fall[members] = share * (~old[pin] & new[pin]), share * (old[pin] & ~new[pin])
        elif pin in cell.outputs:
            share = _attributed(cell, energies, old, new)
            rise[members], fall[members] = share * (~old[pin] & new[pin]), share * (old[pin] & ~new[pin])
    of_clock = np.array([energy.pin == cell.clock_pin for energy in cell.energies])
    return _Weights(rise, fall, of_clock)


def _values(cell: Cell, variables: list[str], codes: NDArray[np.intp]) -> dict[str, Bools]:
    """Return every pin and state for each code; the clock is high, since inputs change behind its rising edge."""
    values: dict[str, Bools] = {name: (codes >> bit & 1).astype(bool) for bit, name in enumerate(variables)}
    if cell.register:
        values[cell.clock_pin] = np.ones(len(codes), bool)
        values[cell.register.inverse] = ~values[cell.register.state]
    return values | {pin: boolean.evaluate(function, values) for pin, function in cell.outputs.items()}


def _conditional(energies: list[Energy], values: dict[str, Bools]) -> Floats:
    """Return which energies of an input apply: those whose condition holds, else those without one."""
    holds = np.array([_holds(energy, values) for energy in energies], float)
    plain = np.array([not energy.when for energy in energies])
    return np.where(holds.sum(axis=0) > 0, holds, plain[:, None])


def _attributed(cell: Cell, energies: list[Energy], old: dict[str, Bools], new: dict[str, Bools]) -> Floats:
    """Return the shares, one in all, of the energies of an output that changes.

    Preferred are energies of an input that changed, whose condition holds; then those of an input that changed
    and have no condition; then any of an input that changed; then all. Within a preference they share equally.
    """
    size = len(new[next(iter(cell.outputs))])
    moved = np.array([
        np.ones(size, bool) if energy.related in ("", cell.clock_pin) else old[energy.related] ^ new[energy.related]
        for energy in energies
    ])  # fmt: skip
    holds = np.array([_holds(energy, new) for energy in energies])
    plain = np.array([not energy.when for energy in energies])[:, None]
    share: Floats = np.ones(moved.shape)
    for preference in (moved, moved & plain, moved & holds):
        share = np.where(preference.any(axis=0), preference, share)
    share /= share.sum(axis=0)
    return share


def _holds(energy: Energy, values: dict[str, Bools]) -> Bools:
    size = len(next(iter(values.values())))
    if not energy.when:
        return np.zeros(size, bool)
    return np.broadcast_to(boolean.evaluate(energy.when, values), size)
