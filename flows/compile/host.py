"""What is left to the host: the layers behind the accelerator as a program of PyTorch's own, and running all of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx import Node

from flows.compile.program import Program
from hwsim.errors import InputError


def tail(program: Program, nodes: Sequence[Node], last: Sequence[Node]) -> bytes:
    """Return, as `torch.export.save` writes it, what computes the output from the last image of the accelerator.

    It takes real numbers ``(batch, channels, rows, columns)`` for the batch that the network was exported for.

    Parameters
    ----------
    nodes
        Of the host, in order.
    last
        Nodes that stand for the accelerator's output, in whatever shape.
    """
    module, graph = torch.nn.Module(), fx.Graph()
    image = graph.placeholder("image")
    known = {node: graph.call_function(torch.ops.aten.reshape.default, (image, list(node.meta["val"].shape)))
             for node in last}  # fmt: skip

    def value(node: Node) -> Any:
        if node not in known:
            constant = program.constants[node.name]
            if not isinstance(constant, Tensor):
                return constant
            module.register_buffer(node.name, constant)
            known[node] = graph.get_attr(node.name)
        return known[node]

    for node in nodes:
        for source in node.all_input_nodes:
            value(source)
        target: Any = node.target
        known[node] = graph.call_function(target, fx.map_arg(node.args, value), fx.map_arg(node.kwargs, value))
    graph.output(known[program.output])
    example = torch.zeros(next(node.meta["val"].shape for node in last)).reshape(program.batch, -1)
    exported = torch.export.export(fx.GraphModule(module, graph), (example,), strict=False)
    file = io.BytesIO()
    torch.export.save(exported, file)
    return file.getvalue()


def run(saved: bytes, images: Tensor) -> Tensor:
    """Return what the host makes of the accelerator's outputs, real numbers ``(samples, channels, rows, columns)``.

    They are taken in batches; what does not fill the last batch is filled from the first.

    Raises
    ------
    InputError
        If the program does not take such images.
    """
    program = torch.export.load(io.BytesIO(saved))
    placeholder = next(node for node in program.graph.nodes if node.name == "image")
    batch, features = placeholder.meta["val"].shape
    flat = images.reshape(len(images), -1).float()
    if flat.shape[1] != features:
        raise InputError(f"must have {features} numbers per sample", field="images", value=tuple(images.shape))
    module = program.module()
    found = []
    for first in range(0, len(flat), batch):
        index = torch.arange(first, first + batch) % len(flat)
        with torch.no_grad():
            found.append(module(flat[index]))
    return torch.cat(found)[: len(flat)]
