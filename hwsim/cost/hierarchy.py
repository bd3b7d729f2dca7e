"""Price of a contraction on a hierarchy: the optimal mapping, and every access of it as a charge."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from hwsim.architecture import FreeDataflow
from hwsim.architecture.nodes import PORTS, ArrayNode, MemoryNode, Port, coefficient
from hwsim.cost.accounting import Convention
from hwsim.cost.beyond_search import beyond_search
from hwsim.cost.charges import access_charge, compute_charges, operation_key, side_charges
from hwsim.cost.latency import port_cycles
from hwsim.cost.moves import Move, activity_of, moves_of
from hwsim.cost.on_chip import NOTHING, OnChip
from hwsim.cost.result import Charge, Component, OperatorCost
from hwsim.cost.systolic_pricing import refuse_published
from hwsim.cost.work import Work, work_of
from hwsim.errors import HwsimError
from hwsim.mapping import hierarchy as mapped
from hwsim.mapping.cache import remembered
from hwsim.mapping.given import GivenMapping
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.mapping import evaluate
from hwsim.mapping.objective import EDP, Objective
from hwsim.mapping.problem import Problem, problem_of
from hwsim.mapping.search import Found
from hwsim.mapping.timing import cycles_of
from hwsim.technology import Technology
from hwsim.workload.operator import Operator


def map_contraction(
    operator: Operator,
    architecture: FreeDataflow,
    technology: Technology,
    convention: Convention,
    objective: Objective,
    on_chip: OnChip = NOTHING,
    padding: bool = True,
) -> Found:
    """Return the best mapping over all choices of bypass, padding and, where ports differ, of the factors' ports.

    Parameters
    ----------
    padding
        Whether bounds may be rounded up to fill arrays, see `hwsim.mapping.padding`.

    Raises
    ------
    HwsimError
        If no mapping fits, or the technology lacks a coefficient.
    """
    refuse_published(convention, architecture.name)
    work = work_of(operator, architecture, convention)
    if architecture.primitives is not None and work.primitive not in architecture.primitives:
        offered = " or ".join(architecture.primitives)
        raise HwsimError(f"{architecture.name} computes {offered}, not {work.primitive}")
    fixed = architecture.symmetric or architecture.tells_factors_apart
    problems = [problem_of(operator)] if fixed else [
        problem_of(operator, exchanged=exchanged) for exchanged in (False, True)
    ]  # fmt: skip
    return remembered(
        [
            (problem, on_chip.applied(hierarchy, problem))
            for problem in problems
            for hierarchy in _hierarchies(architecture, technology, work, problem)
        ],
        objective,
        padding=padding,
    )


def cost_given(
    operator: Operator, architecture: FreeDataflow, technology: Technology, convention: Convention, given: GivenMapping
) -> Found:
    """Cost a mapping written by hand.

    Raises
    ------
    HwsimError
        If it is not legal; the message names the violated limit.
    """
    refuse_published(convention, architecture.name)
    names = tuple(node.name for node in architecture.nodes)
    mapping, problem = given.on(names), given.of(operator)
    work = work_of(operator, architecture, convention)
    bypassed = []
    for node in architecture.nodes:
        if isinstance(node, MemoryNode):
            bypassed.append(given.bypass.get(node.memory, ()))
            if fixed := [port for port in bypassed[-1] if port not in node.may_bypass]:
                raise HwsimError(f"memory {node.memory} does not let {fixed[0]} pass by")
    hierarchy = _hierarchy(architecture, bypassed, technology, work, problem)
    return Found(problem, hierarchy, mapping, evaluate(mapping, problem, hierarchy))


def price_mapped(
    operator: Operator,
    architecture: FreeDataflow,
    technology: Technology,
    convention: Convention,
    objective: Objective = EDP,
    on_chip: OnChip = NOTHING,
) -> OperatorCost:
    """Map ``operator`` for the least energy-delay product and price one execution of it.

    Parameters
    ----------
    on_chip
        What layer fusion keeps in the buffer instead of the external memory.
    """
    work = work_of(operator, architecture, convention)
    found = map_contraction(operator, architecture, technology, convention, objective, on_chip)
    activity = activity_of(found, architecture, operator)
    bits = [_word_bits(work, found.problem, k, node) for k, node in enumerate(architecture.nodes)]
    moves = moves_of(found, architecture, operator, bits, activity, on_chip)
    padded = found.problem.points / operator.macs  # points beyond the operands work like all others
    charges = compute_charges(operator, work, technology, share=padded * activity.computed)
    for k, node in enumerate(architecture.nodes):
        charges += _node_charges(moves[k], architecture.component(k), node, technology)
    side = side_charges(operator, work, architecture, technology)
    ports = port_cycles(found, moves)
    side_bits = sum(charge.times * charge.bits for charge in side if charge.component == "dram")
    ports[0] += side_bits / architecture.dram_bits_per_cycle  # which the search ignores
    cycles, bound = cycles_of(found.mapping.loops, found.hierarchy, found.cost.compute_cycles * activity.time, ports)
    charges += side
    factors = {
        f"{node.name}.{name}": size
        for node, loops in zip(architecture.nodes, found.mapping.loops, strict=True)
        for name, size in loops
    }
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=work.primitive, count=operator.count, macs=operator.macs, bits_moved=operator.bits_moved,
        energy_pj=sum(charge.energy_pj for charge in charges), latency_s=cycles / architecture.clock_hz,
        bound=bound, charges=tuple(charges), mapping=factors, note=_note(found, beyond_search(operator, architecture)),
    )  # fmt: skip


def _note(found: Found, beyond: str) -> str:
    proof = found.certificate
    if proof is None:
        return ""
    return f"optimal{f' but for {beyond}' if beyond else ''}: {proof.visited} priced of {proof.space:.3g}"


def _node_charges(
    moves: Sequence[Move], component: Component, node: MemoryNode | ArrayNode, technology: Technology
) -> Iterator[Charge]:
    if node.energy is None:
        return
    hops = node.hops if isinstance(node, ArrayNode) else 1.0
    for move in moves:
        key = coefficient(node.energy, move.port)
        yield access_charge(component, move.operand, move.words * hops, move.bits, technology, key, node.name)


def _hierarchies(
    architecture: FreeDataflow, technology: Technology, work: Work, problem: Problem
) -> Iterator[Hierarchy]:
    """The architecture with every choice of which operands pass by which memories."""
    memories = [node for node in architecture.nodes if isinstance(node, MemoryNode)]
    for bypassed in itertools.product(*(_subsets(node.may_bypass) for node in memories)):
        yield _hierarchy(architecture, bypassed, technology, work, problem)


def _hierarchy(
    architecture: FreeDataflow, bypassed: Sequence[tuple[Port, ...]], technology: Technology, work: Work,
    problem: Problem,
) -> Hierarchy:  # fmt: skip
    """The architecture where some operands pass by each of its memories."""
    point_pj = sum(
        times * technology.coefficient(operation_key(operation, work)).energy_pj()
        for operation, times in work.rule.operations.items()
    )
    first, second, _ = (work.operand_formats[name].name for name in problem.operands)
    lanes = architecture.lanes_of(work.primitive, first, second, work.formats["mult"])
    skips = iter(bypassed)
    nodes = tuple(
        _array(node, k, technology, work, problem) if isinstance(node, ArrayNode)
        else _memory(node, next(skips), k, technology, work, problem, architecture)
        for k, node in enumerate(architecture.nodes)
    )  # fmt: skip
    return Hierarchy(architecture.name, nodes, point_pj, lanes)


def _memory(
    node: MemoryNode, bypassed: tuple[Port, ...], k: int, technology: Technology, work: Work, problem: Problem,
    architecture: FreeDataflow,
) -> Memory:
    bits = _word_bits(work, problem, k, node)
    input_pj, weight_pj, output_pj = (
        technology.coefficient(coefficient(node.energy, port)).energy_pj(bits[i]) for i, port in enumerate(PORTS)
    )
    energy_pj = (input_pj, weight_pj, output_pj)
    held = [port in node.holds and port not in bypassed for port in PORTS]
    return Memory(
        node.memory, (held[0], held[1], held[2]), bits, energy_pj, energy_pj,
        (node.words.get("input"), node.words.get("weight"), node.words.get("output")), node.bits,
        node.shared_bits_per_cycle or (architecture.dram_bits_per_cycle if k == 0 else None),
        None if node.loops is None else frozenset(node.loops),
        None if node.stationary is None else PORTS.index(node.stationary),
        tuple(_further_ports(node)), node.double_buffered,
    )  # fmt: skip


def _further_ports(node: MemoryNode) -> Iterator[mapped.Port]:
    """Bandwidths of one direction, then those of one operand."""
    reads, writes = node.directed_bits_per_cycle
    none, every = (False, False, False), (True, True, True)
    if reads is not None:
        yield mapped.Port(reads, every, none)
    if writes is not None:
        yield mapped.Port(writes, none, every)
    for name, bandwidth in node.port_bits_per_cycle.items():
        own = (name == "input", name == "weight", name == "output")
        yield mapped.Port(bandwidth, own, own)


def _array(node: ArrayNode, k: int, technology: Technology, work: Work, problem: Problem) -> Array:
    hop_pj = (0.0, 0.0, 0.0)
    if node.energy is not None:
        keys = [coefficient(node.energy, port) for port in PORTS]
        bits = _word_bits(work, problem, k, node)
        first, second, third = (
            technology.coefficient(key).energy_pj(bits[i]) * node.hops for i, key in enumerate(keys)
        )
        hop_pj = (first, second, third)
    shared = ("input" in node.multicast, "weight" in node.multicast, node.reduce)
    return Array(node.array, node.size, _spreading(node, problem), shared, hop_pj, node.pass_cycles)


def _spreading(node: ArrayNode, problem: Problem) -> frozenset[str] | None:
    """Dimensions that may spread over the array, None for any."""
    if node.shares is None:
        return None if node.unroll is None else frozenset(node.unroll)
    indexes = problem.relevant[PORTS.index(node.shares)]
    free = {name for name, yes in zip(problem.names, indexes, strict=True) if not yes}
    return frozenset(free if node.unroll is None else free & set(node.unroll))


def _word_bits(work: Work, problem: Problem, k: int, node: MemoryNode | ArrayNode) -> tuple[float, float, float]:
    """Factors keep their width everywhere; results are partial sums but in the outermost memory."""
    first, second, result = (work.memory_bits[name] for name in problem.operands)
    third = result if k == 0 else work.partial_sum_bits
    if isinstance(node, ArrayNode):
        return first, second, third
    return node.stored_bits(first), node.stored_bits(second), node.stored_bits(third)


def _subsets(ports: tuple[Port, ...]) -> list[tuple[Port, ...]]:
    return [subset for size in range(len(ports) + 1) for subset in itertools.combinations(ports, size)]
