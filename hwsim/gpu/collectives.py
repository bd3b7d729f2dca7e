"""Time of collectives between the GPUs of a node, and how much of it a step waits for.

Collectives run in rings, each GPU sending to the next one while it receives from the one before. Where switches add,
a GPU sends its part of an all-reduce once, and the sum of the part that it is in charge of. They run beside the
kernels of the step, one after another; a kernel waits for those whose results it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.architecture.node import Link
from hwsim.workload.operator import Collective, Operator
from hwsim.workload.uses import reads, writes


def collective_s(collective: Collective, payload_bytes: float, devices: int, link: Link) -> float:
    """Return the time of a collective.

    Parameters
    ----------
    payload_bytes
        Of the whole tensor: what every device holds afterwards (before a reduce-scatter).
    devices
        GPUs that take part; one alone needs no time.
    """
    if devices == 1:
        return 0.0
    if collective == "all_reduce" and link.reduces:
        return (1 + 1 / devices) * payload_bytes / link.bytes_per_s + 2 * link.latency_s
    if collective == "broadcast":
        return payload_bytes / link.bytes_per_s + (devices - 1) * link.latency_s
    steps = 2 * (devices - 1) if collective == "all_reduce" else devices - 1
    return steps * (payload_bytes / devices / link.bytes_per_s + link.latency_s)


def payload_bytes(operator: Operator) -> float:
    """Return the bytes of the whole tensor that a collective is about: the larger of what it reads and writes."""
    read, written = (sum(one.bits for one in part(operator)) for part in (reads, writes))
    return max(read, written) / 8


def waits_s(operators: Sequence[Operator], latencies_s: Sequence[float]) -> list[float]:
    """Return how long the kernels of a step wait for every collective; zero for all other operators.

    Parameters
    ----------
    latencies_s
        Of every operator, all its executions together.
    """
    waits = [0.0] * len(operators)
    finished: dict[str, tuple[float, int]] = {}
    now = network_free = 0.0
    last = -1
    for index, (operator, latency_s) in enumerate(zip(operators, latencies_s, strict=True)):
        if operator.primitive == "comm":
            network_free, last = max(now, network_free) + latency_s, index
            finished |= {operand.tensor: (network_free, index) for operand in writes(operator) if operand.tensor}
            continue
        needed = [finished[operand.tensor] for operand in reads(operator) if operand.tensor in finished]
        end, collective = max(needed, default=(0.0, -1))
        if end > now:
            waits[collective] += end - now
            now = end
        now += latency_s
    if network_free > now:
        waits[last] += network_free - now
    return waits
