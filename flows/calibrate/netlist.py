"""A gate netlist: cells of a library and the nets between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from flows.calibrate.library import Cell, Library
from hwsim.errors import HwsimError

Net = int | str
"""A number or, of a constant, ``"0"`` or ``"1"``."""

CLOCK = "clk"


@dataclass(frozen=True)
class Gate:
    """A cell in the netlist; ``pins`` maps its connected pins to nets."""

    name: str
    cell: Cell
    pins: dict[str, Net]


@dataclass(frozen=True)
class Netlist:
    """Gates, in an order in which each combinational gate follows those that drive it; registers come first.

    Attributes
    ----------
    gates
        All cells.
    inputs, outputs
        Ports of the design without the clock: nets, lowest bit first.
    """

    gates: tuple[Gate, ...]
    inputs: dict[str, tuple[Net, ...]]
    outputs: dict[str, tuple[Net, ...]]

    @classmethod
    def of(cls, module: dict[str, Any], library: Library) -> Netlist:
        """Return the netlist of a module in yosys' JSON.

        Raises
        ------
        HwsimError
            If a cell is unknown or of a kind that is not simulated, a net has no driver or two, or gates form a loop.
        """
        gates = [_gate(name, cell, library) for name, cell in sorted(module["cells"].items())]
        ports = {
            side: {name: tuple(port["bits"]) for name, port in module["ports"].items() if port["direction"] == side}
            for side in ("input", "output")
        }
        clock = ports["input"].pop(CLOCK, ())
        _check_clock(gates, clock)
        netlist = cls(_ordered(gates), ports["input"], ports["output"])
        _check_drivers(netlist)
        return netlist

    @cached_property
    def nets(self) -> tuple[int, ...]:
        """Every net that is not the clock or a constant: inputs, then gate outputs in order."""
        driven = [net for bits in self.inputs.values() for net in bits]
        driven += [gate.pins[pin] for gate in self.gates for pin in gate.cell.outputs if pin in gate.pins]
        return tuple(net for net in driven if isinstance(net, int))

    @cached_property
    def load_pf(self) -> dict[int, float]:
        """Capacitance of the input pins on each net; wires are not in it."""
        loads = dict.fromkeys(self.nets, 0.0)
        for gate in self.gates:
            for pin, capacitance in gate.cell.inputs.items():
                net = gate.pins.get(pin)
                if isinstance(net, int) and pin != gate.cell.clock_pin:
                    loads[net] += capacitance
        return loads

    @property
    def area_um2(self) -> float:
        """Sum of the cells' areas."""
        return sum(gate.cell.area_um2 for gate in self.gates)

    @property
    def leakage_nw(self) -> float:
        """Sum of the cells' leakage."""
        return sum(gate.cell.leakage_nw for gate in self.gates)

    @property
    def registers(self) -> int:
        """How many flip-flops there are."""
        return sum(gate.cell.register is not None for gate in self.gates)


def _gate(name: str, described: dict[str, Any], library: Library) -> Gate:
    cell = library.cell(described["type"])
    pins = {pin: bits[0] for pin, bits in described["connections"].items() if bits}
    for pin in cell.inputs:
        if pins.get(pin, "x") in ("x", "z"):
            raise HwsimError(f"gate {name}: input {cell.name}.{pin} is connected to nothing")
    if not cell.outputs:
        raise HwsimError(f"gate {name}: cell {cell.name} has no output with a function, which simulation needs")
    return Gate(name, cell, pins)


def _check_clock(gates: list[Gate], clock: tuple[Net, ...]) -> None:
    for gate in gates:
        register = gate.cell.register
        if register is None:
            continue
        if "!" in register.clock or gate.pins[gate.cell.clock_pin] not in clock:
            raise HwsimError(f"gate {gate.name}: {gate.cell.name} is not clocked by the rising edge of {CLOCK}")


def _ordered(gates: list[Gate]) -> tuple[Gate, ...]:
    registers = [gate for gate in gates if gate.cell.register]
    combinational = [gate for gate in gates if not gate.cell.register]
    driver = {gate.pins[pin]: gate for gate in combinational for pin in gate.cell.outputs if pin in gate.pins}
    by_name = {gate.name: gate for gate in combinational}
    before = {
        gate.name: [driver[net].name for pin in gate.cell.inputs if (net := gate.pins[pin]) in driver]
        for gate in combinational
    }
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise HwsimError(f"gates {', '.join(error.args[1])} form a combinational loop") from error
    return (*registers, *(by_name[name] for name in order))


def _check_drivers(netlist: Netlist) -> None:
    drivers = Counter(netlist.nets)
    used = {net for gate in netlist.gates for pin in gate.cell.inputs if pin != gate.cell.clock_pin
            for net in [gate.pins[pin]]} | {net for bits in netlist.outputs.values() for net in bits}  # fmt: skip
    for net in used:
        if isinstance(net, int) and drivers[net] != 1:
            raise HwsimError(f"net {net} has {drivers[net]} drivers; it must have one to be annotated")
