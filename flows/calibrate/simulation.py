"""Zero-delay simulation of a gate netlist: many streams at once, one bit of an integer each."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import boolean
from flows.calibrate.netlist import Gate, Net, Netlist
from hwsim.errors import HwsimError

LANES = 64
"""Streams that fit one simulation."""

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]
Ports = dict[str, NDArray[Any]]
"""Integers on each input port, of shape ``(lanes, cycles)``."""
Cycle = Callable[[tuple[int, ...], tuple[int, ...], int], tuple[tuple[int, ...], tuple[int, ...]]]
"""From inputs, state and a word of ones to all nets and the next state."""


@dataclass(frozen=True)
class Waves:
    """The settled value of every net in every cycle.

    Attributes
    ----------
    netlist
        Whose.
    words
        Shape ``(cycles, nets)``; bit ``l`` of a word is lane ``l``; nets in the order of ``netlist.nets``.
    states
        Shape ``(cycles, registers)``: what the registers hold.
    lanes
        Streams.
    """

    netlist: Netlist
    words: Words
    states: Words
    lanes: int

    @cached_property
    def _column(self) -> dict[int, int]:
        return {net: column for column, net in enumerate(self.netlist.nets)}

    def bits(self, net: Net) -> Bits:
        """Return a net as zeros and ones of shape ``(cycles, lanes)``."""
        if isinstance(net, str):
            return np.full((len(self.words), self.lanes), int(net), np.uint8)
        return _unpack(self.words[:, self._column[net]], self.lanes)

    def state(self, register: int) -> Bits:
        """Return what register number ``register`` holds, of shape ``(cycles, lanes)``."""
        return _unpack(self.states[:, register], self.lanes)

    def port(self, nets: tuple[Net, ...], signed: bool) -> NDArray[np.int64]:
        """Return the integers on a port, of shape ``(lanes, cycles)``."""
        total = np.zeros((len(self.words), self.lanes), np.int64)
        for position, net in enumerate(nets):
            weight = -(1 << position) if signed and position == len(nets) - 1 else 1 << position
            total += self.bits(net).astype(np.int64) * weight
        return total.T

    def toggles(self) -> NDArray[np.int64]:
        """Return how often each net toggles in each lane, of shape ``(nets, lanes)``."""
        changed = self.words[1:] ^ self.words[:-1]
        return np.stack([_unpack(column, self.lanes).sum(axis=0, dtype=np.int64) for column in changed.T])


def _unpack(words: Words, lanes: int) -> Bits:
    octets = np.ascontiguousarray(words, "<u8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, :lanes]


def simulate(netlist: Netlist, ports: Ports, cycle: Cycle | None = None) -> Waves:
    """Return the waves of all cycles; registers hold zero in the first.

    Parameters
    ----------
    netlist, ports
        The gates, and what drives them.
    cycle
        What `compiled` gives for the netlist, where it is simulated several times.

    Raises
    ------
    HwsimError
        If an input port is not driven: its nets, and what they drive, would have no toggles.
    """
    missing = sorted(netlist.inputs.keys() - ports.keys())
    if missing:
        raise HwsimError(f"input ports {', '.join(missing)} are not driven: their nets would not be annotated")
    lanes, cycles = next(iter(ports.values())).shape
    if lanes > LANES:
        raise HwsimError(f"at most {LANES} streams fit a simulation, not {lanes}")
    cycle = cycle or compiled(netlist)
    ones = (1 << lanes) - 1
    state, nets, states = (0,) * netlist.registers, [], []
    for inputs in zip(*(row for name, bits in netlist.inputs.items() for row in _pack(ports[name], len(bits))),
                      strict=True):  # fmt: skip
        states.append(state)
        values, state = cycle(inputs, state, ones)
        nets.append(values)
    words = np.array(nets, np.uint64).reshape(cycles, len(netlist.nets))
    return Waves(netlist, words, np.array(states, np.uint64).reshape(cycles, netlist.registers), lanes)


def _pack(values: NDArray[Any], bits: int) -> list[list[int]]:
    """Return for each bit of a port one word per cycle, whose bits are the lanes."""
    lanes = np.arange(len(values), dtype=np.uint64)[:, None]
    wide = values.astype(np.int64).view(np.uint64)
    one = np.uint64(1)
    return [np.bitwise_or.reduce((wide >> np.uint64(b) & one) << lanes, axis=0).tolist() for b in range(bits)]


def compiled(netlist: Netlist) -> Cycle:
    """Return a Python function that settles all nets: ``(inputs, state, ones) -> (nets, next state)``."""
    ones = ast.Name("ones", ast.Load())
    inputs = [net for bits in netlist.inputs.values() for net in bits]
    registers = [gate for gate in netlist.gates if gate.cell.register]
    body: list[ast.stmt] = [
        ast.Assign([_targets([f"n{net}" for net in inputs])], ast.Name("inputs", ast.Load())),
        ast.Assign([_targets([f"q{index}" for index in range(len(registers))])], ast.Name("state", ast.Load())),
    ]
    for index, gate in enumerate(netlist.gates):
        names = _names(gate, index, ones)
        for pin, function in gate.cell.outputs.items():
            if pin in gate.pins:
                value = boolean.python(function, names, ones)
                body.append(ast.Assign([ast.Name(f"n{gate.pins[pin]}", ast.Store())], value))
    held = [_next(gate, _names(gate, index, ones), ones) for index, gate in enumerate(registers)]
    nets: list[ast.expr] = [ast.Name(f"n{net}", ast.Load()) for net in netlist.nets]
    body.append(ast.Return(ast.Tuple([ast.Tuple(nets, ast.Load()), ast.Tuple(held, ast.Load())], ast.Load())))
    cycle: Cycle = boolean.compiled("cycle", ("inputs", "state", "ones"), body)
    return cycle


def _targets(names: list[str]) -> ast.expr:
    return ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())


def _names(gate: Gate, index: int, ones: ast.expr) -> dict[str, ast.expr]:
    """Return what the pins and states of a gate are called in the function."""
    names: dict[str, ast.expr] = {
        pin: ast.Name(f"n{net}", ast.Load()) if isinstance(net, int) else ones if net == "1" else ast.Constant(0)
        for pin, net in gate.pins.items()
    }
    if gate.cell.register:
        state = ast.Name(f"q{index}", ast.Load())
        names[gate.cell.register.state] = state
        names[gate.cell.register.inverse] = ast.BinOp(state, ast.BitXor(), ones)
    return names


def _next(gate: Gate, names: dict[str, ast.expr], ones: ast.expr) -> ast.expr:
    register = gate.cell.register
    assert register is not None  # noqa: S101 (the caller passes registers)
    value = boolean.python(register.next_state, names, ones)
    if register.preset:
        value = ast.BinOp(value, ast.BitOr(), boolean.python(register.preset, names, ones))
    if register.clear:
        keep = ast.BinOp(boolean.python(register.clear, names, ones), ast.BitXor(), ones)
        value = ast.BinOp(value, ast.BitAnd(), keep)
    return value
