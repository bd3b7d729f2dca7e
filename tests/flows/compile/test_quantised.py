"""Networks quantised by PyTorch: the accelerator's integers are the network's own."""

from __future__ import annotations

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # defines the operators
from torch import nn

from flows.compile import compile_network
from flows.compile.sources import load_model
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.pe.integer import IntegerMac

ops = torch.ops.quantized_decomposed


class Quantised(nn.Module):
    """What PT2E makes of a layer: integer weights per filter, an activation on a grid."""

    def __init__(self, layer, step, zero=0, low=-128, high=127, relu=True):
        super().__init__()
        self.layer, self.grid, self.relu = layer, (step, zero, low, high), relu
        weight = layer.weight.detach()
        self.register_buffer("scales", weight.flatten(1).abs().amax(1) / 127)
        self.register_buffer("zeros", torch.zeros(len(weight), dtype=torch.int64))
        self.register_buffer("integers", ops.quantize_per_channel(weight, self.scales, self.zeros, 0, -127, 127, torch.int8))

    def forward(self, x):
        weight = ops.dequantize_per_channel(self.integers, self.scales, self.zeros, 0, -127, 127, torch.int8)
        if isinstance(self.layer, nn.Linear):
            y = nn.functional.linear(x, weight, self.layer.bias)
        else:
            y = nn.functional.conv2d(x, weight, self.layer.bias, self.layer.stride, self.layer.padding)
        y = torch.relu(y) if self.relu else y
        return on_grid(y, *self.grid)


def on_grid(x, step, zero, low, high, back=None):
    codes = ops.quantize_per_tensor(x, step, zero, low, high, torch.int8 if low < 0 else torch.uint8)
    return ops.dequantize_per_tensor(codes, back or step, zero, low, high, torch.int8 if low < 0 else torch.uint8)


class Network(nn.Module):
    """Two convolutions with a residual, and a classifier."""

    def __init__(self, **grid):
        super().__init__()
        self.grid = {"zero": 0, "low": -128, "high": 127} | grid
        self.first = Quantised(nn.Conv2d(3, 8, 3, padding=1), 0.02, **grid)
        self.second = Quantised(nn.Conv2d(8, 8, 3, padding=1), 0.015, **grid)
        self.last = Quantised(nn.Linear(8, 5), 0.011, **grid, relu=bool(grid))

    def forward(self, x):
        x = on_grid(x, 1 / 128, **self.grid)
        x = self.first(x)
        x = on_grid(x + self.second(x), 0.03, **self.grid)
        return self.last(x.mean((2, 3)))


def made(model, pe, **fields):
    images = torch.rand(8, 3, 6, 6)
    return images, compile_network(model, images, Accelerator(rows=4, columns=4, pe=pe, **fields))


@pytest.mark.parametrize(
    ("grid", "pe", "fields"),
    [({}, IntegerMac(), {}), ({"zero": 5, "low": 5, "high": 132}, IntegerMac(), {}),
     ({"zero": 0, "low": 0, "high": 255}, IntegerMac(x_signed=False), {"activations": "uint8"})],
    ids=["int8", "around another zero", "uint8"],
)  # fmt: skip
def test_integers_are_the_networks_own(grid, pe, fields):
    torch.manual_seed(0)
    model = Network(**grid).eval()
    images, network = made(model, pe, **fields)
    step = 0.011
    assert network.graph.scales[network.graph.output] == step
    assert network.graph.scales[network.graph.input] == 1 / 128
    sums = [layer.main for layer in network.graph.layers if hasattr(layer.main, "weight")]
    for own, main in zip((model.first, model.second, model.last), sums, strict=True):
        assert torch.equal(own.integers.reshape(-1).long(), torch.from_numpy(main.weight).reshape(-1))
    with torch.no_grad():
        expected = (model(images) / step).round().long()
    got = network.reference(images).flatten(1)
    assert (got - expected).abs().max() <= 1  # multipliers have 16 bits
    assert (got == expected).float().mean() > 0.9
    assert torch.equal(network.run(images[:2]).flatten(1), got[:2])


def test_an_exported_file(tmp_path):
    torch.manual_seed(0)
    model = Network().eval()
    torch.export.save(torch.export.export(model, (torch.rand(2, 3, 6, 6),)), tmp_path / "net.pt2")
    images, network = made(load_model(str(tmp_path / "net.pt2")), IntegerMac())
    assert torch.equal(network.reference(images), compile_network(model, images, network.bundle.accelerator).reference(images))


def test_another_grid_on_the_way_back():
    class Wrong(nn.Module):
        def forward(self, x):
            return on_grid(torch.relu(x), 0.1, 0, -128, 127, back=0.2)

    with pytest.raises(InputError, match="must have the grid of the quantisation before it"):
        made(Wrong(), IntegerMac())
