"""ONNX graphs: one forward pass, with shapes from ONNX's own inference and true dependences by tensor name.

What depends on initializers and shapes alone is computed before the pass and costs nothing. Values of weights are not
needed: data outside of the file is not read, data inside is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hwsim.errors import InputError
from hwsim.workload.importers.onnx.graph import Graph, read
from hwsim.workload.importers.onnx.node import Node
from hwsim.workload.importers.onnx.rules import RULES, VIEWS
from hwsim.workload.importers.reading import located
from hwsim.workload.importers.unknown import Skips, Unknown
from hwsim.workload.operator import Operator
from hwsim.workload.workload import Workload


def load(path: Path | str, data: bytes, unknown: Unknown, sizes: Mapping[str, int]) -> Workload:
    """Return the operators of a graph; ``sizes`` gives those of its named dynamic axes."""
    graph = read(path, data, sizes)
    skips = Skips(path, unknown)
    operators: list[Operator] = []
    for index, proto in enumerate(graph.nodes):
        node = Node(graph, proto, index)
        if graph.is_known_before(proto):
            graph.known.update(proto.output)
        elif node.operator in VIEWS:
            graph.alias(proto.input[0], proto.output[0])
        elif (rule := RULES.get(node.operator)) is None:
            node.skip(skips, "hwsim has no rule for it")
        else:
            with located(path, node.place):
                operators += rule(node)
    if not operators:
        raise InputError("holds no operator that hwsim knows", file=path)
    return Workload(
        name=graph.name or Path(path).stem, source=f"ONNX {graph.versions}", samples=_samples(graph),
        operators=tuple(operators), skipped=tuple(skips.operators),
    )  # fmt: skip


def _samples(graph: Graph) -> int:
    """Return the first size of the first input."""
    shape = graph.shapes.get(graph.inputs[0], ()) if graph.inputs else ()
    return max(shape[0], 1) if shape and isinstance(shape[0], int) else 1
