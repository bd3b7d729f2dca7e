"""Traced contractions in the formats of processing elements."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from hwsim.trace import trace
from hwsim.workload import Workload
from hwsim.workload.forms import Linear
from models.elements import in_8_bits, products
from models.layers import BinaryLinear, ShiftAddConv2d


def test_formats_by_primitive():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), ShiftAddConv2d(4, 4, 3, padding=1), nn.Flatten(), BinaryLinear(64, 2)
    )
    step = trace(network, torch.zeros(1, 3, 4, 4), name="forward")
    found = in_8_bits(step).operators
    assert [o.macs for o in found] == [o.macs for o in products(step).operators]
    formats = {o.primitive: [o.operand(name).format for name in ("input", "weight", "output")] for o in found}
    assert formats == {
        "mac": ["int8"] * 3, "shift": ["int8", "pow2z_4", "int8"], "add": ["int8"] * 3,
        "binary_add": ["int8", "bin01", "int8"],
    }  # fmt: skip


def test_no_element():
    layer = Linear(kind="linear", name="fc", batch=1, in_features=2, out_features=2, primitive="shift_add").operator()
    with pytest.raises(InputError) as error:
        in_8_bits(Workload(name="x", operators=(layer,)))
    assert str(error.value) == "fc.primitive: must be one of mac, shift, add, binary_add, not 'shift_add'"
