"""The accelerator: one frozen configuration, and the formulas that hardware, twin, compiler and cycle model share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from amaranth.hdl import Shape
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, SerializeAsAny, field_validator, model_validator

from hwsim import formats
from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from rtl import shapes
from rtl.array import SystolicArray, sides
from rtl.control import image
from rtl.control.command import (
    ADDRESS_BITS,
    COMMAND_BITS,
    READ,
    WEIGHTS,
    WRITE,
    Command,
    Convolution,
    Load,
    Pooling,
    Target,
    encode,
)
from rtl.control.execution import Machine, Run
from rtl.memory import AddressGenerator, LaneMemory, Scratchpad
from rtl.pe import catalog
from rtl.pe.element import Accumulator
from rtl.post import Pool, PostProcessor
from rtl.post.processor import MULTIPLIER_BITS
from rtl.post.writer import Writer

if TYPE_CHECKING:
    from rtl.control.core import Core

Words = Annotated[int, Field(ge=1, le=1 << 18)]
COMMON_BITS = 16


class Accelerator(Frozen):
    """A systolic array with memories, post-processor, pooling and a decoder of commands.

    Attributes
    ----------
    rows, columns
        Processing elements. Each row works on an output pixel, each column on an output channel.
    pe
        The processing element: in YAML a name of `rtl.pe.catalog`, or a mapping with its ``kind`` and parameters.
    activations
        Format of an activation, ``intN`` or ``uintN``.
    word_lanes
        Channels per word of the activations: ``columns`` times a power of two. None: the least that is not below
        ``rows``, so that collecting a word per row takes no longer than playing it.
    activation_words, weight_words, parameter_words, sum_words
        Depths of the scratchpads; the last is of partial sums.
    buffered_tiles
        Of the array.
    memory_bits
        Width of the port to the external memory.
    burst
        Most words that are asked for at once.
    patience
        Cycles without any progress after which a program ends with an error.
    loop_bits, coordinate_bits
        Most bits of a loop's counter and of a coordinate in the nests of a command; a small network needs less logic.
    profiling
        Whether there are all performance counters, or only that of cycles.
    """

    rows: Annotated[int, Field(ge=1, le=64)] = 8
    columns: Annotated[int, Field(ge=1, le=64)] = 8
    pe: SerializeAsAny[Accumulator]
    activations: str = "int8"
    word_lanes: Annotated[int, Field(ge=1, le=256)] | None = None
    activation_words: Words = 8192
    weight_words: Words = 8192
    parameter_words: Words = 64
    sum_words: Words = 1024
    buffered_tiles: Annotated[int, Field(ge=1, le=16)] = 2
    memory_bits: Annotated[int, Field(ge=8, le=512)] = 64
    burst: Annotated[int, Field(ge=1, le=256)] = 64
    patience: Annotated[int, Field(ge=64, le=1 << 24)] = 1 << 16
    loop_bits: Annotated[int, Field(ge=4, le=WEIGHTS.count_bits)] = WEIGHTS.count_bits
    coordinate_bits: Annotated[int, Field(ge=4, le=READ.coordinate_bits)] = READ.coordinate_bits
    profiling: bool = True

    @field_validator("pe", mode="before")
    @classmethod
    def _named(cls, pe: Any) -> Any:
        return catalog.find(pe) if isinstance(pe, str) else catalog.make(pe) if isinstance(pe, dict) else pe

    @model_validator(mode="after")
    def _consistent(self) -> Accelerator:
        form = formats.parse(self.activations)
        if form.kind not in ("int", "uint") or not 2 <= form.bits <= 16:
            raise ValueError("activations must be int2 to int16 or uint2 to uint16")
        if self.memory_bits & (self.memory_bits - 1):
            raise ValueError("memory_bits must be a power of two")
        slices = self.lanes // self.columns
        if self.lanes % self.columns or slices & (slices - 1) or self.lanes > 256:
            raise ValueError(f"word_lanes must be the {self.columns} columns times a power of two, and at most 256")
        if self.activation_words * slices > 1 << ADDRESS_BITS:
            raise ValueError(f"activation_words must be at most {(1 << ADDRESS_BITS) // slices}")
        if self.sum_bits > 40:
            raise ValueError("pe must have an accumulator of at most 40 bits")
        self._check_pe()
        return self

    def _check_pe(self) -> None:
        for name, form in sides.operands(self.pe, "rows").items():
            if formats.parse(form).kind not in ("int", "uint"):
                raise ValueError(f"pe must take integers along the rows, its {name} is {form}")
        elements, rest = divmod(self._row_bits, self.activation_bits)
        if rest or elements not in (1, 2, 4, 8):
            raise ValueError(
                f"activations must fill the {self._row_bits} bits of the PE's row operands, 1, 2, 4 or 8 times"
            )
        if self.common_bits > COMMON_BITS:
            raise ValueError(f"pe must have at most {COMMON_BITS} bits of common operands")

    @classmethod
    def load(cls, path: Path | str) -> Accelerator:
        """Read a configuration from YAML.

        Raises
        ------
        InputError
            Naming file, field, rule and value.
        """
        return read_model(path, cls)

    @property
    def array(self) -> SystolicArray:
        """The array."""
        return SystolicArray(rows=self.rows, columns=self.columns, pe=self.pe, buffered_tiles=self.buffered_tiles)

    @property
    def post(self) -> PostProcessor:
        """The post-processor."""
        return PostProcessor(columns=self.columns, sum_bits=self.sum_bits, activations=self.activations)

    @property
    def pool(self) -> Pool:
        """The pooling unit."""
        return Pool(slices=self.slices, columns=self.columns, activations=self.activations, sum_bits=self.sum_bits)

    @property
    def lanes(self) -> int:
        """Channels per word of the activations."""
        if self.word_lanes is not None:
            return self.word_lanes
        return self.columns << max(math.ceil(math.log2(self.rows / self.columns)), 0)

    @property
    def slices(self) -> int:
        """Slices of ``columns`` lanes per word; the write nest counts in slices."""
        return self.lanes // self.columns

    @property
    def activation_bits(self) -> int:
        """Bits of an activation."""
        return formats.parse(self.activations).bits

    @property
    def activation_shape(self) -> Shape:
        """Shape of an activation."""
        return Shape.cast(shapes.shape(self.activations))

    @property
    def _row_bits(self) -> int:
        return sum(shapes.width(form) for form in sides.operands(self.pe, "rows").values())

    @property
    def most_elements(self) -> int:
        """Channels that a beat can hold: more than one where the PE has lanes."""
        return self._row_bits // self.activation_bits

    @property
    def column_bits(self) -> int:
        """Bits of the operands of one column: a weight."""
        return sum(shapes.width(form) for form in sides.operands(self.pe, "columns").values())

    @property
    def common_bits(self) -> int:
        """Bits of the common operands."""
        return sum(shapes.width(form) for form in sides.operands(self.pe, "common").values())

    @property
    def sum_bits(self) -> int:
        """Bits of a sum and of a bias."""
        return self.pe.accumulator

    @property
    def memories(self) -> dict[str, Scratchpad]:
        """Depth and width of the scratchpads, by name."""
        return {
            "activations": Scratchpad(banks=1, depth=self.activation_words, width=self.lanes * self.activation_bits),
            "weights": Scratchpad(banks=1, depth=self.weight_words, width=self.columns * self.column_bits),
            "parameters": Scratchpad(
                banks=1, depth=self.parameter_words, width=self.columns * (self.sum_bits + MULTIPLIER_BITS)
            ),
            "sums": Scratchpad(banks=1, depth=self.sum_words, width=self.columns * self.sum_bits),
        }

    def fields(self, name: str) -> list[tuple[int, bool]]:
        """Return width and sign of each field of a scratchpad's word, the lowest first.

        Of the activations lanes, of the weights the operands of column 0, then of column 1, ..., of the parameters all
        biases, then all multipliers, of the sums columns.
        """
        if name == "activations":
            return [(self.activation_bits, self.activation_shape.signed)] * self.lanes
        if name == "weights":
            ports = [self.pe.operand_shape(port) for port in sides.operands(self.pe, "columns")]
            return [(port.width, port.signed) for port in ports] * self.columns
        sums = [(self.sum_bits, True)] * self.columns
        return sums + [(MULTIPLIER_BITS, True)] * self.columns if name == "parameters" else sums

    def pack(self, name: Target, words: ArrayLike) -> NDArray[np.uint8]:
        """Return the bytes that a `Load` makes into words of a scratchpad, of shape ``(words, fields)``.

        Raises
        ------
        InputError
            If the shape is wrong or a number does not fit its field.
        """
        return image.pack(words, [bits for bits, _ in self.fields(name)], self.memory_bits)

    def unpack(self, name: Target, data: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the words in an image that `pack` or a `Store` made, of shape ``(words, fields)``."""
        bits, signed = zip(*self.fields(name), strict=True)
        return image.unpack(data, bits, signed, self.memory_bits)

    def program(self, commands: Iterable[Command]) -> NDArray[np.uint8]:
        """Return the bytes of a program.

        Raises
        ------
        InputError
            If a command does not fit the accelerator.
        """
        codes = []
        for command in commands:
            self.check(command)
            codes.append(image.code_bytes(encode(command), COMMAND_BITS))
        return np.concatenate(codes)

    def compute(self, memory: NDArray[np.uint8], program: int) -> Run:
        """Run the program at word ``program`` of the external memory, whose bytes are given."""
        return Machine(self, memory).run(program)

    @property
    def writer(self) -> Writer:
        """What writes results."""
        memories = self.memories
        return Writer(
            post=self.post,
            generator=self.generators["write"],
            activations=LaneMemory(depth=self.activation_words, lanes=self.lanes, lane_bits=self.activation_bits),
            parameters=memories["parameters"],
            sums=memories["sums"],
        )

    def create(self) -> Core:
        """Return the hardware."""
        from rtl.control.core import Core

        return Core(self)

    def port_words(self, target: Target) -> int:
        """Return the words of external memory that a word of a scratchpad takes; its low bits are in the first one."""
        return -(-self.memories[target].width // self.memory_bits)

    @property
    def command_words(self) -> int:
        """Words of external memory that a command takes."""
        return COMMAND_BITS // self.memory_bits

    @property
    def generators(self) -> dict[str, AddressGenerator]:
        """What walks the nests ``read``, ``write`` and ``weights`` of a command."""
        depths = {
            "read": (READ, self.activation_words),
            "write": (WRITE, self.activation_words * self.slices),
            "weights": (WEIGHTS, self.weight_words),
        }
        return {
            name: code.model_copy(
                update={
                    "depth": depth,
                    "count_bits": min(code.count_bits, self.loop_bits),
                    "coordinate_bits": self.coordinate_bits,
                }
            )
            for name, (code, depth) in depths.items()
        }

    def check(self, command: Command) -> None:
        """Raise if the hardware cannot run a command to its end.

        Raises
        ------
        InputError
            If a nest leaves its memory, or if its steps and those of the others do not fit together.
        """
        for name, generator in self.generators.items():
            if hasattr(command, name):
                generator.program(getattr(command, name))
        if isinstance(command, Load):
            depth = self.memories[command.target].depth
            if command.address + command.count > depth:
                raise InputError(
                    f"must end within the {depth} words of {command.target}", field="count", value=command.count
                )
        if isinstance(command, Convolution | Pooling):
            self._check_post(command)
        if isinstance(command, Convolution):
            self._check_convolution(command)
        if isinstance(command, Pooling):
            pooled = math.prod(command.read.counts[:3])
            if command.write.steps != pooled * self.slices:
                rule = f"must have {self.slices} steps for each of {pooled} pooled words"
                raise InputError(rule, field="write", value=command.write.steps)

    def _check_post(self, command: Convolution | Pooling) -> None:
        post, form = command.post, self.activation_shape
        low = -(1 << form.width - 1) if form.signed else 0
        for name, value in (("low", post.low), ("high", post.high)):
            if not low <= value < low + (1 << form.width):
                raise InputError(f"must be a value of {self.activations}", field=f"post.{name}", value=value)
        tiles = math.prod(command.write.counts[: len(command.write.counts) - command.write.inner])
        if not post.sums_write and post.parameters + tiles > self.parameter_words:
            rule = f"must leave {tiles} words of the {self.parameter_words} of parameters"
            raise InputError(rule, field="post.parameters", value=post.parameters)
        if (post.sums_read or post.sums_write) and command.write.steps > self.sum_words:
            raise InputError(
                f"must have at most the {self.sum_words} steps of partial sums",
                field="write",
                value=command.write.steps,
            )

    def _check_convolution(self, command: Convolution) -> None:
        sums, beats = math.prod(command.read.counts[:3]), self.beats(command)
        if math.prod(command.read.counts[6:]) != self.rows:
            raise InputError(f"must have {self.rows} lanes", field="read.counts", value=command.read.counts)
        if command.write.steps != sums * self.rows:
            raise InputError(f"must have {sums * self.rows} steps", field="write", value=command.write.steps)
        if command.weights.counts[2] != beats or command.weights.steps != sums * beats:
            raise InputError(
                f"must have {sums} sums of {beats} beats", field="weights.counts", value=command.weights.counts
            )
        if command.elements > self.most_elements:
            raise InputError(f"must be at most {self.most_elements}", field="elements", value=command.elements)

    def beats(self, command: Convolution) -> int:
        """Return the beats of one sum of a convolution.

        Raises
        ------
        InputError
            If its lanes are not lanes of a word, or do not start and end beats.
        """
        positions, words = math.prod(command.read.counts[3:5]), command.read.counts[5]
        first, last, elements = command.lane_first, command.lane_last, command.elements
        if last >= self.lanes or first % elements or (last + 1) % elements:
            raise InputError(f"must be the last of {elements} lanes below {self.lanes}", field="lane_last", value=last)
        channels = (words - 1) * self.lanes + last + 1 - first
        if channels < elements:
            raise InputError("must be at most the last lane", field="lane_first", value=first)
        return positions * channels // elements
