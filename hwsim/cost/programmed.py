"""Price of programs on the accelerator in ``rtl``: what its counters count, times what each costs.

Every processing element works in every beat, whatever it is a beat of. Elements are clocked in all other cycles. The
array's registers, lines of operands, drain and result buffer, are clocked in all, and pay for the bits that move. A
memory is one SRAM, or several side by side where its words are wider than the model's; one that is smaller than the
model's smallest costs as much as that. Leakage is that of memories and elements. Not in it: the post-processor,
pooling, the feeder and control (docs/accelerator.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.architecture.programmed import Programmed, Term
from hwsim.cost.accelerator_program import Accesses, Counters
from hwsim.cost.charges import access_charge
from hwsim.cost.result import Charge, Component, OperatorCost
from hwsim.technology import Coefficient, Technology
from hwsim.technology.storage import Moves
from hwsim.workload.operator import Primitive

PRIMITIVES: dict[Term, Primitive] = {"mac": "mac", "shift": "shift", "adder": "add", "binary": "binary_add"}
WIDEST_BITS = 256
"""Limit of the model of memories."""


@dataclass(frozen=True)
class Silicon:
    """What the hardware consists of.

    Attributes
    ----------
    memories
        Words and bits of a word of each memory on the chip.
    line_bits
        Registers of the array's lines and drain.
    buffer_words, buffer_bits
        Rows of results that its buffer holds, and bits of a row.
    """

    memories: Mapping[str, tuple[int, int]]
    line_bits: int
    buffer_words: int
    buffer_bits: int


@dataclass(frozen=True)
class Execution:
    """What one layer does.

    Attributes
    ----------
    name
        Of the layer.
    term
        What its beats are of; None: it has none.
    macs, bits_moved
        Points, and bits of weights, inputs and outputs, each once.
    counters, accesses
        Of its commands.
    busy_cycles
        Cycles in which elements work.
    lines, buffer
        What moves in the array's lines and drain, and in its result buffer.
    operation
        Key and price of an element's operation on this layer's operands; None: that of its circuit.
    """

    name: str
    term: Term | None
    macs: int
    bits_moved: int
    counters: Counters
    accesses: Accesses
    busy_cycles: int
    lines: Moves
    buffer: Moves
    operation: tuple[str, Coefficient] | None = None


def price(execution: Execution, silicon: Silicon, architecture: Programmed, technology: Technology) -> OperatorCost:
    """Return the cost of a layer.

    Raises
    ------
    HwsimError
        If the technology lacks a circuit or a coefficient.
    """
    counters, latency_s = execution.counters, execution.counters.cycles / architecture.clock_hz
    charges = [
        *array_charges(execution, silicon, architecture, technology),
        *_memories(execution.accesses, silicon, architecture, technology),
        access_charge("dram", "", counters.external_words, architecture.accelerator.memory_bits, technology),
        *_leakage(latency_s, silicon, architecture, technology),
    ]
    stalls = {name: value for name, value in vars(counters).items() if name.endswith("_stall")}
    idle = counters.cycles - execution.busy_cycles
    return OperatorCost(
        name=execution.name, module=execution.name, source="program", phase="forward",
        primitive=PRIMITIVES[execution.term] if execution.term else "copy", count=1, macs=execution.macs,
        bits_moved=execution.bits_moved, energy_pj=sum(charge.energy_pj for charge in charges), latency_s=latency_s,
        bound="compute" if execution.busy_cycles >= idle else _longest(stalls), charges=tuple(charges),
        mapping=vars(counters), note=f"{execution.busy_cycles / max(counters.cycles, 1):.1%} of the cycles busy",
    )  # fmt: skip


def _longest(stalls: Mapping[str, int]) -> str:
    """The cause of most stalls; fetching, filling and draining if they are none."""
    cause = max(stalls, key=lambda name: stalls[name])
    return cause.removesuffix("_stall") if stalls[cause] else "overhead"


def array_charges(
    execution: Execution, silicon: Silicon, architecture: Programmed, technology: Technology
) -> list[Charge]:
    """Return what the array costs: its elements, and the registers between them.

    Raises
    ------
    HwsimError
        If the technology lacks a circuit or a coefficient.
    """
    return [*_elements(execution, architecture, technology), *_registers(execution, silicon, technology)]


def _elements(execution: Execution, architecture: Programmed, technology: Technology) -> list[Charge]:
    """Operations, and the clock of elements that do nothing: of all their circuits then, of the others in a beat."""
    operations = execution.counters.beats * architecture.elements
    charges = []
    own = ""
    if execution.term:
        own = architecture.circuits[execution.term]
        key, coefficient = execution.operation or (f"circuit.{own}", technology.coefficient(f"circuit.{own}"))
        charges.append(_charge("compute", key, operations, coefficient))
    for circuit in dict.fromkeys(architecture.circuits.values()):
        cycles = execution.counters.cycles - (execution.busy_cycles if circuit == own else 0)
        key = f"circuit.{circuit}.idle"
        charges.append(_charge("compute", key, cycles * architecture.elements, technology.coefficient(key)))
    return charges


def _registers(execution: Execution, silicon: Silicon, technology: Technology) -> list[Charge]:
    """Registers between the elements: what moves in a line also moves in front of it."""
    cycles, lines, buffer = execution.counters.cycles, execution.lines, execution.buffer
    bits = {
        "line.clocked": silicon.line_bits * cycles,
        "line.stored": lines.stored, "line.offered": lines.stored, "line.enabled": lines.enabled,
        "queue.clocked": silicon.buffer_words * silicon.buffer_bits * cycles,
        "queue.stored": buffer.stored, "queue.selected": buffer.stored * silicon.buffer_words,
        "queue.written": buffer.written * silicon.buffer_words,
    }  # fmt: skip
    return [_charge("register_file", key, times, technology.coefficient(key)) for key, times in bits.items() if times]


def _charge(component: Component, key: str, times: float, coefficient: Coefficient) -> Charge:
    bits = 1 if coefficient.is_access else 0
    energy_pj = times * coefficient.energy_pj(bits)
    return Charge(component=component, operand="", coefficient=key, times=times, bits=bits, energy_pj=energy_pj)


def memory_key(words: int, bits: int) -> tuple[str, int]:
    """Return the coefficient of one of the SRAMs that make up a memory, and how many there are."""
    banks = -(-bits // WIDEST_BITS)
    width = max(-(-bits // banks), 8)
    smallest = 512 if width <= WIDEST_BITS // 2 else 1024
    return f"sram.{max(words * width // 8, smallest)}x{width}", banks


def _memories(
    accesses: Accesses, silicon: Silicon, architecture: Programmed, technology: Technology
) -> list[Charge]:
    touched = vars(accesses)
    residuals = touched.pop("residual_reads")
    charges = []
    for memory, (words, bits) in silicon.memories.items():
        key, banks = memory_key(words, bits)
        for use in ("read", "write"):
            times = touched[f"{memory.removesuffix('s')}_{use}s"]
            times += residuals if (memory, use) == ("activations", "read") else 0
            if times:
                coefficient = f"{key}.{use}.{architecture.sram}"
                width = int(key.rpartition("x")[2])
                charges.append(
                    access_charge("global_buffer", memory, times * banks, width, technology, coefficient)
                )
    return charges


def _leakage(
    latency_s: float, silicon: Silicon, architecture: Programmed, technology: Technology
) -> list[Charge]:
    circuits = dict.fromkeys(architecture.circuits.values())
    instances = {f"circuit.{circuit}.leakage": architecture.elements for circuit in circuits}
    for words, bits in silicon.memories.values():
        key, banks = memory_key(words, bits)
        leaking = f"{key}.leakage.{architecture.sram}"
        instances[leaking] = instances.get(leaking, 0) + banks
    return [
        _charge("standing", key, latency_s * count, technology.coefficient(key)) for key, count in instances.items()
    ]
