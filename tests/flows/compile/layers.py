"""Random layers of every kind on random accelerators, in integers, ready to be lowered."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from flows.compile.operators import Add, Affine, Clip, Convolution, Geometry, Graph, Pool
from flows.compile.quantise import quantise
from flows.compile.stages import fuse
from rtl.accelerator import Accelerator
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE

ELEMENTS = {
    "int8": (IntegerMac(), "mac"),
    "uint8": (IntegerMac(x_signed=False), "mac"),
    "int16": (IntegerMac(x_bits=16, w_bits=16, accumulator=40), "mac"),
    "narrow": (IntegerMac(accumulator=18), "mac"),
    "shift": (ShiftPE(zero=True), "shift"),
    "shift_without_zero": (ShiftPE(), "powers"),
    "shift_right": (ShiftPE(zero=True, direction="right", fraction=4, accumulator=24), "shift"),
    "shift_right_exact": (ShiftPE(direction="right", fraction=9, accumulator=30), "powers"),
    "adder": (AdderPE(stages=1), "adder"),
    "binary": (BinaryAddPE(), "mask"),
    "signs": (BinaryAddPE(weights="bin"), "signs"),
    "fusible": (FusibleMac(), "mac"),
    "fusible16": (FusibleMac(bits=16, accumulator=40), "mac"),
    "serial": (BitSerialMac(), "mac"),
    "shift_add": (ShiftAddPE(), "powers"),
    "shift_add_adder": (ShiftAddPE(), "adder"),
}
ACTIVATIONS = {"uint8": "uint8", "int16": "int16", "fusible16": "int16"}
TERMS = {"mask": "binary", "signs": "binary", "powers": "shift"}


def weights(draw, kind, shape):
    """Random weights that suit a kind of term."""
    if kind == "mask":
        return draw.integers(0, 2, shape).astype(float)
    if kind == "signs":
        return draw.choice([-1.0, 1.0], shape)
    if kind in ("shift", "powers"):
        zero = draw.random(shape) < 0.4 if kind == "shift" else False
        return np.where(zero, 0.0, draw.choice([-1.0, 1.0], shape) * 2.0 ** -draw.integers(0, 7, shape))
    return draw.normal(size=shape)


@st.composite
def cases(draw, elements=tuple(ELEMENTS)):
    """A random layer with its surroundings as an integer graph, its accelerator, and images."""
    element = draw(st.sampled_from(elements))
    pe, kind = ELEMENTS[element]
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    spans = [gap * (size - 1) + 1 - 2 * pad for gap, size, pad in zip(dilation, kernel, padding, strict=True)]
    size = tuple(draw(st.integers(max(span, 1), max(span, 1) + 6)) for span in spans)
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3, 5, 11]))
    depth, width = draw(st.integers(1, 13 if groups < 4 else 2)), draw(st.integers(1, 11 if groups < 4 else 2))
    channels = groups * depth
    random = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    unsigned = element == "uint8"
    geometry, filters = Geometry(stride, padding, dilation), groups * width
    pooled = draw(st.sampled_from(["", "", "", "", "max", "sum"]))
    if pooled:
        filters, pads = channels, (min(padding[0], kernel[0] // 2), min(padding[1], kernel[1] // 2))
        geometry = Geometry(stride, pads, dilation if pooled == "max" else (1, 1))
        assume(all(
            extent + 2 * pad >= gap * (k - 1) + 1
            for extent, pad, gap, k in zip(size, pads, geometry.dilation, kernel, strict=True)
        ))  # fmt: skip
        main = Pool(
            "layer", "x", "sum", pooled == "max", kernel, geometry, 1.0 if pooled == "max" else 1 / np.prod(kernel)
        )
    else:
        weight = weights(random, kind, (filters, depth, *kernel))
        bits = draw(st.sampled_from([None, 2, 4, 8])) if element.startswith("fusible") else None
        main = Convolution("layer", "x", "sum", TERMS.get(kind, kind), weight, geometry, groups, bits)
    output = tuple(
        (extent + 2 * pad - gap * (k - 1) - 1) // step + 1
        for extent, pad, gap, k, step in zip(
            size, geometry.padding, geometry.dilation, kernel, geometry.stride, strict=True
        )
    )
    shapes = {"x": (channels, *size), "sum": (filters, *output)}
    operators, last = [main], "sum"
    if not pooled and draw(st.booleans()):
        operators.append(Affine("norm", last, "norm", random.normal(size=filters), random.normal(size=filters)))
        last = "norm"
    residual = draw(st.sampled_from(["", "", "before", "input"]))
    if residual == "input" and shapes["x"] == shapes["sum"]:
        operators.append(Add("add", last, "add", "x"))
        last = "add"
    if draw(st.booleans()) or unsigned:
        operators.append(Clip("relu", last, "relu", 0.0))
        last = "relu"
    if residual == "before":  # the result again, of which a copy is added
        operators += [Clip("copy", last, "copy", -1e9 if not unsigned else 0.0), Add("twice", last, "twice", "copy")]
        last = "twice"
    shapes |= {operator.output: shapes["sum"] for operator in operators}
    graph = Graph("x", last, shapes, tuple(operators), {})
    stages = fuse(graph)
    reach = float(random.uniform(0.5, 4))
    ranges = dict.fromkeys(("x", *(stage.output for stage in stages)), (0.0 if unsigned else -reach, reach))
    one = Accelerator(
        rows=rows, columns=columns, pe=pe, activations=ACTIVATIONS.get(element, "int8"),
        word_lanes=columns << draw(st.integers(0, 2)), activation_words=1 << 14, weight_words=1 << 14,
        parameter_words=256, sum_words=1 << 12, memory_bits=draw(st.sampled_from([8, 32, 64, 128])),
    )  # fmt: skip
    integers = quantise(graph, stages, ranges, one)
    low, high = integers.limits
    images = random.integers(low, high + 1, (2, *shapes["x"]))
    return integers, one, images
