"""Builders of contractions: convolution and matrix product, each with its two gradients.

Canonical dimensions: ``g`` groups (or batch of a batched product), ``n`` batch (or rows), ``m`` output channels,
``c`` input channels, ``p``, ``q`` output rows and columns, ``r``, ``s`` kernel rows and columns. Counts ``m`` and
``c`` are per group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hwsim.errors import InputError
from hwsim.workload.operator import Operand, Operator, Phase, Primitive, Role

Direction = Literal["output", "input", "weight"]
"""Which operand is written: the product itself, the gradient of the input or the gradient of the weight."""

PHASE: dict[Direction, Phase] = {"output": "forward", "input": "grad_input", "weight": "grad_weight"}


def convolved(extent: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Output extent of a convolution along one axis."""
    return (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def conv2d(
    name: str,
    *,
    batch: int,
    in_channels: int,
    out_channels: int,
    input_size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    output_size: tuple[int, int] | None = None,
    primitive: Primitive = "mac",
    writes: Direction = "output",
    formats: tuple[str, str, str] = ("fp32", "fp32", "fp32"),
    tensors: tuple[str, str, str] = ("", "", ""),
    roles: tuple[Role, Role, Role] = ("activation", "parameter", "activation"),
    **fields: object,
) -> Operator:
    """Return a two-dimensional convolution, or a gradient of it, as an operator.

    Parameters
    ----------
    input_size, output_size
        Rows and columns; the output is computed from the geometry unless given.
    writes
        Which operand is the result.
    formats, tensors, roles
        Of input, weight and output, in that order.
    fields
        Further fields of `Operator` (``phase``, ``module``, ``count`` ...).

    Raises
    ------
    InputError
        If the channels do not divide by the groups or the kernel does not fit the padded input.
    """
    if in_channels % groups or out_channels % groups:
        raise InputError(
            f"channels must divide by groups={groups}", field=name, value=(in_channels, out_channels)
        )
    geometry = list(zip(input_size, kernel, stride, padding, dilation, strict=True))
    rows, columns = output_size or tuple(convolved(*axis) for axis in geometry)
    if rows < 1 or columns < 1:
        raise InputError("kernel must fit the padded input", field=name, value=(rows, columns))
    per_group_in, per_group_out = in_channels // groups, out_channels // groups
    dims = {
        "g": groups, "n": batch, "m": per_group_out, "c": per_group_in,
        "p": rows, "q": columns, "r": kernel[0], "s": kernel[1],
    }  # fmt: skip
    channel = f"{per_group_in}*g + c" if groups > 1 else "c"
    out_channel = f"{per_group_out}*g + m" if groups > 1 else "m"
    axes = [
        f"{stride[axis]}*{out} + {dilation[axis]}*{kernel_dim} - {padding[axis]}"
        for axis, (out, kernel_dim) in enumerate((("p", "r"), ("q", "s")))
    ]
    shapes = {
        "input": (batch, in_channels, *input_size),
        "weight": (out_channels, per_group_in, *kernel),
        "output": (batch, out_channels, rows, columns),
    }
    projections = {
        "input": ("n", channel, *axes),
        "weight": (out_channel, "c", "r", "s"),
        "output": ("n", out_channel, "p", "q"),
    }
    return _contraction(
        name, dims, shapes, projections, primitive, writes, formats, tensors, roles, **fields
    )


def matmul(
    name: str,
    *,
    rows: int,
    inner: int,
    columns: int,
    batch: int = 1,
    primitive: Primitive = "mac",
    writes: Direction = "output",
    formats: tuple[str, str, str] = ("fp32", "fp32", "fp32"),
    tensors: tuple[str, str, str] = ("", "", ""),
    roles: tuple[Role, Role, Role] = ("activation", "activation", "activation"),
    **fields: object,
) -> Operator:
    """Return ``output[g,n,m] = sum over c of input[g,n,c] * weight[g,m,c]``, or a gradient of it.

    Parameters
    ----------
    rows, inner, columns
        Sizes of ``n``, ``c`` and ``m``.
    batch
        Independent products, none sharing an operand (dimension ``g``).
    writes, formats, tensors, roles, fields
        As in `conv2d`.
    """
    dims = {"g": batch, "n": rows, "m": columns, "c": inner}
    shapes = {
        "input": (batch, rows, inner), "weight": (batch, columns, inner), "output": (batch, rows, columns)
    }  # fmt: skip
    projections = {"input": ("g", "n", "c"), "weight": ("g", "m", "c"), "output": ("g", "n", "m")}
    return _contraction(
        name, dims, shapes, projections, primitive, writes, formats, tensors, roles, **fields
    )


def _contraction(
    name: str,
    dims: dict[str, int],
    shapes: Mapping[str, tuple[int, ...]],
    projections: Mapping[str, tuple[str, ...]],
    primitive: Primitive,
    writes: Direction,
    formats: tuple[str, str, str],
    tensors: tuple[str, str, str],
    roles: tuple[Role, Role, Role],
    **fields: object,
) -> Operator:
    operands = tuple(
        Operand(
            name=operand, shape=shapes[operand], format=formats[i], role=roles[i], tensor=tensors[i],
            projection=projections[operand], access="write" if operand == writes else "read",
        )
        for i, operand in enumerate(("input", "weight", "output"))
    )  # fmt: skip
    fields.setdefault("phase", PHASE[writes])
    return Operator.model_validate(
        {"name": name, "primitive": primitive, "dims": dims, "operands": operands, **fields}
    )
