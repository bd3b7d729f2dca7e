"""Price of a contraction on a hierarchy: the optimal mapping, and every access of it as a charge."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hwsim.architecture.hierarchy import PORTS, ArrayNode, Energy, HierarchyArchitecture, MemoryNode, Port
from hwsim.cost.accounting import Convention
from hwsim.cost.result import Charge, Component, OperatorCost
from hwsim.cost.work import Work, work_of
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.problem import Problem, problem_of
from hwsim.mapping.search import Found, best_of
from hwsim.mapping.setting import Objective
from hwsim.technology import Technology
from hwsim.workload.operator import Operator


def map_contraction(
    operator: Operator,
    architecture: HierarchyArchitecture,
    technology: Technology,
    convention: Convention,
    objective: Objective = "energy",
) -> Found:
    """Return the best mapping over all choices of bypass and, where ports differ, of the factors' ports.

    Raises
    ------
    HwsimError
        If no mapping fits, or the technology lacks a coefficient.
    """
    work = work_of(operator, architecture, convention)
    problems = [problem_of(operator)] if _symmetric(architecture) else [
        problem_of(operator, exchanged=exchanged) for exchanged in (False, True)
    ]  # fmt: skip
    return best_of(
        [
            (problem, hierarchy)
            for problem in problems
            for hierarchy in _hierarchies(architecture, technology, work, problem)
        ],
        objective,
    )


def price_mapped(
    operator: Operator,
    architecture: HierarchyArchitecture,
    technology: Technology,
    convention: Convention,
    objective: Objective = "energy",
) -> OperatorCost:
    """Map ``operator`` optimally and price one execution of it."""
    work = work_of(operator, architecture, convention)
    found = map_contraction(operator, architecture, technology, convention, objective)
    charges = [
        Charge(
            component="compute", operand="", coefficient=work.coefficient(operation), times=operator.macs * times,
            energy_pj=operator.macs * times * technology.coefficient(work.coefficient(operation)).energy_pj(),
        )
        for operation, times in work.rule.operations.items()
    ]  # fmt: skip
    for k, node in enumerate(architecture.nodes):
        charges += _node_charges(found, architecture, node, k, technology, work)
    factors = {
        f"{_name(node)}.{name}": size
        for node, loops in zip(architecture.nodes, found.mapping.loops, strict=True)
        for name, size in loops
    }
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=work.primitive, count=operator.count, macs=operator.macs, bits_moved=operator.bits_moved,
        energy_pj=sum(charge.energy_pj for charge in charges), latency_s=found.cost.cycles / architecture.clock_hz,
        bound=found.cost.bound, charges=tuple(charges), mapping=factors,
        note=f"optimal: {found.certificate.visited} priced of {found.certificate.space:.3g}",
    )  # fmt: skip


def _node_charges(
    found: Found, architecture: HierarchyArchitecture, node: MemoryNode | ArrayNode, k: int,
    technology: Technology, work: Work,
) -> Iterator[Charge]:  # fmt: skip
    if node.energy is None:
        return
    for position, port in enumerate(PORTS):
        moved = found.cost.traffic[k][position]
        bits, key = _word_bits(work, found.problem, k)[position], _coefficient(node.energy, port)
        times = moved.reads + moved.writes
        if times:
            yield Charge(
                component=_component(architecture, k), operand=found.problem.operands[position], coefficient=key,
                times=times, bits=bits, energy_pj=times * technology.coefficient(key).energy_pj(bits),
            )  # fmt: skip


def _hierarchies(
    architecture: HierarchyArchitecture, technology: Technology, work: Work, problem: Problem
) -> Iterator[Hierarchy]:
    """The architecture with every choice of which operands pass by which memories."""
    memories = [node for node in architecture.nodes if isinstance(node, MemoryNode)]
    options = [_subsets(node.may_bypass) for node in memories]
    point_pj = sum(
        times * technology.coefficient(work.coefficient(operation)).energy_pj()
        for operation, times in work.rule.operations.items()
    )
    lanes = architecture.lanes.get(work.formats["mult"], 1.0)
    for bypassed in itertools.product(*options):
        skips = iter(bypassed)
        nodes = tuple(
            _array(node, k, technology, work, problem) if isinstance(node, ArrayNode)
            else _memory(node, next(skips), k, technology, work, problem)
            for k, node in enumerate(architecture.nodes)
        )  # fmt: skip
        yield Hierarchy(architecture.name, nodes, point_pj, lanes)


def _memory(
    node: MemoryNode, bypassed: tuple[Port, ...], k: int, technology: Technology, work: Work, problem: Problem
) -> Memory:
    bits = _word_bits(work, problem, k)
    input_pj, weight_pj, output_pj = (
        technology.coefficient(_coefficient(node.energy, port)).energy_pj(bits[i]) for i, port in enumerate(PORTS)
    )
    energy_pj = (input_pj, weight_pj, output_pj)
    held = [port in node.holds and port not in bypassed for port in PORTS]
    return Memory(
        node.memory, (held[0], held[1], held[2]), bits, energy_pj, energy_pj,
        (node.words.get("input"), node.words.get("weight"), node.words.get("output")), node.bits, node.bits_per_cycle,
    )  # fmt: skip


def _array(node: ArrayNode, k: int, technology: Technology, work: Work, problem: Problem) -> Array:
    hop_pj = (0.0, 0.0, 0.0)
    if node.energy is not None:
        keys = [_coefficient(node.energy, port) for port in PORTS]
        bits = _word_bits(work, problem, k)
        first, second, third = (technology.coefficient(key).energy_pj(bits[i]) for i, key in enumerate(keys))
        hop_pj = (first, second, third)
    unroll = None if node.unroll is None else frozenset(node.unroll)
    shared = ("input" in node.multicast, "weight" in node.multicast, node.reduce)
    return Array(node.array, node.size, unroll, shared, hop_pj)


def _word_bits(work: Work, problem: Problem, k: int) -> tuple[int, int, int]:
    """Factors keep their width everywhere; results are partial sums but in the outermost memory."""
    first, second, result = (work.memory_bits[name] for name in problem.operands)
    return first, second, result if k == 0 else work.partial_sum_bits


def _symmetric(architecture: HierarchyArchitecture) -> bool:
    """Whether the ports of the two factors are alike everywhere."""
    for node in architecture.nodes:
        if isinstance(node.energy, dict) and node.energy.get("input") != node.energy.get("weight"):
            return False
        if isinstance(node, ArrayNode):
            alike = ("input" in node.multicast) == ("weight" in node.multicast)
        else:
            alike = (
                ("input" in node.holds) == ("weight" in node.holds)
                and ("input" in node.may_bypass) == ("weight" in node.may_bypass)
                and node.words.get("input") == node.words.get("weight")
            )
        if not alike:
            return False
    return True


def _coefficient(energy: Energy, port: Port) -> str:
    return energy if isinstance(energy, str) else energy[port]


def _component(architecture: HierarchyArchitecture, k: int) -> Component:
    if isinstance(architecture.nodes[k], ArrayNode):
        return "network"
    if k == 0:
        return "dram"
    within_array = any(isinstance(node, ArrayNode) for node in architecture.nodes[:k])
    return "register_file" if within_array else "global_buffer"


def _name(node: MemoryNode | ArrayNode) -> str:
    return node.array if isinstance(node, ArrayNode) else node.memory


def _subsets(ports: tuple[Port, ...]) -> list[tuple[Port, ...]]:
    return [subset for size in range(len(ports) + 1) for subset in itertools.combinations(ports, size)]
