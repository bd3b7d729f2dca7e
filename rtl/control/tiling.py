"""Convolutions and pooling as nests: im2col for lanes that share one wide memory, without the matrix."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from hwsim.files import Frozen
from rtl.memory import Coordinate, Nest

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Pair = tuple[Positive, Positive]


class Tensor(Frozen):
    """Where an image lies in the activations: word ``base + (y * width + x) * words + channel // lanes``.

    Attributes
    ----------
    base
        Address of the first word.
    height, width
        Pixels.
    words
        Words of a pixel.
    """

    base: NotNegative
    height: Positive
    width: Positive
    words: Positive

    @property
    def size(self) -> int:
        """Words in all."""
        return self.height * self.width * self.words


class Window(Frozen):
    """A kernel that slides over ``source`` and makes the pixels of ``target``; parameters as in PyTorch."""

    source: Tensor
    target: Tensor
    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[NotNegative, NotNegative] = (0, 0)
    dilation: Pair = (1, 1)

    @model_validator(mode="after")
    def _sizes_agree(self) -> Window:
        extents = zip(
            (self.source.height, self.source.width), self.padding, self.dilation, self.kernel, self.stride, strict=True
        )
        expected = tuple(
            (extent + 2 * pad - gap * (size - 1) - 1) // step + 1 for extent, pad, gap, size, step in extents
        )
        if expected != (self.target.height, self.target.width):
            raise ValueError(f"target must have {expected[0]} x {expected[1]} pixels")
        return self

    def read(
        self, tiles: int, lanes: Pair = (1, 1), words: int | None = None, first: int = 0, advance: int = 0
    ) -> Nest:
        """Return the read nest of a convolution or pooling.

        Parameters
        ----------
        tiles
            Tiles of output channels; in pooling, words of a pixel.
        lanes
            Rows and columns of a block of output pixels; as many as the array has rows, one in pooling.
        words, first
            How many words of an input pixel make up a sum, from which on; all by default.
        advance
            Words by which ``first`` moves from tile to tile: 0 where all tiles see the same channels.
        """
        source, (down, right) = self.source, self.stride
        words = source.words - first if words is None else words
        blocks = -(-self.target.height // lanes[0]), -(-self.target.width // lanes[1])
        (top, left), (gap_y, gap_x) = self.padding, self.dilation
        y = (0, lanes[0] * down, 0, gap_y, 0, 0, down, 0)
        x = (0, 0, lanes[1] * right, 0, gap_x, 0, 0, right)
        channel = (advance, 0, 0, 0, 0, 1, 0, 0)
        steps = zip(y, x, channel, strict=True)
        return Nest(
            counts=(tiles, *blocks, *self.kernel, words, *lanes),
            strides=tuple((dy * source.width + dx) * source.words + word for dy, dx, word in steps),
            start=source.base + first - (top * source.width + left) * source.words,
            coordinates=(
                Coordinate(start=-top, strides=y, size=source.height),
                Coordinate(start=-left, strides=x, size=source.width),
            ),
            inner=5,
        )

    def write(self, tiles: int, slices: int, lanes: Pair, first: int = 0) -> Nest:
        """Return the write nest of a convolution, in slices of which a word has ``slices``.

        Parameters
        ----------
        first
            Slice of an output pixel that the first tile fills; the next tile fills the next one.
        """
        target = self.target
        blocks = -(-target.height // lanes[0]), -(-target.width // lanes[1])
        y, x = (0, lanes[0], 0, 1, 0), (0, 0, lanes[1], 0, 1)
        steps = zip(y, x, (1, 0, 0, 0, 0), strict=True)
        return Nest(
            counts=(tiles, *blocks, *lanes),
            strides=tuple((dy * target.width + dx) * target.words * slices + tile for dy, dx, tile in steps),
            start=target.base * slices + first,
            coordinates=(
                Coordinate(start=0, strides=y, size=target.height),
                Coordinate(start=0, strides=x, size=target.width),
            ),
            inner=4,
        )

    def write_pooled(self, slices: int, per_word: bool = False) -> Nest:
        """Return the write nest of pooling.

        Parameters
        ----------
        per_word
            Whether each word of a pixel has a word of parameters of its own; otherwise all have the same.
        """
        target = self.target
        y, x = (0, 1, 0, 0, 0), (0, 0, 1, 0, 0)
        return Nest(
            counts=(target.words, target.height, target.width, slices, 1),
            strides=(slices, target.width * target.words * slices, target.words * slices, 1, 0),
            start=target.base * slices,
            coordinates=(
                Coordinate(start=0, strides=y, size=target.height),
                Coordinate(start=0, strides=x, size=target.width),
            ),
            inner=4 if per_word else 5,
        )

    def weights(self, tiles: int, beats: int, lanes: Pair, base: int = 0) -> Nest:
        """Return the nest of the weights: all beats of a tile, for each block of pixels."""
        blocks = -(-self.target.height // lanes[0]) * -(-self.target.width // lanes[1])
        return Nest(counts=(tiles, blocks, beats), strides=(beats, 0, 1), start=base)
