"""What the accelerator needs to run a network: its memory, and where things lie in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from flows.compile.images import image_of, words_of
from flows.compile.operators import Array, Term
from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen, read_model, write_bytes, write_text
from rtl.accelerator import Accelerator
from rtl.control import Command
from rtl.control.command import COMMAND_BITS, decode
from rtl.control.execution import Error

MEMORY, LAYOUT, ACCELERATOR = "memory.bin", "layout.json", "accelerator.yaml"
NotNegative = Annotated[int, Field(ge=0)]


class Port(Frozen):
    """An image in the external memory.

    Pixels lie row by row; a pixel is ``ceil(channels / lanes)`` words of ``lanes`` activations, each of which begins a
    word of the memory, the lowest channel in the lowest bits.

    Attributes
    ----------
    word
        Address in words of the memory.
    shape
        Channels, rows, columns.
    scale
        What the integer 1 stands for.
    """

    word: NotNegative
    shape: tuple[int, int, int]
    scale: float


class Part(Frozen):
    """What a layer takes.

    Attributes
    ----------
    commands
        Loads included.
    beats, weight_words
        Of the array; that are loaded.
    term
        What it sums; None: it pools.
    macs, bits
        Points of its sums, and bits of its weights, inputs and outputs.
    """

    name: str
    commands: int
    beats: int
    weight_words: int
    term: Term | None
    macs: int
    bits: int


class Layout(Frozen):
    """Addresses in ``memory.bin``.

    Attributes
    ----------
    program
        Word where the program begins.
    input, output
        Images.
    layers
        In order of execution.
    owners
        Of each command the number of the layer it belongs to; -1: transfers of images, and the end.
    host
        Layers that the host computes from the output.
    sha256
        Of ``memory.bin``.
    """

    version: Literal[2] = 2
    program: NotNegative
    input: Port
    output: Port
    layers: tuple[Part, ...]
    owners: tuple[int, ...]
    host: tuple[str, ...] = ()
    sha256: str


@dataclass(frozen=True)
class Bundle:
    """A program for one accelerator.

    Attributes
    ----------
    accelerator
        What it runs on.
    layout
        Where things lie.
    content
        Bytes of the external memory, with an input of zeros.
    """

    accelerator: Accelerator
    layout: Layout
    content: NDArray[np.uint8]

    def memory(self, image: ArrayLike) -> NDArray[np.uint8]:
        """Return the bytes of the memory with an image of integers ``(channels, rows, columns)``.

        Raises
        ------
        InputError
            If the image has another shape, or a number is no activation.
        """
        given, port = np.asarray(image, np.int64), self.layout.input
        if given.shape != port.shape:
            raise InputError(f"must have the shape {port.shape}", field="image", value=given.shape)
        content = self.content.copy()
        packed = self.accelerator.pack("activations", words_of(given, self.accelerator.lanes))
        first = port.word * self.accelerator.memory_bits // 8
        content[first : first + len(packed)] = packed
        return content

    @property
    def commands(self) -> tuple[Command, ...]:
        """The program."""
        a = self.accelerator
        size, first = COMMAND_BITS // 8, self.layout.program * a.memory_bits // 8
        places = range(first, first + len(self.layout.owners) * size, size)
        return tuple(decode(int.from_bytes(self.content[at : at + size].tobytes(), "little")) for at in places)

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest activation."""
        shape = self.accelerator.activation_shape
        low = -(1 << shape.width - 1) if shape.signed else 0
        return low, low + (1 << shape.width) - 1

    def output(self, memory: NDArray[np.uint8]) -> Array:
        """Return the integers ``(channels, rows, columns)`` of the output in the bytes of the memory."""
        a, port = self.accelerator, self.layout.output
        channels, rows, columns = port.shape
        words = rows * columns * -(-channels // a.lanes)
        first, unit = port.word * a.memory_bits // 8, a.memory_bits // 8
        packed = memory[first : first + words * a.port_words("activations") * unit]
        return image_of(a.unpack("activations", packed), port.shape)

    def run(self, images: ArrayLike) -> Array:
        """Return the outputs of images of integers ``(samples, channels, rows, columns)``, by the NumPy model.

        Raises
        ------
        HwsimError
            If the program ends with an error.
        """
        outputs = []
        for image in np.asarray(images):
            done = self.accelerator.compute(self.memory(image), self.layout.program)
            if done.error != Error.NONE:
                raise HwsimError(f"the program ended with {done.error.name} after {len(done.commands)} commands")
            outputs.append(self.output(done.image))
        return np.stack(outputs)

    def save(self, folder: Path | str) -> list[Path]:
        """Write ``memory.bin``, ``accelerator.yaml`` and, last, ``layout.json``, each wholly or not at all."""
        folder = Path(folder)
        plain = self.accelerator.model_dump(mode="json")
        plain["pe"] = {"kind": self.accelerator.pe.key, **plain["pe"]}
        return [
            write_bytes(folder / MEMORY, self.content.tobytes()),
            write_text(folder / ACCELERATOR, yaml.safe_dump(plain, sort_keys=False)),
            write_text(folder / LAYOUT, json.dumps(self.layout.model_dump(mode="json"), indent=1) + "\n"),
        ]

    @classmethod
    def load(cls, folder: Path | str) -> Bundle:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If a file is missing or malformed, or the memory is not the one that the layout describes.
        """
        folder = Path(folder)
        layout = read_model(folder / LAYOUT, Layout)
        accelerator = Accelerator.load(folder / ACCELERATOR)
        try:
            content = (folder / MEMORY).read_bytes()
        except OSError as error:
            raise InputError("cannot be read", file=folder / MEMORY) from error
        if digest(content) != layout.sha256:
            raise InputError(
                f"must be that of {folder / MEMORY}", file=folder / LAYOUT, field="sha256", value=layout.sha256
            )
        return cls(accelerator, layout, np.frombuffer(content, np.uint8))


def digest(content: bytes | NDArray[Any]) -> str:
    """Return the SHA-256 of a memory."""
    return hashlib.sha256(bytes(content)).hexdigest()
