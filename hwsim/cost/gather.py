"""Traffic of gathers and scatters: rows at addresses that data decides.

A gather reads one row of a table per index; a scatter writes rows, or adds to them, where indices say. Every row of a
table in the external memory costs whole bursts. A scatter whose result fits on chip is done there and its result
written once; a gather reads from the external memory, because the size of the table behind it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable

from hwsim.architecture import Architecture
from hwsim.cost.flows import Flow, holder, streamed, width
from hwsim.workload.operator import Operand, Operator

VALUES = frozenset({"values", "source", "src", "grad_output"})
"""Names of the operand whose rows a scatter writes."""


def gather_flows(operator: Operator, architecture: Architecture) -> list[Flow]:
    """Flows of a gather or a scatter."""
    indices = [operand.elements for operand in operator.operands if operand.role == "index"]
    rows = max(indices, default=operator.points)
    values = _values(operator)
    flows = []
    for operand in operator.operands:
        flow = streamed(operand, architecture)
        if operand.role == "index":
            pass
        elif values is None and operand.access == "read" and operand.elements == operator.points:
            flow = _outside(flow, _in_rows(operand, rows, architecture))
        elif values is not None and operand.access == "write":
            accesses = 2 if operator.arithmetic else 1
            flow = _scattered(operand, values, rows, accesses=accesses, architecture=architecture)
        flows.append(flow)
    return flows


def _values(operator: Operator) -> Operand | None:
    """What a scatter writes; None for a gather."""
    given: Iterable[Operand] = (o for o in operator.operands if o.access == "read" and o.name in VALUES)
    return next((operand for operand in given if operand.elements == operator.points), None)


def _in_rows(operand: Operand, rows: int, architecture: Architecture) -> float:
    return rows * architecture.in_bursts(operand.elements / rows, width(operand))


def _outside(flow: Flow, words: float) -> Flow:
    return flow._replace(words=(words, *flow.words[1:]))


def _scattered(
    written: Operand, values: Operand, rows: int, *, accesses: int, architecture: Architecture
) -> Flow:
    """The result streams once; beside that, each row is written, and read before if it is added to."""
    flow = streamed(written, architecture)
    moved = accesses * values.elements
    on_chip = tuple(words + moved for words in flow.words[1:])
    if holder(written.bits, architecture):
        return flow._replace(words=(flow.words[0], *on_chip))
    return flow._replace(words=(flow.words[0] + accesses * _in_rows(values, rows, architecture), *on_chip))
