"""Short YAML forms of operators, each of which expands to one `Operator`.

``kind`` selects the form: ``linear``, ``matmul``, ``conv2d``, ``elementwise``, or the full ``einsum``.
docs/workloads.md documents every field with examples.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag

from hwsim.files import Frozen
from hwsim.workload.contraction import conv2d, matmul
from hwsim.workload.operator import Arithmetic, FormatName, Operand, Operator, Phase, Primitive, Size

Pair = Annotated[tuple[Size, Size], Field(description="rows, columns")]


class _Form(Frozen):
    name: str = Field(min_length=1)
    format: FormatName = "fp32"
    """Of every operand."""
    phase: Phase = "forward"
    count: PositiveInt = 1
    module: str = ""

    def _shared(self) -> dict[str, Any]:
        return {"phase": self.phase, "count": self.count, "module": self.module or self.name}


class _ContractionForm(_Form):
    primitive: Primitive = "mac"
    on_chip: bool | None = None
    memory_bits: PositiveInt | None = None

    def _shared(self) -> dict[str, Any]:
        own = self.model_dump(include={"primitive", "on_chip", "memory_bits"})
        return super()._shared() | own | {"formats": (self.format,) * 3}


class Linear(_ContractionForm):
    """A fully connected layer: ``batch`` rows (samples or tokens) through one weight matrix."""

    kind: Literal["linear"]
    batch: Size
    in_features: Size
    out_features: Size

    def operator(self) -> Operator:
        """Expand to an extended einsum."""
        return matmul(
            self.name, rows=self.batch, inner=self.in_features, columns=self.out_features,
            roles=("activation", "parameter", "activation"), source="linear", **self._shared(),
        )  # fmt: skip


class Matmul(_ContractionForm):
    """``batch`` independent products of a ``rows x inner`` and an ``inner x columns`` activation."""

    kind: Literal["matmul"]
    batch: Size = 1
    rows: Size
    inner: Size
    columns: Size

    def operator(self) -> Operator:
        """Expand to an extended einsum."""
        return matmul(
            self.name, batch=self.batch, rows=self.rows, inner=self.inner, columns=self.columns,
            source="matmul", **self._shared(),
        )  # fmt: skip


class Conv2d(_ContractionForm):
    """A two-dimensional convolution; ``output_size`` overrides what the geometry gives."""

    kind: Literal["conv2d"]
    batch: Size = 1
    in_channels: Size
    out_channels: Size
    input_size: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 0)
    dilation: Pair = (1, 1)
    groups: Size = 1
    output_size: Pair | None = None

    def operator(self) -> Operator:
        """Expand to an extended einsum."""
        geometry = self.model_dump(
            include={"batch", "in_channels", "out_channels", "input_size", "kernel", "stride", "padding",
                     "dilation", "groups", "output_size"}
        )  # fmt: skip
        return conv2d(self.name, **geometry, source="conv2d", **self._shared())


class Elementwise(_Form):
    """A map over ``elements`` values: ``inputs`` tensors read, one written."""

    kind: Literal["elementwise"]
    elements: Size
    inputs: Annotated[int, Field(ge=0, le=64)] = 1
    arithmetic: dict[Arithmetic, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {"add": 1}
    """Elementary operations per element."""

    def operator(self) -> Operator:
        """Expand to an extended einsum."""
        read = [Operand(name=f"input{i}", shape=(self.elements,), format=self.format) for i in range(self.inputs)]
        written = Operand(name="output", shape=(self.elements,), format=self.format, access="write")
        return Operator(
            name=self.name, primitive="elementwise", dims={"x": self.elements}, operands=(*read, written),
            arithmetic=self.arithmetic, source="elementwise", **self._shared(),
        )  # fmt: skip


def _kind(form: Any) -> Any:
    return form.get("kind", "einsum") if isinstance(form, dict) else getattr(form, "kind", None)


OperatorForm = Annotated[
    Annotated[Linear, Tag("linear")]
    | Annotated[Matmul, Tag("matmul")]
    | Annotated[Conv2d, Tag("conv2d")]
    | Annotated[Elementwise, Tag("elementwise")]
    | Annotated[Operator, Tag("einsum")],
    Discriminator(_kind),
]
"""Any form; ``kind`` chooses, and a missing ``kind`` means the full ``einsum``."""


def expand(form: OperatorForm) -> Operator:
    """Return the operator that ``form`` stands for; `InputError` if its geometry is impossible."""
    return form if isinstance(form, Operator) else form.operator()
