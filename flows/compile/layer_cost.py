"""Cost of an operator of a workload on the accelerator: that of the program of a layer of its shape."""

from __future__ import annotations

import numpy as np

from flows.compile.choice import chosen
from flows.compile.element import Mode, choose
from flows.compile.integer import IntegerGraph, Layer, Sum
from flows.compile.memory import allocate
from flows.compile.operators import Geometry, Term
from flows.compile.plan import scheduled
from flows.compile.price import accelerator_of, execution, silicon, steps
from hwsim import formats
from hwsim.architecture import Programmed
from hwsim.cost.accounting import Convention
from hwsim.cost.programmed import price
from hwsim.cost.result import OperatorCost
from hwsim.cost.streaming import not_priced
from hwsim.cost.systolic_pricing import refuse_published
from hwsim.errors import InputError
from hwsim.mapping.lowering import convolution_nest
from hwsim.technology import Technology
from hwsim.workload.operator import Operator
from rtl.accelerator import Accelerator

TERMS: dict[str, Term] = {"mac": "mac", "shift": "shift", "add": "adder", "binary_add": "binary"}
"""Terms by primitive."""


def price_on_accelerator(
    operator: Operator, architecture: Programmed, technology: Technology, convention: Convention
) -> OperatorCost:
    """Price one execution of a contraction, sample by sample; its weights are loaded before it begins.

    Not covered is what has no program: products of activations, gradients, other shapes than layers have, and images
    that do not fit the activations.

    Raises
    ------
    HwsimError
        If the convention is one of row-stationary arrays, or the technology lacks a coefficient.
    """
    refuse_published(convention, architecture.name)
    accelerator = accelerator_of(architecture)
    try:
        graph, samples = _graph(operator, accelerator)
        tensors = allocate(graph, accelerator)
        work = chosen(graph, tensors, accelerator)
    except InputError as error:
        return not_priced(operator, f"not on {architecture.name}: {error}")
    commands = [command for _, command in scheduled(work, accelerator, lambda item, target: 0)]
    own = steps(accelerator, commands, architecture.memory_latency)
    term = _mode(operator, accelerator).term
    one = execution(accelerator.array, own, operator.name, term, operator.macs, operator.bits_moved)
    return _of(price(one, silicon(accelerator), architecture, technology), operator, samples)


def _of(cost: OperatorCost, operator: Operator, samples: int) -> OperatorCost:
    """Return the cost of ``samples`` programs as that of the operator."""
    charges = tuple(
        charge.model_copy(update={"times": charge.times * samples, "energy_pj": charge.energy_pj * samples})
        for charge in cost.charges
    )
    changed = {
        "module": operator.module, "source": operator.source, "phase": operator.phase, "count": operator.count,
        "macs": operator.macs, "energy_pj": cost.energy_pj * samples, "latency_s": cost.latency_s * samples,
        "charges": charges, "mapping": {**cost.mapping, "samples": samples},
    }  # fmt: skip
    return cost.model_copy(update=changed)


def _graph(operator: Operator, accelerator: Accelerator) -> tuple[IntegerGraph, int]:
    """Return a network of one layer, and how many samples go through it.

    Raises
    ------
    InputError
        If the operator is no layer, or the PE cannot sum such terms.
    """
    nest = convolution_nest(operator)
    if nest is None or operator.operand("weight").role != "parameter" or operator.written.name != "output":
        raise InputError("must be a product of activations and parameters, forward")
    rows, top = _axis(nest.h, nest.e, nest.r, nest.stride[0], nest.dilation[0])
    columns, left = _axis(nest.w, nest.f, nest.s, nest.stride[1], nest.dilation[1])
    weight = np.ones((nest.m * nest.repeats, nest.c, nest.r, nest.s), np.int8)
    geometry = Geometry(nest.stride, (top, left), nest.dilation)
    main = Sum(_mode(operator, accelerator), weight, geometry, nest.repeats)
    each = np.zeros(len(weight), np.int64)
    layer = Layer(operator.name, "x", "y", main, each, each, 0, 0, 1)
    shapes = {"x": (nest.c * nest.repeats, rows, columns), "y": (len(weight), nest.e, nest.f)}
    return IntegerGraph("x", "y", shapes, {}, (layer,), (0, 1), accelerator.sum_bits), nest.n


def _axis(size: int, outputs: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return how much of an axis the outputs see, and the padding on either side."""
    seen = (outputs - 1) * stride + (kernel - 1) * dilation + 1
    padding = max(seen - size, 0) // 2
    return seen - 2 * padding, padding


def _mode(operator: Operator, accelerator: Accelerator) -> Mode:
    if operator.primitive not in TERMS:
        raise InputError(f"must be one of {', '.join(TERMS)}", field="primitive", value=operator.primitive)
    form = formats.parse(operator.operand("weight").format)
    bits = form.bits if form.kind == "int" else None
    return choose(accelerator, operator.name, TERMS[operator.primitive], np.ones(1), bits)
