"""A compiled network: what it computes, exactly, and what the accelerator needs to compute it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram

from flows.compile import reference
from flows.compile.calibrate import ranges
from flows.compile.capture import capture
from flows.compile.images import image_of, words_of
from flows.compile.integer import IntegerGraph
from flows.compile.lower import Lowered, lower
from flows.compile.operators import Array
from flows.compile.program import Program, export
from flows.compile.quantise import quantise
from flows.compile.stages import fuse
from hwsim.errors import HwsimError, InputError
from rtl.accelerator import Accelerator
from rtl.control.execution import Error


@dataclass(frozen=True)
class Network:
    """A network for one accelerator.

    Attributes
    ----------
    accelerator
        What it runs on.
    graph
        The network in integers.
    lowered
        Commands and memory.
    host
        Layers that the host computes from the accelerator's output.
    """

    accelerator: Accelerator
    graph: IntegerGraph
    lowered: Lowered
    host: tuple[str, ...] = ()

    def integers(self, images: Tensor) -> Tensor:
        """Return images in the integers that the accelerator takes: int64 ``(samples, channels, rows, columns)``.

        Raises
        ------
        InputError
            If the images have another shape.
        """
        shape = self.graph.shapes[self.graph.input]
        if images.shape[1:] != shape and images.shape[1:] != shape[:1]:
            raise InputError(f"must have the shape (samples, {shape})", field="images", value=tuple(images.shape))
        steps = (images.reshape(-1, *shape).double() / self.graph.scales[self.graph.input]).round()
        return steps.clamp(*self.graph.limits).long()

    def reference(self, images: Tensor) -> Tensor:
        """Return the output's integers by the PyTorch reference."""
        return reference.run(self.graph, self.integers(images))[self.graph.output]

    def run(self, images: Tensor) -> Tensor:
        """Return the output's integers by the program, executed by the accelerator's NumPy model, image by image.

        Raises
        ------
        HwsimError
            If the program ends with an error.
        """
        outputs = []
        for image in self.integers(images).numpy():
            done = self.accelerator.compute(self.memory(image), self.lowered.program)
            if done.error != Error.NONE:
                raise HwsimError(f"the program ended with {done.error.name} after {len(done.commands)} commands")
            outputs.append(self.output(done.image))
        return torch.from_numpy(np.stack(outputs))

    def scores(self, integers: Tensor) -> Tensor:
        """Return the real numbers that integers of the output stand for."""
        return integers.double() * self.graph.scales[self.graph.output]

    def memory(self, image: Array) -> NDArray[np.uint8]:
        """Return the bytes of the external memory with an image of integers ``(channels, rows, columns)``."""
        memory = self.lowered.memory.copy()
        packed = self.accelerator.pack("activations", words_of(image, self.accelerator.lanes))
        first = self.lowered.input * self.accelerator.memory_bits // 8
        memory[first : first + len(packed)] = packed
        return memory

    def output(self, memory: NDArray[np.uint8]) -> Array:
        """Return the integers ``(channels, rows, columns)`` of the output in the bytes of the external memory."""
        a, name = self.accelerator, self.graph.output
        unit, tensor = a.memory_bits // 8, self.lowered.tensors[name]
        first, count = self.lowered.output * unit, tensor.size * a.port_words("activations") * unit
        words = a.unpack("activations", memory[first : first + count])
        return image_of(words, tensor, self.graph.shapes[name])


def compile_network(
    model: nn.Module | ExportedProgram, images: Tensor, accelerator: Accelerator, *, percentile: float = 100.0,
    host_ops: bool = False,
) -> Network:  # fmt: skip
    """Return ``model`` as a program of the accelerator.

    Parameters
    ----------
    model
        Layers of PyTorch and of `models.layers`, or what `torch.export` made of them.
    images
        Inputs ``(samples, ...)`` from which the scales of activations are taken.
    percentile
        Share of the magnitudes of each activation, in percent, that its range covers; 100: all.
    host_ops
        Leave what the accelerator cannot do to the host, if it comes last.

    Raises
    ------
    InputError
        If a layer cannot run, by its name, or the memories are too small, with what would do.
    """
    if not 50 < percentile <= 100:
        raise InputError("must be above 50 and at most 100", field="percentile", value=percentile)
    program = _program(model, images)
    split = capture(program, host_ops=host_ops)
    stages = fuse(split.graph)
    tensors = {split.graph.input, *(stage.output for stage in stages)}
    graph = quantise(split.graph, stages, ranges(program, images, tensors, percentile), accelerator)
    return Network(accelerator, graph, lower(graph, accelerator), split.host)


def _program(model: nn.Module | ExportedProgram, images: Tensor) -> Program:
    if len(images) < 1 or not images.isfinite().all():
        raise InputError("must be at least one sample of finite numbers", field="images", value=tuple(images.shape))
    return export(model, images[:2] if len(images) > 1 else images)
