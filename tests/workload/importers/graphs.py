"""Small ONNX graphs that the tests share."""

from __future__ import annotations

import numpy as np


def small_graph() -> bytes:
    """Return a graph with a convolution, a shape computed from a shape, a product and a softmax."""
    from onnx import helper

    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["y"], name="/stem/Conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["y"], ["z"], name="/stem/Relu"),
        helper.make_node("Shape", ["z"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["z", "t"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["g"], name="/head/MatMul"),
        helper.make_node("Softmax", ["g"], ["out"], name="/head/Softmax"),
    ]
    weights = {
        "w": np.zeros((4, 3, 3, 3), np.float32), "b": np.zeros(4, np.float32), "m": np.zeros((64, 10), np.float32),
        "zero": np.array([0]), "rest": np.array([-1]),
    }  # fmt: skip
    return graph(nodes, {"x": ["batch", 3, 8, 8]}, ["out"], weights, fixed={"batch": 2})


def graph(nodes, inputs, outputs, weights=None, fixed=None, opset=14, kinds=None) -> bytes:
    """Serialise a graph of fp32 inputs; ``fixed`` gives dynamic axes their sizes."""
    from onnx import TensorProto, helper, numpy_helper

    shapes = {name: [(fixed or {}).get(size, size) for size in shape] for name, shape in inputs.items()}
    made = helper.make_graph(
        nodes, "graph",
        [helper.make_tensor_value_info(n, (kinds or {}).get(n, TensorProto.FLOAT), s) for n, s in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)]).SerializeToString()
