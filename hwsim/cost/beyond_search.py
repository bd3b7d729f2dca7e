"""What the price of a mapped contraction holds beside the cost that its search minimised.

The optimum is one of three dense operands in single words; the price of that mapping counts more where the operator
or the architecture declares more.
"""

from __future__ import annotations

from collections.abc import Iterator

from hwsim.architecture import FreeDataflow
from hwsim.architecture.nodes import MemoryNode
from hwsim.cost.charges import side_operands
from hwsim.workload.operator import MAIN_OPERANDS, Operator


def beyond_search(operator: Operator, architecture: FreeDataflow) -> str:
    """Name everything that the search did not know of, separated by commas; empty if it knew all."""
    return ", ".join(_unknown(operator, architecture))


def _unknown(operator: Operator, architecture: FreeDataflow) -> Iterator[str]:
    sparse = any(operator.operand(name).density < 1 for name in MAIN_OPERANDS)
    compressed = any(isinstance(node, MemoryNode) and node.compression for node in architecture.nodes)
    if sparse and (architecture.zeros.skips or architecture.zeros.gating):
        yield "zeros"
    if compressed:
        yield "stored formats"
    if architecture.dram_burst_bytes is not None:
        yield "bursts"
    if side_operands(operator):
        yield "operands beside the main three"
