"""The cycle model of `hwsim.cost` for programs of an accelerator in ``rtl``."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from flows.verify.accelerator import Memory
from hwsim.cost import accelerator_program as cost
from rtl import shapes
from rtl.accelerator import Accelerator
from rtl.array import sides
from rtl.control.command import Command, Convolution, Load, Pooling, Store


def timing(accelerator: Accelerator, memory: Memory) -> cost.ProgramTiming:
    """Return the timing parameters of an accelerator whose external memory never stalls."""
    return cost.ProgramTiming(
        rows=accelerator.rows,
        columns=accelerator.columns,
        element_latency=accelerator.pe.latency,
        buffered_tiles=accelerator.buffered_tiles,
        write_latency=accelerator.writer.latency,
        command_words=accelerator.command_words,
        burst=accelerator.burst,
        memory_latency=memory.latency,
    )


def work(accelerator: Accelerator, command: Command) -> cost.Work:
    """Return what the cycle model has to know of a command."""
    waits = command.wait_for_loads
    if isinstance(command, Convolution):
        return _convolution(accelerator, command)
    if isinstance(command, Pooling):
        windows, words = math.prod(command.read.counts[:3]), math.prod(command.read.counts[3:])
        residual = command.post.residual is not None
        return cost.Pooling(windows, words, accelerator.slices, residual, waits)
    if isinstance(command, Load):
        words = command.count * accelerator.port_words(command.target)
        return cost.Load(words, command.background, waits)
    if isinstance(command, Store):
        return cost.Store(command.read.steps * accelerator.port_words("activations"), waits)
    return cost.Halt(waits)


def predict(accelerator: Accelerator, commands: Iterable[Command], memory: Memory) -> cost.Counters:
    """Return the counters at the end of a program."""
    works = [work(accelerator, command) for command in commands]
    return sum(timing(accelerator, memory).run(works), cost.Counters())


def _convolution(accelerator: Accelerator, command: Convolution) -> cost.Convolution:
    counts, elements = command.read.counts, command.elements
    words = []
    for word in range(counts[5]):
        first = command.lane_first if word == 0 else 0
        last = command.lane_last if word == counts[5] - 1 else accelerator.lanes - 1
        words.append((first // elements, (last + 1 - first) // elements))
    return cost.Convolution(
        sums=math.prod(counts[:3]),
        positions=counts[3] * counts[4],
        words=tuple(words),
        beat_cycles=_beat_cycles(accelerator, command.common),
        residual=command.post.residual is not None,
        wait_for_loads=command.wait_for_loads,
    )


def _beat_cycles(accelerator: Accelerator, common: int) -> int:
    """Cycles that the PE needs for a beat with these common operands."""
    operands = {name: np.zeros(1, np.int64) for name in accelerator.pe.operands}
    for name, form in sides.operands(accelerator.pe, "common").items():
        operands[name][:] = common & ((1 << shapes.width(form)) - 1)
        common >>= shapes.width(form)
    return int(accelerator.pe.cycles(**operands)[0])
