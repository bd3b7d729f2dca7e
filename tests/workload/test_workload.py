"""YAML forms, what they expand to, and the sentences a wrong file gets."""

import json
import re

import pytest
from hypothesis import given, settings

from hwsim import InputError, Workload
from hwsim.workload.operator import affine
from tests.strategies import convolutions, products

GOOD = """\
schema: hwsim/workload/1
name: small
samples: 8
operators:
  - {kind: linear, name: fc, batch: 30, in_features: 512, out_features: 100, primitive: shift, memory_bits: 10}
  - {kind: matmul, name: qk, batch: 4, rows: 7, inner: 3, columns: 5, count: 2, phase: grad_input}
  - {kind: conv2d, name: conv, batch: 2, in_channels: 4, out_channels: 6, input_size: [8, 8], kernel: [3, 3], stride: [2, 2], padding: [1, 1], groups: 2}
  - {kind: elementwise, name: gelu, elements: 100, inputs: 2, arithmetic: {add: 4, mult: 4}, format: bf16}
"""


def write(tmp_path, text, name="w.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_forms_expand_to_einsums(tmp_path):
    work = Workload.load(write(tmp_path, GOOD))
    linear, product, convolution, gelu = work.operators
    assert (linear.macs, linear.primitive, linear.memory_bits) == (30 * 512 * 100, "shift", 10)
    assert linear.operand("weight").role == "parameter"
    assert (product.macs, product.count, product.phase) == (4 * 7 * 3 * 5, 2, "grad_input")
    assert convolution.dims == {"g": 2, "n": 2, "m": 3, "c": 2, "p": 4, "q": 4, "r": 3, "s": 3}
    assert convolution.operand("input").projection == ("n", "2*g + c", "2*p + 1*r - 1", "2*q + 1*s - 1")
    assert (gelu.macs, gelu.bits_moved, gelu.arithmetic) == (0, 3 * 1600, {"add": 4, "mult": 4})
    assert work.macs == linear.macs + 2 * product.macs + convolution.macs
    assert work.samples == 8


def test_saving_and_loading_keep_everything(tmp_path):
    work = Workload.load(write(tmp_path, GOOD))
    assert Workload.load(work.save(tmp_path / "out" / "w.json")) == work
    assert Workload.load(work.save(tmp_path / "w2.yaml")) == work


@settings(max_examples=60, deadline=None)
@given(convolutions() | products())
def test_any_contraction_survives_its_text(operator):
    assert type(operator).model_validate(json.loads(operator.model_dump_json(exclude_defaults=True))) == operator


@settings(max_examples=100, deadline=None)
@given(convolutions())
def test_projections_reach_the_padded_input_and_no_further(operator):
    image = operator.operand("input")
    for axis, extent in zip(image.projection, image.shape, strict=True):
        terms = dict(affine(axis))
        constant = terms.pop("", 0)
        largest = constant + sum(step * (operator.dims[name] - 1) for name, step in terms.items())
        assert largest < extent - constant


WRONG = [
    ("batch: 30", "batch: 0", "operators[0].batch: must be greater than or equal to 1, not 0"),
    ("batch: 30", "batch: thirty", "operators[0].batch: must be a valid integer, unable to parse string as an integer, not 'thirty'"),
    ("batch: 30", "batch: 1.5", "operators[0].batch: must be a valid integer, got a number with a fractional part, not 1.5"),
    ("batch: 30, ", "", "operators[0].batch: field is required"),
    ("batch: 30", "batch: 30, bach: 3", "operators[0].bach: field is not known here, not 3"),
    ("kind: linear", "kind: lineer", "operators[0].kind: must be one of linear, matmul, conv2d, elementwise, einsum, not 'lineer'"),
    ("primitive: shift", "primitive: multiply", "operators[0].primitive: must be 'mac', 'shift', 'add', 'shift_add', 'binary_add', 'elementwise', 'gather', 'copy' or 'comm', not 'multiply'"),
    ("kernel: [3, 3]", "kernel: [30, 3]", "operators[2]: kernel must fit the padded input, not (-9, 4)"),
    ("in_channels: 4", "in_channels: 5", "operators[2]: channels must divide by groups=2, not (5, 6)"),
    ("kernel: [3, 3]", "kernel: [3]", "operators[2].kernel[1]: field is required"),
    ("input_size: [8, 8]", "input_size: unknown", "operators[2].input_size: must be a valid tuple, not 'unknown'"),
    ("format: bf16", "format: fp31", "operators[3].format: format must be one of fp64, fp32, fp16, bf16, fp8_e4m3, fp8_e5m2, fp4_e2m1, e8m0, bin, bin01, ternary, bool, complex64, complex128, intN, uintN, pow2_N or pow2z_N with N in 1..64, or fixedN_F or ufixedN_F with F <= N, not 'fp31'"),
    ("arithmetic: {add: 4, mult: 4}", "arithmetic: {add: .nan}", "operators[3].arithmetic.add: must be a finite number, not nan"),
    ("schema: hwsim/workload/1", "schema: hwsim/workload/9", "schema: must be 'hwsim/workload/1', not 'hwsim/workload/9'"),
    ("name: small\n", "", "name: field is required"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[row[1][:24] for row in WRONG])
def test_a_wrong_field_is_named_with_its_rule_and_value(tmp_path, old, new, message):
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        Workload.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not well-formed: "),
        ("- 1", "must hold a mapping of fields at its top level, not [1]"),
        ("", "must hold a mapping of fields at its top level, not None"),
        ("!!python/object/apply:os.system [true]", "is not well-formed: could not determine a constructor"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}"):
        Workload.load(path)


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read: no such file or directory$"):
        Workload.load(tmp_path / "nothing.yaml")
    with pytest.raises(InputError, match=r"w\.txt: file name must end in \.yaml, \.yml or \.json, not '\.txt'$"):
        Workload.load(write(tmp_path, GOOD, "w.txt"))
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(InputError, match=r"latin\.yaml: cannot be read: 'utf-8' codec"):
        Workload.load(tmp_path / "latin.yaml")


def test_dependences_follow_tensor_versions():
    def operator(name, reads, writes):
        operands = [{"name": f"i{i}", "shape": (4,), "format": "fp32", "tensor": t} for i, t in enumerate(reads)]
        operands.append({"name": "o", "shape": (4,), "format": "fp32", "tensor": writes, "access": "write"})
        return {"name": name, "primitive": "elementwise", "dims": {"x": 4}, "operands": operands}

    work = Workload.model_validate(
        {
            "name": "w",
            "operators": [
                operator("a", ["1.0"], "2.1"), operator("b", ["2.1"], "2.2"), operator("c", ["2.1", "1.0"], "3.1")
            ],
        }
    )  # fmt: skip
    assert work.dependences() == [set(), {0}, {0}]


@pytest.mark.parametrize("text", ["2*p+r-1", " r + 2 * p - 1 ", "-1+p+p+r"])
def test_affine_expressions(text):
    assert affine(text) == {"p": 2, "r": 1, "": -1}


@pytest.mark.parametrize("text", ["", "p r", "2**p", "p*2", "+", "P", "p+", "1.5*p"])
def test_other_expressions_are_refused(text):
    with pytest.raises(InputError, match=r"^projection must be a sum of terms such as"):
        affine(text)
