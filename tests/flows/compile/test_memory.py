"""Tensors in the activations: what a layer reads is still there, however places are shared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.compile.element import Mode
from flows.compile.integer import IntegerGraph, Layer, Reduce, Sum
from flows.compile.memory import allocate
from flows.compile.operators import Geometry
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.pe import find


def accelerator(words):
    return Accelerator(rows=2, columns=2, word_lanes=2, pe=find("int8_mac"), activation_words=words)


@st.composite
def graphs(draw):
    """Chains of sums and pointwise layers with residuals from anywhere before, over two sizes of images."""
    shapes, layers, names = {"t0": (2, 2, 3)}, [], ["t0"]
    for index in range(draw(st.integers(1, 8))):
        source, output = draw(st.sampled_from(names[-3:])), f"t{index + 1}"
        main = draw(st.sampled_from([
            Reduce(True, (1, 1), Geometry()), Sum(Mode("mac"), np.ones((2, 2, 1, 1), int), Geometry()),
            Sum(Mode("mac"), np.ones((5, 2, 1, 1), int), Geometry()),
        ]))  # fmt: skip
        channels = shapes[source][0] if isinstance(main, Reduce) else len(main.weight)
        shapes[output] = (channels, 2, 3)
        alike = [name for name in names if shapes[name] == shapes[output]]
        residual = draw(st.sampled_from(["", *alike]))
        zeros = np.zeros(channels, int)
        layers.append(Layer(f"l{index}", source, output, main, zeros, zeros, 0, -128, 127, residual))
        names.append(output)
    used = {"t0", names[-1], *(layer.source for layer in layers), *(layer.residual for layer in layers)}
    kept = tuple(layer for layer in layers if layer.output in used)
    return IntegerGraph("t0", kept[-1].output, shapes, dict.fromkeys(shapes, 1.0), kept, (-128, 127), 32)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_layers_find_what_they_read(graph):
    places = allocate(graph, accelerator(1 << 10))
    holds = dict.fromkeys(range(places[graph.input].base, places[graph.input].base + places[graph.input].size), graph.input)
    for layer in graph.layers:
        for name in filter(None, (layer.source, layer.residual)):
            words = range(places[name].base, places[name].base + places[name].size)
            assert {holds[word] for word in words} == {name}
        target = places[layer.output]
        if isinstance(layer.main, Sum):  # it reads its source while it writes
            source = places[layer.source]
            assert target.base >= source.base + source.size or source.base >= target.base + target.size
        holds |= dict.fromkeys(range(target.base, target.base + target.size), layer.output)
    final = places[graph.output]
    assert {holds[word] for word in range(final.base, final.base + final.size)} == {graph.output}


def chain(*residuals):
    """Sums over images of 6 words, one after the other, each with the named residual."""
    zeros, layers = np.zeros(2, int), []
    for index, residual in enumerate(residuals):
        main = Sum(Mode("mac"), np.ones((2, 2, 1, 1), int), Geometry())
        layers.append(Layer(f"l{index}", f"t{index}", f"t{index + 1}", main, zeros, zeros, 0, -128, 127, residual))
    shapes = {f"t{index}": (2, 2, 3) for index in range(len(residuals) + 1)}
    return IntegerGraph("t0", f"t{len(residuals)}", shapes, dict.fromkeys(shapes, 1.0), tuple(layers), (-128, 127), 32)


def test_places_are_used_again():
    places = allocate(chain("", "", "", ""), accelerator(12))
    assert [places[f"t{index}"].base for index in range(5)] == [0, 6, 0, 6, 0]
    written_over = allocate(chain("", "t0"), accelerator(12))
    assert written_over["t2"].base == written_over["t0"].base


def test_too_few_words():
    rule = r"^activation_words: must be at least 18 for layer l1, which holds \{'t0': 6, 't1': 6, 't2': 6\} words, not 17$"
    with pytest.raises(InputError, match=rule):
        allocate(chain("", "", "t0"), accelerator(17))
