"""Bucketed all-reduce: every gradient once, in the order of the backward pass, in buckets of a certain size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from hwsim.trace import trace
from hwsim.workload.data_parallel import data_parallel


def step(optimizer=True):
    model = nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(6)))  # 256 KiB each
    make = (lambda p: torch.optim.AdamW(p, fused=True)) if optimizer else None
    return trace(model, torch.zeros(2, 256), optimizer=make, loss=lambda y: y.sum())


def reductions(workload):
    return [o for o in workload.operators if o.primitive == "comm"]


def test_buckets_close_when_they_are_full():
    workload = data_parallel(step(), 8, first_bucket_mib=0.25, bucket_mib=0.5)
    assert [o.points // 2**16 for o in reductions(workload)] == [1, 2, 2, 1]
    assert {(o.collective, o.group_size) for o in reductions(workload)} == {("all_reduce", 8)}
    assert reductions(workload)[1].bits_moved == 2 * 2 * 2**16 * 32


def test_by_default_the_first_bucket_has_one_mebibyte():
    assert [o.points // 2**16 for o in reductions(data_parallel(step(), 2))] == [4, 2]


def test_updates_wait_for_their_bucket_and_buckets_for_their_gradients():
    before = step()
    workload = data_parallel(before, 8, first_bucket_mib=0.25, bucket_mib=0.5)
    edges = workload.dependences()
    places = {o.name: i for i, o in enumerate(workload.operators)}
    for name, index in places.items():
        if name.endswith("AdamW.step"):
            assert [workload.operators[i].primitive for i in edges[index]] == ["comm"]
        if workload.operators[index].primitive == "comm":
            assert {workload.operators[i].phase for i in edges[index]} == {"grad_weight"}
            assert max(edges[index]) == index - 1  # sent as soon as its last gradient is made
    assert [o for o in workload.operators if o.primitive != "comm" and o.phase != "optimizer"] == [
        o for o in before.operators if o.phase != "optimizer"
    ]


def test_errors():
    with pytest.raises(InputError, match=r"^devices: must be at least 2, not 1$"):
        data_parallel(step(), 1)
    message = r"^workload: must be a training step with an optimizer, not 'Sequential'$"
    with pytest.raises(InputError, match=message):
        data_parallel(step(optimizer=False), 2)
