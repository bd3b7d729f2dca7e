"""Collectives, and the copies in and out of the buffers that they work on."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace import dataflow
from hwsim.trace.collectives import COLLECTIVES
from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Rule, cost, nothing, over_largest
from hwsim.workload.operator import Operator


def _collective(call: Call) -> list[Operator]:
    """One point per element of the largest tensor: the whole one, of which ranks hold parts before or after.

    A reduction adds what other ranks send: each rank a share of ``(ranks - 1) / ranks`` (ring or tree).
    """
    touched = [*dataflow.reads(call.record), *dataflow.writes(call.record)]
    kind, ranks = COLLECTIVES[call.record.base], call.record.ranks
    price = cost(add=(ranks - 1) / ranks) if "reduce" in kind else cost()
    return [
        call.operator(
            primitive="comm", collective=kind, group_size=ranks, operands=call.operands(), arithmetic=dict(price),
            dims={"x": max(ref.elements for _, ref in touched)},
        )
    ]  # fmt: skip


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(COLLECTIVES, _collective),
    **dict.fromkeys(
        ("fsdp::all_gather_copy_in", "fsdp::split_with_sizes_copy", "fsdp::chunk_cat"), over_largest(cost(), "copy")
    ),
    "_c10d_functional::wait_tensor": nothing,
    "_c10d_functional::_wrap_tensor_autograd": nothing,
}
