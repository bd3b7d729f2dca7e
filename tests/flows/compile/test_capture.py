"""The front end: float operators compute what PyTorch computes, and what cannot run is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from flows.compile.capture import capture
from flows.compile.operators import Add, Affine, Clip, Convolution
from flows.compile.program import export
from flows.compile.stages import fuse
from hwsim.errors import InputError
from models.layers import (
    AdderConv2d,
    AdderLinear,
    BinaryLinear,
    QuantisedConv2d,
    ShiftAddConv2d,
    ShiftLinear,
    adder_conv2d,
)

FILL = {True: -torch.inf, False: 0.0}


def window(x, operator):
    """Pooling and convolution by unfolding."""
    geometry, (down, right) = operator.geometry, operator.geometry.padding
    fill = FILL[getattr(operator, "maximum", False)]
    padded = F.pad(x, (right, right, down, down), value=fill)
    patches = padded.unfold(2, geometry.dilation[0] * (operator.kernel[0] - 1) + 1, geometry.stride[0])
    patches = patches.unfold(3, geometry.dilation[1] * (operator.kernel[1] - 1) + 1, geometry.stride[1])
    return patches[..., :: geometry.dilation[0], :: geometry.dilation[1]]


def execute(graph, x):
    """The operators, each by its definition, in float64."""
    values = {graph.input: x.double().reshape(len(x), *graph.shapes[graph.input])}
    for operator in graph.operators:
        source = values[operator.source]
        if isinstance(operator, Convolution):
            weight, geometry = torch.from_numpy(operator.weight), operator.geometry
            where = (list(geometry.stride), list(geometry.padding), list(geometry.dilation), operator.groups)
            result = (
                adder_conv2d(source, weight, *where, 0.0)
                if operator.term == "adder"
                else F.conv2d(source, weight, None, *where)
            )
        elif isinstance(operator, Affine):
            scale, offset = (torch.from_numpy(np.asarray(v))[:, None, None] for v in (operator.scale, operator.offset))
            result = source * scale + offset
        elif isinstance(operator, Clip):
            result = source.clamp(operator.low, operator.high)
        elif isinstance(operator, Add):
            result = source + values[operator.other]
        else:
            patches = window(source, operator)
            result = patches.amax((-1, -2)) if operator.maximum else patches.sum((-1, -2)) * operator.factor
        assert result.shape[1:] == graph.shapes[operator.output]
        values[operator.output] = result
    return values[graph.output]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Conv2d(4, 4, 1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("scale", torch.tensor([0.5, 2.0, -1.0, 1.0])[:, None, None])

    def forward(self, x):
        y = F.relu6(self.norm(self.conv1(x))) * self.scale
        y = self.conv2(y) + x
        return (F.hardtanh(y, -0.5, 0.75) + x / 2 - 0.25).clamp(min=-1.0).mean((2, 3))


def flat(*layers):
    return nn.Sequential(*layers, nn.Flatten())


NETWORKS = {
    "residual": (Residual(), (4, 6, 5)),
    "pools": (
        flat(nn.MaxPool2d(3, 2, 1), nn.AvgPool2d((2, 1), 1, (1, 0)), nn.AdaptiveAvgPool2d((2, 1)), nn.Dropout()), (3, 9, 7)
    ),
    "dilated": (flat(nn.Conv2d(3, 6, (3, 2), (2, 1), (1, 2), (2, 1), groups=3), nn.ReLU()), (3, 8, 6)),
    "features": (nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(3 * 12, 5), nn.ReLU(), nn.Linear(5, 4)), (2, 4, 5)),
    "rows": (nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.ReLU(), BinaryLinear(5, 3, "bin")), (7,)),
    "shiftadd": (flat(ShiftAddConv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), (3, 7, 7)),
    "linears": (nn.Sequential(ShiftLinear(6, 5), AdderLinear(5, 4), nn.BatchNorm1d(4)), (6,)),
    "quantised": (flat(QuantisedConv2d(3, 4, 3, bits=12), AdderConv2d(4, 4, 1)), (3, 5, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_operators_compute_what_the_network_computes(name):
    torch.manual_seed(0)
    network, shape = NETWORKS[name]
    x = torch.rand(4, *shape) * 0.9
    network.train()
    for _ in range(3):  # statistics of batch norms
        network(torch.randn(8, *shape))
    network.eval()
    graph = capture(export(network, x)).graph
    with torch.no_grad():
        expected = network(x)
    rounded = 2e-3 if name == "quantised" else 1e-4  # the compiler rounds to its own scales
    torch.testing.assert_close(execute(graph, x).flatten(1).float(), expected, rtol=1e-4, atol=rounded)


def test_an_exported_program_is_taken_as_it_is():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).eval()
    exported = torch.export.export(network, (torch.zeros(2, 1, 5, 5),))
    operators = capture(export(exported, torch.zeros(2, 1, 5, 5))).graph.operators
    assert [type(o).__name__ for o in operators] == ["Convolution", "Affine", "Clip"]


def test_stages_fold_norms_residuals_and_limits():
    network = Residual().eval()
    stages = fuse(capture(export(network, torch.zeros(2, 4, 6, 5))).graph)
    assert [(type(s.main).__name__, bool(s.residual), s.low, s.high) for s in stages] == [
        ("Convolution", False, 0.0, 6.0),
        ("Convolution", False, -np.inf, np.inf),  # the scale per channel behind relu6
        ("Convolution", True, -0.5, 0.75),
        ("Pool", True, -np.inf, np.inf),  # x / 2 + the one before
        ("Pool", False, -1.0, np.inf),  # - 0.25
        ("Pool", False, -np.inf, np.inf),
    ]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(2, 4, 1), nn.LayerNorm(36), nn.GELU()

    def forward(self, x):
        return self.act(self.norm(self.conv(x).flatten(1)[:, :36])).softmax(1)


@pytest.mark.parametrize("host_ops", [False, True])
def test_layers_that_cannot_run_are_named(host_ops):
    program = export(Attention().eval(), torch.zeros(2, 2, 3, 3))
    if host_ops:
        split = capture(program, host_ops=True)
        assert [type(o).__name__ for o in split.graph.operators] == ["Convolution", "Affine"]
        assert split.host == ("norm", "act", "softmax")
        return
    with pytest.raises(InputError) as error:
        capture(program)
    named = ("norm (aten.layer_norm.default)", "act (aten.gelu.default)", "softmax (aten.softmax.int)")
    assert str(error.value) == "model: holds layers that the accelerator cannot run: " + "; ".join(
        f"{name} has no command" for name in named
    )


class Middle(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.act, self.second = nn.Conv2d(2, 2, 1), nn.GELU(), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        y = self.first(x)
        return self.second(self.act(y)) + F.relu(y)


@pytest.mark.parametrize(
    ("network", "shape", "options", "message"),
    [
        (nn.GELU(), (2, 3, 3), {}, "model: holds layers that the accelerator cannot run: gelu (aten.gelu.default) has no command"),
        (Middle(), (2, 3, 3), {"host_ops": True}, "model: must need one result of the accelerator on the host, behind act, second, add, not ['conv2d', 'relu']"),
        (nn.Conv1d(2, 2, 1), (2, 3), {}, "input: must have the shape (samples, channels, rows, columns) or (samples, features), not (2, 2, 3)"),
        (nn.MaxPool2d(2, ceil_mode=True), (2, 3, 3), {}, "model: holds layers that the accelerator cannot run: max_pool2d (aten.max_pool2d.default) must not have ceil_mode"),
        (nn.AvgPool2d(3, 1, 1, count_include_pad=False), (2, 3, 3), {}, "model: holds layers that the accelerator cannot run: avg_pool2d (aten.avg_pool2d.default) must have neither ceil_mode nor windows of different sizes"),
        (nn.AdaptiveAvgPool2d(2), (2, 3, 3), {}, "model: holds layers that the accelerator cannot run: adaptive_avg_pool2d (aten.adaptive_avg_pool2d.default) must divide its 3 x 3 pixels"),
        (nn.ConvTranspose2d(2, 2, 1), (2, 3, 3), {}, "model: holds layers that the accelerator cannot run: conv_transpose2d (aten.conv_transpose2d.input) has no command"),
        (nn.Identity(), (2, 3, 3), {}, "model: must hold a layer that the accelerator runs"),
    ],
)  # fmt: skip
def test_errors(network, shape, options, message):
    with pytest.raises(InputError) as error:
        capture(export(network.eval(), torch.zeros(2, *shape)), **options)
    assert str(error.value) == message


def test_what_pytorch_cannot_export_is_an_error():
    with pytest.raises(InputError, match=r"^model: cannot be exported for an input of \(2, 3, 4, 4\): "):
        export(nn.Conv2d(2, 2, 1), torch.zeros(2, 3, 4, 4))
