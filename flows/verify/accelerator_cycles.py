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
from rtl.memory import Nest


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
        memory_interval=memory.interval,
    )


def work(accelerator: Accelerator, command: Command) -> cost.Work:
    """Return what the cycle model has to know of a command."""
    waits, touched = command.wait_for_loads, accesses(command)
    if isinstance(command, Convolution):
        return _convolution(accelerator, command)
    if isinstance(command, Pooling):
        windows, words = math.prod(command.read.counts[:3]), math.prod(command.read.counts[3:])
        residual = command.post.residual is not None
        return cost.Pooling(windows, words, accelerator.slices, residual, waits, touched)
    if isinstance(command, Load):
        words = command.count * accelerator.port_words(command.target)
        return cost.Load(words, command.background, waits, touched)
    if isinstance(command, Store):
        return cost.Store(command.read.steps * accelerator.port_words("activations"), waits, touched)
    return cost.Halt(waits)


def accesses(command: Command) -> cost.Accesses:
    """Return the words that a command reads and writes in the scratchpads."""
    if isinstance(command, Load):
        return cost.Accesses(**{f"{command.target.removesuffix('s')}_writes": command.count})
    if isinstance(command, Store):
        return cost.Accesses(activation_reads=inside(command.read))
    if not isinstance(command, Convolution | Pooling):
        return cost.Accesses()
    post, rows, placed = command.post, command.write.steps, inside(command.write)
    return cost.Accesses(
        activation_reads=inside(command.read),
        activation_writes=0 if post.sums_write else placed,
        residual_reads=0 if post.residual is None else placed,
        weight_reads=command.weights.steps if isinstance(command, Convolution) else 0,
        parameter_reads=rows,
        sum_reads=rows if post.sums_read else 0,
        sum_writes=rows if post.sums_write else 0,
    )


def inside(nest: Nest) -> int:
    """Return how many steps of a nest are no padding; only loops that move a coordinate are walked."""
    moving = [any(coordinate.strides[loop] for coordinate in nest.coordinates) for loop in range(len(nest.counts))]
    walked = tuple(count if moves else 1 for count, moves in zip(nest.counts, moving, strict=True))
    still = math.prod(count for count, moves in zip(nest.counts, moving, strict=True) if not moves)
    return still * int(nest.model_copy(update={"counts": walked}).compute()["inside"].sum())


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
        accesses=accesses(command),
    )


def _beat_cycles(accelerator: Accelerator, common: int) -> int:
    """Cycles that the PE needs for a beat with these common operands."""
    operands = {name: np.zeros(1, np.int64) for name in accelerator.pe.operands}
    for name, form in sides.operands(accelerator.pe, "common").items():
        operands[name][:] = common & ((1 << shapes.width(form)) - 1)
        common >>= shapes.width(form)
    return int(accelerator.pe.cycles(**operands)[0])
