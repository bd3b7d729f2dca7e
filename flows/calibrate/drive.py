"""From streams of beats to what is on the ports in every cycle, and a check that the gates compute it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.simulation import Ports, Waves
from flows.calibrate.streams import Streams
from hwsim.errors import HwsimError
from rtl.pe.element import ProcessingElement

Array = NDArray[Any]


@dataclass(frozen=True)
class Schedule:
    """Ports over time; cycle 0 is the reset, which is not counted.

    Attributes
    ----------
    ports
        Values of shape ``(streams, cycles)``.
    beat
        The beat that is presented, of that shape.
    taken
        Whether it is taken in this cycle, of that shape: in the last of those in which it is presented. The last
        beat of a stream only ends it and is not counted, since what it does to the registers comes a cycle later.
    """

    ports: Ports
    beat: Array
    taken: Array

    @property
    def operations(self) -> Array:
        """Beats taken in each stream."""
        operations: Array = self.taken.sum(axis=1)
        return operations

    @property
    def beats(self) -> Array:
        """Beats of each stream that are over, idle ones included."""
        beats: Array = self.beat[:, -1]
        return beats


def schedule(pe: ProcessingElement, streams: Streams) -> Schedule:
    """Return the cycles of all streams; those of a PE that is busy for several cycles end with the shortest."""
    rows = [_cycles(pe, streams, row) for row in range(streams.shape[0])]
    length = min(len(row) for row in rows)
    beat = np.stack([row[:length] for row in rows])
    lane = np.arange(len(rows))[:, None]
    last_of_beat = np.concatenate([beat[:, 1:] != beat[:, :-1], np.zeros((len(rows), 1), bool)], axis=1)
    valid = streams.valid[lane, beat]
    last = _last(streams)
    body: Ports = {"valid": valid, "first": streams.first[lane, beat], "last": last[lane, beat]}
    body |= {name: values[lane, beat] for name, values in streams.operands.items()}
    reset = np.zeros((len(rows), 1), np.int64)
    ports = {name: np.concatenate([reset, values], axis=1) for name, values in body.items()}
    ports["rst"] = np.zeros_like(ports["valid"])
    ports["rst"][:, 0] = 1
    taken = np.concatenate([np.zeros((len(rows), 1), bool), valid & last_of_beat], axis=1)
    return Schedule(ports, np.concatenate([beat[:, :1], beat], axis=1), taken)


def _last(streams: Streams) -> Array:
    """Return where sums end: at the valid beat in front of the next that starts one."""
    last = np.zeros(streams.shape, bool)
    for row, valid in enumerate(streams.valid):
        at = np.flatnonzero(valid)
        last[row, at] = np.append(streams.first[row, at][1:], True)
    return last


def _cycles(pe: ProcessingElement, streams: Streams, row: int) -> Array:
    """Return the beat presented in each cycle: once, plus the cycles for which the beat before it keeps the PE busy."""
    busy = pe.cycles(**{name: values[row] for name, values in streams.operands.items()})
    busy = np.where(streams.valid[row], busy, 1)
    beats: Array = np.repeat(np.arange(len(busy)), np.concatenate([[1], busy[:-1]]))
    return beats


def check(pe: ProcessingElement, streams: Streams, plan: Schedule, waves: Waves) -> None:
    """Compare the first result port after every taken beat with the PE's twin.

    Raises
    ------
    HwsimError
        If they differ: netlist, cell functions or simulation are wrong, and so would the energy be.
    """
    port = next(iter(pe.results))
    shown = waves.port(waves.netlist.outputs[port], signed=False)
    width = len(waves.netlist.outputs[port])
    for row in range(streams.shape[0]):
        at = np.flatnonzero(plan.taken[row])
        beats = plan.beat[row][at]
        operands = {name: values[row][beats] for name, values in streams.operands.items()}
        expected = pe.compute(streams.first[row][beats], **operands)[port]
        when = at + pe.latency + pe.cycles(**operands) - 1
        if pe.restart == "last":
            keep = plan.ports["last"][row][at].astype(bool)
            when, expected = when[keep], expected[keep]
        inside = when < shown.shape[1]
        got, want = shown[row][when[inside]], expected[inside].astype(np.int64) & ((1 << width) - 1)
        if (got != want).any():
            where = int(np.flatnonzero(got != want)[0])
            raise HwsimError(f"gates of {pe.key} give {port} = {got[where]} where its model gives {want[where]}"
                             f" (stream {streams.names[row]}, operation {where})")  # fmt: skip
