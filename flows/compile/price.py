"""What a program costs, layer by layer: its commands through the exact cycle model, times energies of what they do."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from flows.calibrate import moves
from flows.compile.bundle import Bundle
from flows.compile.operators import Term
from flows.compile.pace import runs
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import timing, work
from hwsim.architecture import Programmed
from hwsim.cost.accelerator_program import Accesses, Convolution, Counters, Work
from hwsim.cost.programmed import Execution, Silicon, price
from hwsim.cost.result import OperatorCost
from hwsim.errors import InputError
from hwsim.files import validate
from hwsim.technology import Coefficient, Technology
from hwsim.technology.storage import Moves
from rtl.accelerator import Accelerator
from rtl.array import SystolicArray
from rtl.control import Command

TRANSFERS = "input and output"
Step = tuple[Work, Counters]
"""What the cycle model knows of a command, and what it counts."""


def accelerator_of(architecture: Programmed) -> Accelerator:
    """Return the configuration of an architecture.

    Raises
    ------
    InputError
        If it is none of ``rtl.accelerator``.
    """
    return validate(architecture.accelerator.model_dump(), Accelerator, file=architecture.name)


def silicon(accelerator: Accelerator) -> Silicon:
    """Return what the hardware consists of."""
    array = accelerator.array
    return Silicon(
        {name: (pad.depth, pad.width) for name, pad in accelerator.memories.items()},
        moves.line_bits(array) + moves.drain_bits(array), moves.buffer_words(array), array.row_layout.size,
    )  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """What is known of a layer by running it.

    Attributes
    ----------
    lines, buffer
        What moves in the array's lines and drain, and in its result buffer.
    operation
        Key and price of an element's operation.
    """

    lines: Moves
    buffer: Moves
    operation: tuple[str, Coefficient] | None = None


def costs(
    bundle: Bundle, architecture: Programmed, technology: Technology, recorded: Mapping[int, Recorded] | None = None
) -> tuple[OperatorCost, ...]:
    """Return the cost of every layer of a program, and of the transfers of images at its begin and end.

    Parameters
    ----------
    recorded
        What is known of layers, by number; of others, half of the bits change whenever they may.

    Raises
    ------
    HwsimError
        If the program is for another configuration, or the technology lacks a coefficient.
    """
    _same(bundle.accelerator, accelerator_of(architecture), architecture.name)
    parts = silicon(bundle.accelerator)
    return tuple(
        price(one, parts, architecture, technology)
        for one in executions(bundle, architecture.memory_latency, recorded or {})
    )


def executions(bundle: Bundle, memory_latency: int, recorded: Mapping[int, Recorded]) -> list[Execution]:
    """Return what each layer does, in order, and the transfers of images last."""
    own = defaultdict[int, list[Step]](list)
    every = steps(bundle.accelerator, bundle.commands, memory_latency)
    for owner, step in zip(bundle.layout.owners, every, strict=True):
        own[owner].append(step)
    array = bundle.accelerator.array
    found = [
        execution(array, own[number], layer.name, layer.term, layer.macs, layer.bits, recorded.get(number))
        for number, layer in enumerate(bundle.layout.layers)
    ]
    return [*found, execution(array, own[-1], TRANSFERS, None, 0, _image_bits(bundle))]


def steps(accelerator: Accelerator, commands: Sequence[Command], memory_latency: int) -> list[Step]:
    """Return what the cycle model knows of each command of a program, and what it counts."""
    works = [work(accelerator, command) for command in commands]
    return list(zip(works, timing(accelerator, Memory(memory_latency)).run(works), strict=True))


def execution(
    array: SystolicArray, own: Sequence[Step], name: str, term: Term | None, macs: int, bits: int,
    recorded: Recorded | None = None,
) -> Execution:  # fmt: skip
    """Return what some commands do together."""
    convolutions = [one for one, _ in own if isinstance(one, Convolution)]
    known = recorded or _unknown(array, convolutions)
    return Execution(
        name, term, macs, bits, counters=reduce(add, (counters for _, counters in own), Counters()),
        accesses=reduce(add, (one.accesses for one, _ in own), Accesses()),
        busy_cycles=sum(one.beats * one.beat_cycles for one in convolutions),
        lines=known.lines, buffer=known.buffer, operation=known.operation,
    )  # fmt: skip


def _unknown(array: SystolicArray, convolutions: Sequence[Convolution]) -> Recorded:
    lines = buffer = Moves()
    for one in convolutions:
        of_lines, of_buffer = moves.unknown(array, one.beats, one.sums, runs(one, array.rows, array.interval))
        lines, buffer = lines + of_lines, buffer + of_buffer
    return Recorded(lines, buffer)


def _image_bits(bundle: Bundle) -> int:
    ports = bundle.layout.input, bundle.layout.output
    return sum(math.prod(port.shape) for port in ports) * bundle.accelerator.activation_bits


def _same(own: Accelerator, wanted: Accelerator, name: str) -> None:
    for field in Accelerator.model_fields:
        if getattr(own, field) != getattr(wanted, field):
            rule = f"must be that of {name}, {getattr(wanted, field)}: the program was compiled for another accelerator"
            raise InputError(rule, field=field, value=getattr(own, field))
