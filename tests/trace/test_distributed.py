"""Collectives of sharded, tensor-parallel and replicated steps, on a process group that sends nothing."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.testing._internal.distributed.fake_pg import FakeStore

import hwsim
from hwsim.trace import capture_step

RANKS, ROWS = 8, 4
FIRST, SECOND = 16 * 32 + 32, 32 * 16 + 16  # values of the two layers


@pytest.fixture
def meshes():
    dist.init_process_group("fake", rank=0, world_size=RANKS, store=FakeStore())
    try:
        yield init_device_mesh("cpu", (RANKS,)), init_device_mesh("cpu", (2, 4), mesh_dim_names=("copy", "shard"))
    finally:
        dist.destroy_process_group()


def layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))


def step(prepare, **form):
    with FakeTensorMode():
        model, x = layers(), torch.randn(ROWS, 16)
        prepare(model)
        optimizer = torch.optim.AdamW(model.parameters(), **form)

        def run():
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()

        capture = capture_step(run)
        told = {"model": model, "optimizers": [optimizer], "inputs": x}
        assert capture.closure(**told).exact
        return capture.workload(name="step", **told)


def collectives(workload):
    return [
        (o.collective, o.group_size, o.points, o.bits_moved // 8, o.phase)
        for o in workload.operators
        if o.primitive == "comm"
    ]


def macs(workload):
    return [o.macs for o in workload.operators if o.is_contraction]


def test_sharded_layers_gather_weights_and_scatter_gradients(meshes):
    def shard(model):
        for layer in (model[0], model[2]):
            fully_shard(layer, mesh=meshes[0])
        fully_shard(model, mesh=meshes[0])

    workload = step(shard, fused=True)
    assert macs(workload) == 5 * [ROWS * 16 * 32]
    moved = [4 * (values + values // RANKS) for values in (FIRST, SECOND)]
    assert collectives(workload) == [
        ("all_gather", RANKS, FIRST, moved[0], "forward"),
        ("all_gather", RANKS, SECOND, moved[1], "forward"),
        ("all_gather", RANKS, SECOND, moved[1], "grad_input"),
        ("all_gather", RANKS, FIRST, moved[0], "grad_input"),
        ("reduce_scatter", RANKS, SECOND, moved[1], "grad_weight"),
        ("reduce_scatter", RANKS, FIRST, moved[0], "grad_weight"),
    ]
    updates = [o.dims["x"] for o in workload.operators if o.phase == "optimizer"]
    assert updates == [16 * 32 // RANKS, 32 // RANKS, 32 * 16 // RANKS, 16 // RANKS]
    gathers = [o for o in workload.operators if o.collective == "all_gather"]
    assert {o.role for operator in gathers for o in operator.operands} == {"parameter"}
    weights = [o for o in workload.operators if o.is_contraction and o.phase == "grad_weight"]
    assert len(weights) == 2


def test_hybrid_sharding_also_reduces_between_copies(meshes):
    workload = step(lambda model: fully_shard(model, mesh=meshes[1]), fused=True)
    both = FIRST + SECOND
    assert [row[:3] for row in collectives(workload)] == [
        ("all_gather", 4, both), ("reduce_scatter", 4, both), ("all_reduce", 2, both // 4)
    ]  # fmt: skip


def test_replicas_reduce_whole_gradients(meshes):
    from torch.distributed._composable.replicate_with_fsdp import replicate

    workload = step(lambda model: replicate(model, mesh=meshes[0]), fused=True)
    assert [row[:3] for row in collectives(workload)] == [("all_reduce", RANKS, FIRST + SECOND)]


def test_tensor_parallel_layers_reduce_activations(meshes):
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    workload = step(lambda model: parallelize_module(model, meshes[0], plan), foreach=True)
    assert macs(workload) == 5 * [ROWS * 16 * 32 // RANKS]
    assert collectives(workload) == [("all_reduce", RANKS, ROWS * 16, 2 * 4 * ROWS * 16, "forward")]
    reduction = next(o for o in workload.operators if o.primitive == "comm")
    assert reduction.arithmetic == {"add": 7 / 8}


def test_collectives_cost_their_memory_traffic_and_the_result_says_so(meshes):
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    result = hwsim.score(step(lambda model: parallelize_module(model, meshes[0], plan), foreach=True))
    cost = next(o for o in result.operators if o.primitive == "comm")
    assert cost.note == "memory traffic only: no network model"
    assert cost.energy_pj > 0
    assert result.notes[0] == (
        "Collectives cost their memory traffic only: the network between devices is not modelled."
    )
