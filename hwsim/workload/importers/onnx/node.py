"""One node of an ONNX graph on its way to operators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hwsim import formats
from hwsim.errors import InputError
from hwsim.workload.importers.onnx.graph import Graph
from hwsim.workload.importers.unknown import Skips
from hwsim.workload.operator import Access, Operand, Operator, Role


@dataclass(frozen=True)
class Node:
    """A node, with the makers of operators from it."""

    graph: Graph
    proto: Any
    index: int

    @property
    def operator(self) -> str:
        """Type of the node, with its domain unless that is ONNX's own."""
        domain = "" if self.proto.domain in ("", "ai.onnx") else f"{self.proto.domain}."
        return f"{domain}{self.proto.op_type}"

    @property
    def place(self) -> str:
        """What errors call the node."""
        return f"node {self.proto.name or self.index} ({self.operator})"

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs; optional ones that are left out are empty."""
        return list(self.proto.input)

    @property
    def given(self) -> list[str]:
        """Names of the inputs that are there."""
        return [name for name in self.proto.input if name]

    def input(self, index: int) -> str:
        """Return the name of an input that the operator cannot do without."""
        if index >= len(self.proto.input) or not self.proto.input[index]:
            raise InputError(f"must have input {index}")
        return str(self.proto.input[index])

    @property
    def output(self) -> str:
        """Name of the first output."""
        if not self.proto.output:
            raise InputError("must have an output")
        return str(self.proto.output[0])

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute of the type of its default."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                if isinstance(default, str):
                    return attribute.s.decode("utf-8", errors="replace")
                if isinstance(default, tuple):
                    return tuple(attribute.ints) or default
                return attribute.f if isinstance(default, float) else attribute.i
        return default

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return the sizes of a tensor; `InputError` if one is not known."""
        shape = self.graph.shapes.get(tensor)
        if shape is None:
            raise InputError(f"shape of tensor {tensor} must be known")
        for size in shape:
            if isinstance(size, str):
                raise InputError(f"size of the dynamic axis {size} of tensor {tensor} must be given")
        return tuple(int(size) for size in shape)

    def elements(self, tensor: str) -> int:
        """Return the number of values of a tensor."""
        return math.prod(self.shape(tensor))

    def format(self, tensor: str) -> str:
        """Return the number format of a tensor."""
        name = self.graph.formats.get(tensor, "")
        if not name:
            raise InputError(f"type of tensor {tensor} must be a number format that hwsim knows")
        return name

    def role(self, tensor: str) -> Role:
        """Return ``parameter`` for what does not depend on the inputs, ``index`` for other integers."""
        if tensor in self.graph.known:
            return "parameter"
        kind = formats.parse(self.format(tensor)).kind
        return "index" if kind == "int" and formats.parse(self.format(tensor)).bits > 8 else "activation"

    def operand(
        self, name: str, tensor: str, access: Access = "read", projection: tuple[str, ...] = (),
        shape: tuple[int, ...] | None = None,
    ) -> Operand:  # fmt: skip
        """Return a tensor as an operand; ``shape`` where not the whole of it is touched."""
        return Operand(
            name=name, shape=self.shape(tensor) if shape is None else shape, format=self.format(tensor),
            access=access, role=self.role(tensor), projection=projection, tensor=self.graph.identity(tensor),
        )  # fmt: skip

    def operands(self) -> tuple[Operand, ...]:
        """Everything that is read and written."""
        read = [self.operand(f"input{i}", name) for i, name in enumerate(self.inputs) if name]
        made = [name for name in self.proto.output if name and name in self.graph.shapes]
        return (*read, *(self.operand(f"output{i}", name, "write") for i, name in enumerate(made)))

    def triple(self, *tensors: str) -> dict[str, Any]:
        """Return formats, tensors and roles of input, weight and output for a contraction builder."""
        return {
            "formats": tuple(map(self.format, tensors)), "roles": tuple(map(self.role, tensors)),
            "tensors": tuple(map(self.graph.identity, tensors)),
        }  # fmt: skip

    def fields(self) -> dict[str, Any]:
        """Return name, module (the path in the node's name) and source."""
        path = [part for part in self.proto.name.split("/") if part]
        name = ".".join(path) or self.operator
        count = self.graph.names[name] = self.graph.names.get(name, 0) + 1
        return {
            "name": name if count == 1 else f"{name}#{count}", "module": ".".join(path[:-1]),
            "source": f"onnx {self.operator}", "phase": "forward",
        }  # fmt: skip

    def make(self, **fields: Any) -> Operator:
        """Return an operator with the fields that all have, and the given ones."""
        return Operator(**self.fields(), **fields)

    def skip(self, skips: Skips, why: str) -> None:
        """Leave the node out, or stop with an error that tells its shapes."""
        tensors = [name for name in (*self.proto.input, *self.proto.output) if name]
        shapes = [f"{name}{list(self.graph.shapes.get(name, '?'))}" for name in tensors]
        bits = 0
        for name in tensors:
            shape = self.graph.shapes.get(name, ("?",))
            if self.graph.formats.get(name) and all(isinstance(size, int) for size in shape):
                bits += self.elements(name) * formats.parse(self.format(name)).bits
        skips.add(self.operator, self.place, shapes, why=why, bits=bits)
