"""Glitches: the same gates with a delay of one step each, where a zero-delay simulation sees only where they settle."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np

from flows.calibrate import boolean
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.simulation import Ports, Waves, simulate

Values = tuple[int, ...]


def glitch_factor(prices: Prices, ports: Ports) -> float:
    """Return the energy with unit delays over the energy without delays; what the clock costs is in neither."""
    settled = simulate(prices.netlist, ports)
    with_delays, without = (prices.evaluate(waves) for waves in (unit_delay(settled), settled))
    moved, ideal = (float((power.total_pj - power.clock_pj).sum()) for power in (with_delays, without))
    return moved / ideal


def unit_delay(settled: Waves) -> Waves:
    """Return waves with a row per step: inputs and registers change, then every gate a step after its inputs.

    Parameters
    ----------
    settled
        The waves of a zero-delay simulation: what inputs and registers hold in every cycle.
    """
    netlist, lanes = settled.netlist, settled.lanes
    step = _compile(netlist)
    sources = sum(len(bits) for bits in netlist.inputs.values())
    sources += sum(pin in gate.pins for gate in netlist.gates if gate.cell.register for pin in gate.cell.outputs)
    rows, states = [tuple(settled.words[0].tolist())], [settled.states[0]]
    for cycle in range(1, len(settled.words)):
        now: Values = (*settled.words[cycle, :sources].tolist(), *rows[-1][sources:])
        while True:
            rows.append(now)
            states.append(settled.states[cycle])
            after = step(now, (1 << lanes) - 1)
            if after == now:
                break
            now = after
    return Waves(netlist, np.array(rows, np.uint64), np.array(states), lanes)


def _compile(netlist: Netlist) -> Callable[[Values, int], Values]:
    """Return a function from all nets, in the order of ``netlist.nets``, to all nets a step later."""
    ones = ast.Name("ones", ast.Load())
    after: dict[int, ast.expr] = {net: ast.Name(f"n{net}", ast.Load()) for net in netlist.nets}
    for gate in netlist.gates:
        if gate.cell.register:
            continue
        names: dict[str, ast.expr] = {
            pin: ast.Name(f"n{net}", ast.Load()) if isinstance(net, int) else ones if net == "1" else ast.Constant(0)
            for pin, net in gate.pins.items()
        }
        for pin, function in gate.cell.outputs.items():
            if isinstance(net := gate.pins.get(pin), int):
                after[net] = boolean.python(function, names, ones)
    targets: list[ast.expr] = [ast.Name(f"n{net}", ast.Store()) for net in netlist.nets]
    body: list[ast.stmt] = [
        ast.Assign([ast.Tuple(targets, ast.Store())], ast.Name("nets", ast.Load())),
        ast.Return(ast.Tuple(list(after.values()), ast.Load())),
    ]
    made: Callable[[Values, int], Values] = boolean.compiled("step", ("nets", "ones"), body)
    return made
