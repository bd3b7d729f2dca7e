"""SCALE-Sim, Timeloop and AccelForge files: operators by hand, and errors that name file, place, rule and value."""

from __future__ import annotations

import math
import shutil
import tempfile
from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.errors import InputError, UnknownOperatorError
from hwsim.workload import Workload
from hwsim.workload.importers import detect, load
from hwsim.workload.importers.conversion import convert
from hwsim.workload.importers.einsum import Access, contraction, parse_axis

DATA = Path(__file__).parents[2] / "data"


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_scalesim_convolutions():
    stem, depthwise, fc = load(DATA / "scalesim/conv.csv").operators
    assert stem.dims == {"g": 1, "n": 1, "m": 96, "c": 3, "p": 55, "q": 55, "r": 11, "s": 11}
    assert stem.operand("input").projection == ("n", "c", "4*p + 1*r - 0", "4*q + 1*s - 0")
    assert (depthwise.name, depthwise.dims["g"], depthwise.macs) == ("Net.Conv2_DP", 8, 8 * 14 * 10 * 9)
    assert (fc.macs, fc.operand("weight").role) == (1024 * 1000, "parameter")


def test_scalesim_products():
    first, second = load(DATA / "scalesim/gemm.csv").operators
    assert first.dims == {"g": 1, "n": 196, "m": 192, "c": 384}
    assert second.macs == 196 * 1176 * 64


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5))
def test_scalesim_output_size_is_that_of_its_code(size, kernel, stride):
    if kernel > size:
        return
    with tempfile.TemporaryDirectory() as folder:
        row = f"Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\nx,{size},{size},{kernel},{kernel},2,3,{stride},\n"
        (operator,) = load(write(Path(folder), "a.csv", row)).operators
    out = math.ceil((size - kernel + stride) / stride)
    assert operator.macs == out * out * kernel * kernel * 2 * 3


HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
WRONG = [
    (HEADER + "a, 1, B, 1, 1, 2, 2, 1,\n", "line 2, columns: must be a whole number from 1 to 2**48, not 'B'"),
    (HEADER + "a, 1, 1, 1, 1, 2, 2,\n", "line 2, stride: is required"),
    (HEADER + "a, 2, 2, 3, 1, 2, 2, 1,\n", "line 2: filter must not be larger than the input, not {'input': (2, 2), 'filter': (3, 1)}"),
    (HEADER + "a, 1, 1, 1, 1, 2, 2, 1, 7,\n", "line 2, column 9: column must have a header, not '7'"),
    (HEADER, "must hold at least one layer"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_scalesim_errors(tmp_path, text, message):
    path = write(tmp_path, "a.csv", text)
    with pytest.raises(InputError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: {message}"


def test_sparse_layers_are_unknown_or_skipped(tmp_path):
    path = write(tmp_path, "a.csv", "Layer,M,N,K,Sparsity,\na,3,5,16,3:4,\nb,3,5,16,4:4,\n")
    with pytest.raises(UnknownOperatorError) as raised:
        load(path)
    assert str(raised.value) == (
        f"{path}: a: N:M sparse layer on m=3, n=5, k=16: hwsim has no model of N:M sparsity; "
        f"unknown='skip' leaves it out and reports it"
    )
    work = load(path, unknown="skip")
    assert [o.name for o in work.operators] == ["b"]
    assert [s.name for s in work.skipped] == ["a"]


def test_timeloop_problems():
    (one,) = load(DATA / "timeloop/conv1d.yaml").operators
    assert one.macs == 32 * 3 * 16
    assert one.operand("input").shape == (1, 1, 2 * 15 + 3, 1)
    (two,) = load(DATA / "timeloop/conv2d_v04.yaml").operators
    assert two.dims == {"g": 1, "n": 1, "m": 32, "c": 3, "p": 112, "q": 110, "r": 3, "s": 5}
    assert two.operand("input").shape == (1, 3, 2 * 111 + 3, 109 + 5)
    assert two.operand("input").projection[2] == "2*p + 1*r - 0"


def test_timeloop_builtin_shape_with_sizes_in_place(tmp_path):
    path = write(tmp_path, "p.yaml", "problem: {R: 3, S: 3, P: 56, Q: 56, C: 256, K: 256, N: 1, Wstride: 1, Hstride: 1}\n")
    assert load(path).macs == 9 * 56 * 56 * 256 * 256


def test_timeloop_names_what_is_missing(tmp_path):
    path = write(tmp_path, "p.yaml", "problem: {R: 3, S: 3, P: 56, Q: 56, C: 256, N: 1}\n")
    with pytest.raises(InputError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: problem.instance.K: size is required"


def test_accelforge_workload():
    work = load(DATA / "accelforge/chain.yaml")
    copy, product, depthwise = work.operators
    assert (copy.primitive, copy.dims) == ("copy", {"b": 2, "n0": 24})
    assert product.dims == {"g": 1, "n": 2, "m": 16, "c": 24}
    assert depthwise.dims == {"b": 2, "p": 7, "r": 2}
    assert depthwise.operand("input").projection == ("1*b", "2*p + 1*r + 1")
    assert (depthwise.operand("weight").format, depthwise.operand("weight").role) == ("int4", "parameter")
    assert work.dependences() == [set(), {0}, {1}]


def test_templates_are_not_rendered(tmp_path):
    path = write(tmp_path, "w.yaml", "{% set N = 3 %}\nworkload:\n  einsums:\n  - A[m] = B[m] * C[m]\n")
    with pytest.raises(InputError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: is a template: render it first"


def test_unknown_content_lists_the_formats(tmp_path):
    path = write(tmp_path, "a.txt", "hello\n")
    with pytest.raises(InputError) as raised:
        detect(path, b"hello\n")
    assert str(raised.value) == (
        f"{path}: is in none of the known formats: scalesim, onnx, kineto, execution-trace, timeloop, accelforge"
    )


def test_yaml_bombs_are_refused(tmp_path):
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9))
    path = write(tmp_path, "bomb.yaml", f"a0: &a0 [x]\n{levels}\nproblem: *a8\n")
    with pytest.raises(InputError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: line 7: must hold at most 1000000 values"
    deep = write(tmp_path, "deep.yaml", "problem: " + "[" * 101 + "]" * 101)
    with pytest.raises(InputError, match="must nest at most 100 deep"):
        load(deep)


def test_deep_json_is_refused(tmp_path):
    path = write(tmp_path, "deep.json", '{"nodes": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(InputError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: nests too deep"


def test_python_tags_are_not_built(tmp_path):
    path = write(tmp_path, "evil.yaml", "problem: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(InputError, match="is not well-formed: could not determine a constructor"):
        load(path)


def test_convert_writes_what_load_reads(tmp_path):
    for target in ("out.json", "out.yaml"):
        summary = convert(DATA / "scalesim/gemm.csv", tmp_path / target)
        assert summary.operators == 2
        assert Workload.load(tmp_path / target) == load(DATA / "scalesim/gemm.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "x"}, "--from: must be one of scalesim, onnx, kineto, execution-trace, timeloop, accelforge, not 'x'"),
        ({"unknown": "x"}, "--unknown: must be one of error, skip, not 'x'"),
        ({"sizes": ["n"]}, "--size: must be NAME=N with N at least 1, not 'n'"),
    ],
)  # fmt: skip
def test_convert_checks_its_options(tmp_path, options, message):
    with pytest.raises(InputError) as raised:
        convert(DATA / "scalesim/gemm.csv", tmp_path / "out.json", **options)
    assert str(raised.value) == message


def test_content_decides_not_the_suffix(tmp_path):
    path = tmp_path / "odd.json"
    shutil.copy(DATA / "timeloop/conv1d.yaml", path)
    assert load(path).source == "Timeloop problem Conv1D"


def test_axes():
    assert parse_axis("p0 * 2 + r0 - 3") == {"p0": 2, "r0": 1, "": -3}
    assert parse_axis("-2*p") == {"p": -2}
    with pytest.raises(InputError, match="must be affine"):
        parse_axis("p*q")


def test_dimensions_that_mean_something_else_are_renamed():
    axes = [({"n": 1}, {"n": 1}), ({"n": 1}, {"m": 1}), ({"n": 1}, {"m": 1})]  # a diagonal
    a, b, c = (Access(name, axis) for name, axis in zip("abc", axes, strict=True))
    operator = contraction("x", {"n": 3, "m": 4}, (a, b), c)
    assert operator.dims == {"d_n": 3, "d_m": 4}
    assert operator.operand("input").projection == ("1*d_n", "1*d_n")


@given(st.permutations("gnmc"), st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_products_are_recognised_under_any_names(names, sizes):
    g, n, m, c = names
    dims = dict(zip(names, sizes, strict=True))
    axes = [({g: 1}, {n: 1}, {c: 1}), ({g: 1}, {c: 1}, {m: 1}), ({g: 1}, {n: 1}, {m: 1})]
    a, b, out = (Access(name, axis) for name, axis in zip(("a", "b", "o"), axes, strict=True))
    operator = contraction("x", dims, (a, b), out)
    assert operator.dims == {"g": dims[g], "n": dims[n], "m": dims[m], "c": dims[c]}
    assert operator.macs == prod(sizes)
