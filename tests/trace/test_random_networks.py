"""Random small networks: their steps are closed, and their contractions are those counted by hand and by `make_fx`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from hwsim.trace import StepCapture
from tests.trace import reference
from tests.trace.steps import OPTIMIZERS


@dataclass
class Plan:
    """What a network is made of: functions of ``(module, x)``, their parameters, and the products they do."""

    shape: tuple[int, ...]
    """Of the tensor that the next part gets: images (N, C, H, W) or tokens (N, T, C)."""
    parts: list = field(default_factory=list)
    layers: dict[str, nn.Module] = field(default_factory=dict)
    macs: int = 0

    def layer(self, module):
        name = f"layer{len(self.layers)}"
        self.layers[name] = module
        return name

    def add(self, part, shape=None, macs=0):
        self.parts.append(part)
        self.shape = self.shape if shape is None else shape
        self.macs += macs


class Network(nn.Module):
    def __init__(self, plan):
        super().__init__()
        self.parts = plan.parts
        for name, layer in plan.layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        for part in self.parts:
            x = part(self, x)
        return x


def convolution(plan, draw):
    batch, channels, rows, columns = plan.shape
    groups = draw(st.sampled_from([1, 2, channels]))
    out, kernel, stride = groups * draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    out += out % 2
    groups = groups if out % groups == 0 else 1
    name = plan.layer(nn.Conv2d(channels, out, kernel, stride, 1, groups=groups, bias=draw(st.booleans())))
    size = [(extent + 2 - kernel) // stride + 1 for extent in (rows, columns)]
    macs = batch * out * math.prod(size) * channels // groups * kernel**2
    plan.add(lambda net, x: getattr(net, name)(x), (batch, out, *size), macs)


def residual(plan, draw):
    batch, channels, rows, columns = plan.shape
    name = plan.layer(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)))
    inplace = draw(st.booleans())

    def part(net, x):
        y = getattr(net, name)(x)
        return F.relu_(y.add_(x)) if inplace else F.relu(y + x)

    plan.add(part, macs=batch * channels**2 * rows * columns * 9)


def norm(plan, draw):
    images = len(plan.shape) == 4
    name = plan.layer(nn.BatchNorm2d(plan.shape[1]) if images else nn.LayerNorm(plan.shape[2]))
    plan.add(lambda net, x: getattr(net, name)(x))


def in_place(plan, draw):
    """On a copy, of which some parts are changed through views."""
    kind = draw(st.sampled_from(["mul_", "slice", "masked", "relu_"]))

    def part(net, x):
        y = x * 2
        if kind == "mul_":
            y.mul_(0.5).add_(x)
        elif kind == "slice":
            y[:, :1].add_(1)
        elif kind == "masked":
            y.masked_fill_(y > 1, 1.0)
        else:
            F.relu_(y.flatten(1))
        return y

    plan.add(part)


def views(plan, draw):
    """Take apart and put together again, or turn two axes around and copy."""
    kind, last = draw(st.sampled_from(["chunk", "transpose", "reshape", "slice"])), plan.shape[-1]

    def part(net, x):
        if kind == "chunk":
            first, second = x.chunk(2, dim=1) if x.shape[1] > 1 else (x, x)
            return torch.cat([second, first], dim=1)[:, : x.shape[1]]
        if kind == "transpose":
            return x.transpose(1, -1).contiguous().transpose(1, -1)
        if kind == "reshape":
            return x.reshape(-1, last).view(x.shape)
        return x + x[:, :1].expand_as(x)

    plan.add(part)


def to_tokens(plan, draw):
    batch, channels, rows, columns = plan.shape
    plan.add(lambda net, x: x.flatten(2).mT, (batch, rows * columns, channels))


def linear(plan, draw):
    batch, tokens, channels = plan.shape
    out = 2 * draw(st.integers(1, 3))
    name = plan.layer(nn.Linear(channels, out, bias=draw(st.booleans())))
    plan.add(lambda net, x: getattr(net, name)(x), (batch, tokens, out), batch * tokens * channels * out)


def einsum(plan, draw):
    """With a weight of every token position, or of two activations."""
    batch, tokens, channels = plan.shape
    if draw(st.booleans()):
        out = 2 * draw(st.integers(1, 2))
        name = plan.layer(nn.ParameterList([torch.randn(tokens, channels, out)]))
        part = lambda net, x: torch.einsum("btc,tco->bto", x, getattr(net, name)[0])  # noqa: E731
        plan.add(part, (batch, tokens, out), batch * tokens * channels * out)
    else:
        plan.add(
            lambda net, x: torch.einsum("bqk,bkc->bqc", torch.einsum("bqc,bkc->bqk", x, x).softmax(-1), x),
            macs=2 * batch * tokens**2 * channels,
        )


def attention(plan, draw):
    batch, tokens, channels = plan.shape
    shared, causal = draw(st.booleans()), draw(st.booleans())
    width = channels // 2
    name = plan.layer(nn.Linear(channels, 2 * width + 2 * (width if shared else 2 * width)))

    def part(net, x):
        heads = 1 if shared else 2
        y = getattr(net, name)(x).unflatten(-1, (-1, width)).transpose(1, 2)
        q, k, v = y[:, :2], y[:, 2 : 2 + heads], y[:, 2 + heads :]
        z = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=shared)
        return z.transpose(1, 2).flatten(2)

    columns = 2 * width + 2 * width * (1 if shared else 2)
    plan.add(part, (batch, tokens, 2 * width), batch * tokens * (channels * columns + 2 * 2 * tokens * width))


IMAGES = (convolution, residual, norm, in_place, views)
TOKENS = (linear, einsum, attention, norm, in_place, views)


@st.composite
def networks(draw):
    """A plan, and the shape of the images it begins with."""
    first = draw(st.integers(1, 2)), 2 * draw(st.integers(1, 2)), draw(st.integers(2, 4)), draw(st.integers(3, 4))
    plan = Plan(first)
    convolution(plan, draw)
    for part in draw(st.lists(st.sampled_from(IMAGES), max_size=3)):
        part(plan, draw)
    to_tokens(plan, draw)
    for part in draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=4)):
        part(plan, draw)
    return plan, first


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from(["sgd-momentum", "adamw-fused", "adamw-foreach"]))
def test_random_network(data, optimizer):
    torch.manual_seed(0)
    with FakeTensorMode():
        plan, shape = data.draw(networks())
        model, inputs = Network(plan), torch.zeros(shape)
        update = OPTIMIZERS[optimizer](model.parameters())

        def step():
            update.zero_grad()
            model(inputs).mean().backward()
            update.step()

        step()
        with StepCapture() as capture:
            step()
        told = {"model": model, "optimizers": [update], "inputs": [inputs]}
        closure = capture.closure(**told)
        assert closure.missing == closure.unexpected == frozenset()
        workload = capture.workload(name="random", **told)
        assert sum(o.macs for o in workload.operators if o.phase == "forward") == plan.macs
        assert reference.of_workload(workload) == reference.of_graph(reference.traced(model, (inputs,)))
