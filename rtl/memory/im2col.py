"""A convolution's input as a loop nest: im2col without the matrix."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from hwsim.files import Frozen
from rtl.memory.nest import Coordinate, Nest

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


class Im2col(Frozen):
    """Geometry of a two-dimensional convolution whose input lies in a memory, a word per element, as N, C, H, W.

    `nest` walks, outermost first: batch, group, ``passes``, output row, output column, channel of the group, kernel row
    and kernel column. The last three are one sum. With ``lanes``, it walks the output columns ``lane``, ``lane +
    lanes``, ... only; where ``lanes`` does not divide them, all lanes take equally many steps and the surplus ones lie
    right of the output.

    Attributes
    ----------
    batch, channels, height, width
        Extent of the input.
    kernel, stride, padding, dilation
        Rows and columns, as in PyTorch.
    groups
        Divides the channels.
    passes
        How often the input of a group is walked: once per tile of its filters.
    lanes, lane
        How many generators share the output columns, and which of them this one is.
    base
        Address of the first element.
    """

    batch: Positive = 1
    channels: Positive
    height: Positive
    width: Positive
    kernel: tuple[Positive, Positive]
    stride: tuple[Positive, Positive] = (1, 1)
    padding: tuple[NotNegative, NotNegative] = (0, 0)
    dilation: tuple[Positive, Positive] = (1, 1)
    groups: Positive = 1
    passes: Positive = 1
    lanes: Positive = 1
    lane: NotNegative = 0
    base: NotNegative = 0

    @model_validator(mode="after")
    def _consistent(self) -> Im2col:
        if self.channels % self.groups:
            raise ValueError(f"groups must divide the {self.channels} channels")
        if self.lane >= self.lanes:
            raise ValueError(f"lane must be below the {self.lanes} lanes")
        if min(self.output_size) < 1:
            raise ValueError("kernel must fit into the padded input")
        return self

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        rows, columns = (
            (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for extent, padding, dilation, kernel, stride in zip(
                (self.height, self.width), self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )
        return rows, columns

    @property
    def words(self) -> int:
        """Elements of the input."""
        return self.batch * self.channels * self.height * self.width

    def nest(self) -> Nest:
        """Return the loops."""
        depth, (rows, columns) = self.channels // self.groups, self.output_size
        plane = self.height * self.width
        row = Coordinate(
            start=-self.padding[0],
            strides=(0, 0, 0, self.stride[0], 0, 0, self.dilation[0], 0),
            size=self.height,
        )
        column = Coordinate(
            start=self.lane * self.stride[1] - self.padding[1],
            strides=(0, 0, 0, 0, self.lanes * self.stride[1], 0, 0, self.dilation[1]),
            size=self.width,
        )
        planes = (self.channels, depth, 0, 0, 0, 1, 0, 0)
        steps = zip(planes, row.strides, column.strides, strict=True)
        return Nest(
            counts=(self.batch, self.groups, self.passes, rows, -(-columns // self.lanes), depth, *self.kernel),
            strides=tuple(c * plane + h * self.width + w for c, h, w in steps),
            start=self.base + row.start * self.width + column.start,
            coordinates=(row, column),
            inner=3,
        )
