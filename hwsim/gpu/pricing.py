"""Prices of operators on a GPU, and what a step waits for its host.

What the host adds to a step is shared among the operators by the time that each takes to launch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwsim.architecture import Gpu
from hwsim.architecture.node import Node
from hwsim.cost.accounting import Convention
from hwsim.cost.result import Charge, Component, OperatorCost
from hwsim.errors import HwsimError
from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.board import SCALAR, board_of, operation_key
from hwsim.gpu.collectives import collective_s, payload_bytes, waits_s
from hwsim.gpu.device import device_cost
from hwsim.gpu.host import joined_s, launch_s
from hwsim.gpu.kernels import Kernels, is_inner, kernel_of, laid_out, part_of
from hwsim.gpu.measured import Timing, measured
from hwsim.technology import Technology
from hwsim.workload.operator import Operator


def price_gpu(operator: Operator, gpu: Gpu, technology: Technology, convention: Convention) -> OperatorCost:
    """Price one execution of ``operator`` as a kernel of its own; where one was measured, by that.

    Raises
    ------
    HwsimError
        If the convention is one of row-stationary arrays, or the technology lacks a coefficient.
    """
    if convention.contractions_only or convention.name != "operator":
        raise HwsimError(f"accounting {convention.name} is about arrays; {gpu.name} needs operator")
    kernel = laid_out(kernel_of(operator), channels_last=gpu.channels_last, padded_rows=gpu.padded_rows)
    kernels = Kernels.of([(kernel, 1.0)])
    board, device = board_of(gpu, technology), behaviour(gpu.fit).device
    cost = device_cost(kernels, board, device)
    operation = operation_key(gpu, str(kernels.format[0])) if cost.is_on_matrix_units[0] else SCALAR
    latency_s, clock, dram_bytes = float(cost.time_s[0]), float(cost.clock[0]), float(cost.dram_bytes[0])
    charges: tuple[Charge, ...] = (
        _charge("compute", operation, float(kernels.operations[0]), float(cost.operations_pj[0])),
        _charge("global_buffer", "chip", float(cost.moved_bytes[0]), float(cost.on_chip_pj[0]), bits=8),
        _charge("dram", "dram", dram_bytes, float(cost.dram_pj[0]), bits=8),
        _charge("standing", "active", latency_s, float(cost.active_pj[0])),
    )
    bound = "compute" if cost.is_compute_bound[0] else "dram"
    slowed = "" if clock > 1 - 1e-9 else f"; clock at {clock:.0%} for {gpu.limit_w or gpu.board_w:g} W"
    note = f"modelled{slowed}"
    timing = measured(gpu.name, operator)
    if timing is not None and timing.median_s is not None:
        charges = _scaled(charges, timing, technology)
        latency_s, note = timing.median_s, f"measured: kernel {timing.kernel}"
    elif operator.primitive == "comm" and gpu.node:
        latency_s, bound = _collective_s(operator, gpu.node), "network"
        note = f"modelled; over {gpu.node.link.name}"
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=operator.primitive, count=operator.count, macs=operator.macs, bits_moved=operator.bits_moved,
        energy_pj=math.fsum(charge.energy_pj for charge in charges), latency_s=latency_s,
        bound=bound, charges=charges, note=note,
    )  # fmt: skip


def awaited(
    operators: Sequence[Operator], costs: Sequence[Sequence[OperatorCost]], gpu: Gpu
) -> list[list[OperatorCost]]:
    """Add to the operators of one step what it waits for its host; of collectives, leave what it waits for them.

    Parameters
    ----------
    costs
        Of every operator, those of all its forms; the first says how long the step takes.
    """
    costs = _exposed(operators, costs) if gpu.node else costs
    work, counts = behaviour(gpu.fit).host, [operator.count for operator in operators]
    parts = [part_of(operator) for operator in operators]
    slowness, training = 0.0 if gpu.cuda_graphs else gpu.host.slowness, "backward" in parts
    launches_s = [
        0.0 if is_inner(operator) else slowness * launch_s(work, part, training=training)
        for operator, part in zip(operators, parts, strict=True)
    ]
    in_all_s = math.fsum(one * count for one, count in zip(launches_s, counts, strict=True))
    device_s = math.fsum(forms[0].latency_s * count for forms, count in zip(costs, counts, strict=True))
    step_s = joined_s(device_s, in_all_s + gpu.host.slowness * work.step_s)
    shares = launches_s if in_all_s else [forms[0].latency_s for forms in costs]
    whole_s = in_all_s or device_s
    return [
        [_waiting(cost, (step_s - device_s) / whole_s * one) for cost in forms]
        for forms, one in zip(costs, shares, strict=True)
    ]


def _exposed(operators: Sequence[Operator], costs: Sequence[Sequence[OperatorCost]]) -> list[list[OperatorCost]]:
    """Leave of every collective's time what the kernels of the step wait for it."""
    waits = waits_s(operators, [forms[0].latency_s * o.count for o, forms in zip(operators, costs, strict=True)])
    return [
        [_waited_for(cost, wait) for cost in forms] if operator.primitive == "comm" else list(forms)
        for operator, forms, wait in zip(operators, costs, waits, strict=True)
    ]


def _waited_for(cost: OperatorCost, wait_s: float) -> OperatorCost:
    note = f"{cost.note} in {cost.latency_s * 1e6:.4g} µs, beside kernels"
    return cost.model_copy(update={"latency_s": wait_s / cost.count, "note": note})


def _collective_s(operator: Operator, node: Node) -> float:
    if operator.collective is None or operator.group_size is None:
        raise HwsimError("is no collective")
    if operator.group_size > node.gpus:
        rule = f"takes {operator.group_size} devices, and a node has {node.gpus}"
        raise HwsimError(f"{operator.collective} {rule}: networks between nodes are not modelled")
    return collective_s(operator.collective, payload_bytes(operator), operator.group_size, node.link)


def _waiting(cost: OperatorCost, seconds: float) -> OperatorCost:
    bound = "host" if seconds > cost.latency_s else cost.bound
    return cost.model_copy(update={"latency_s": cost.latency_s + seconds, "bound": bound})


def _scaled(charges: tuple[Charge, ...], timing: Timing, technology: Technology) -> tuple[Charge, ...]:
    """Return ``charges`` so that they and the idle power add up to the measured energy, where that is known."""
    if timing.energy_j is None or timing.median_s is None:
        return charges
    idle_pj = technology.coefficient("idle").energy_pj() * timing.median_s
    modelled_pj = math.fsum(charge.energy_pj for charge in charges)
    share = max(0.0, timing.energy_j * 1e12 - idle_pj) / modelled_pj
    return tuple(charge.model_copy(update={"energy_pj": charge.energy_pj * share}) for charge in charges)


def _charge(component: Component, coefficient: str, times: float, energy_pj: float, bits: float = 0) -> Charge:
    return Charge(component=component, operand="", coefficient=coefficient, times=times, bits=bits, energy_pj=energy_pj)
