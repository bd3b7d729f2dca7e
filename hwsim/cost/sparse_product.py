"""Price of a product with a matrix in compressed sparse rows (SpMM), as software runs it on the vector lanes.

Only stored elements are multiplied. The sparse matrix streams once: values, column indices and row pointers. Every
stored element gathers a row of the dense factor, from the chip if all of that factor fits, else from the external
memory in whole bursts. Rows of the result are summed in registers and written once. Where the *result* is the sparse
matrix (the gradient of its values), every stored element gathers a row of each factor.
"""

from __future__ import annotations

from hwsim.architecture import Architecture
from hwsim.cost.accounting import Convention
from hwsim.cost.charges import operation_key
from hwsim.cost.flows import Flow, holder, streamed, width
from hwsim.cost.result import OperatorCost
from hwsim.cost.streaming import vector_cost
from hwsim.cost.work import work_of
from hwsim.errors import HwsimError
from hwsim.technology import Technology
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator

INDEX_BITS = 32  # of a column index and of a row pointer


def is_sparse_product(operator: Operator) -> bool:
    """Whether the software stores an operand of this contraction in compressed sparse rows."""
    return operator.is_contraction and any(operand.density_structure == "csr" for operand in operator.operands)


def price_sparse_product(
    operator: Operator, architecture: Architecture, technology: Technology, convention: Convention
) -> OperatorCost:
    """Price one execution of a contraction of which one operand is in compressed sparse rows.

    Raises
    ------
    HwsimError
        If more than one operand is, or one that is no matrix, or the technology lacks a coefficient.
    """
    main = [operator.operand(name) for name in MAIN_OPERANDS]
    sparse = _sparse(operator)
    stored = round(sparse.elements * sparse.density)
    points = stored * (operator.points // sparse.elements)
    work = work_of(operator, architecture, convention)
    operations = {operation_key(each, work): times * points for each, times in work.rule.operations.items()}
    flows = _compressed(sparse, stored, architecture)
    for operand in operator.operands:
        if operand is operator.written and operand is not sparse:
            flows.append(streamed(operand, architecture))
        elif operand is not sparse:
            row = points // stored if operand in main else 0
            flows.append(_gathered(operand, stored, row, architecture))
    note = f"{stored} of {sparse.elements} elements stored"
    cost = vector_cost(operator, operations, flows, architecture, technology, note=note)
    return cost.model_copy(update={"macs": points})


def _sparse(operator: Operator) -> Operand:
    sparse = [operand for operand in operator.operands if operand.density_structure == "csr"]
    if len(sparse) > 1:
        raise HwsimError(f"one operand may be csr, not {' and '.join(operand.name for operand in sparse)}")
    if len([size for size in sparse[0].shape if size > 1]) > 2 or sparse[0].name not in MAIN_OPERANDS:
        raise HwsimError(f"a csr operand must be a matrix factor or result, not {sparse[0].name} {sparse[0].shape}")
    return sparse[0]


def _compressed(sparse: Operand, stored: int, architecture: Architecture) -> list[Flow]:
    levels = len(architecture.stream_levels)
    rows = sparse.elements // sparse.shape[-1]
    return [
        Flow(sparse.name, width(sparse), (float(stored),) * levels),
        Flow(f"{sparse.name}.indices", INDEX_BITS, (float(stored + rows + 1),) * levels),
    ]


def _gathered(operand: Operand, stored: int, row: int, architecture: Architecture) -> Flow:
    """``row`` words of a dense factor for each stored element; a bias (0 words) streams."""
    flow = streamed(operand, architecture)
    if not row:
        return flow
    home = holder(operand.bits, architecture)
    outside = operand.elements if home else stored * architecture.in_bursts(row, width(operand))
    levels = range(1, len(flow.words))
    return flow._replace(words=(float(outside), *(float(stored * row if k >= home else outside) for k in levels)))
