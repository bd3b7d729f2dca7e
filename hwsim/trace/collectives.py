"""Collectives of ``torch.distributed``: what they are called, what they write, and how many ranks take part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hwsim.workload.operator import Collective

COLLECTIVES: Mapping[str, Collective] = {
    "c10d::allreduce": "all_reduce",
    "c10d::allreduce_coalesced": "all_reduce",
    "c10d::_allgather_base": "all_gather",
    "c10d::allgather": "all_gather",
    "c10d::allgather_into_tensor_coalesced": "all_gather",
    "c10d::_reduce_scatter_base": "reduce_scatter",
    "c10d::reduce_scatter": "reduce_scatter",
    "c10d::reduce_scatter_tensor_coalesced": "reduce_scatter",
    "c10d::alltoall_base": "all_to_all",
    "c10d::alltoall": "all_to_all",
    "c10d::broadcast": "broadcast",
    "_c10d_functional::all_reduce": "all_reduce",
    "_c10d_functional::all_gather_into_tensor": "all_gather",
    "_c10d_functional::reduce_scatter_tensor": "reduce_scatter",
    "_c10d_functional::all_to_all_single": "all_to_all",
    "_c10d_functional::broadcast": "broadcast",
}
"""By operator name without trailing underscore."""

WRITES: Mapping[str, tuple[str, ...]] = {
    "c10d::allreduce_": ("tensors",),
    "c10d::allreduce_coalesced_": ("tensors",),
    "c10d::broadcast_": ("tensors",),
    "c10d::_allgather_base_": ("output_tensor",),
    "c10d::allgather_": ("output_tensors",),
    "c10d::allgather_into_tensor_coalesced_": ("outputs",),
    "c10d::_reduce_scatter_base_": ("output_tensor",),
    "c10d::reduce_scatter_": ("output_tensors",),
    "c10d::reduce_scatter_tensor_coalesced_": ("outputs",),
    "c10d::alltoall_base_": ("output",),
    "c10d::alltoall_": ("output_tensors",),
    "fsdp::all_gather_copy_in": ("all_gather_output",),
}
"""Arguments that are written although their schemas do not say so."""

REDUCE_IN_PLACE = frozenset({"c10d::allreduce_", "c10d::allreduce_coalesced_", "c10d::broadcast_"})
"""Those of `WRITES` that also read what they write."""


def ranks(operator: str, arguments: Mapping[str, Any]) -> int:
    """Return how many ranks take part in ``operator``, or 0 if it is no collective."""
    if operator.rstrip("_") not in COLLECTIVES:
        return 0
    group = arguments.get("process_group", arguments.get("group_name"))
    if isinstance(group, torch.ScriptObject):
        group = torch.distributed.ProcessGroup.unbox(group)
    elif isinstance(group, str):
        group = torch._C._distributed_c10d._resolve_process_group(group)  # type: ignore[arg-type]
    return int(group.size())
