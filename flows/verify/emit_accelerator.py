"""An accelerator for somebody else's flow: Verilog, port map, a bench, a program and what it makes of a memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Value
from amaranth.lib.wiring import In
from numpy.typing import NDArray

from flows.verify import design
from flows.verify.accelerator import BENCH, Memory
from flows.verify.accelerator_cycles import predict
from hwsim.errors import InputError
from hwsim.files import write_text
from rtl.accelerator import Accelerator
from rtl.control import Convolution, Halt, Load, Post, Store
from rtl.control.command import Command
from rtl.control.tiling import Tensor, Window
from rtl.pe.fusible import FusibleMac
from rtl.pe.serial import BitSerialMac

LATENCY = 8
"""Of the memory for which the counters are given."""


def emit(accelerator: Accelerator, folder: Path) -> list[Path]:
    """Write Verilog, its bench and port map, and a program with the memory before and after; return the paths.

    ``accelerator.json`` holds the configuration, the ports, where the program starts and the counters at its end with a
    memory that answers after `LATENCY` cycles. Equal arguments give equal files.

    Raises
    ------
    InputError
        If the memories are too small for any convolution.
    """
    memory, start = _program(accelerator)
    run, core = accelerator.compute(memory, start), accelerator.create()
    ports = {"clk": _port("in", 1), "rst": _port("in", 1)} | {
        "__".join(map(str, path)): _port("in" if member.flow == In else "out", len(Value.cast(port)))
        for path, member, port in core.signature.flatten(core)
    }
    described = {
        "module": "accelerator",
        "configuration": accelerator.model_dump(),
        "ports": ports,
        "program": start,
        "memory_latency": LATENCY,
        "counters": vars(predict(accelerator, run.commands, Memory(latency=LATENCY))),
    }
    return [
        design.emit(core, folder / "accelerator.v", "accelerator"),
        write_text(folder / "accelerator_bench.v", BENCH.read_text(encoding="utf-8")),
        write_text(folder / "accelerator.json", json.dumps(described, indent=1) + "\n"),
        write_text(folder / "program.hex", f"{start:x}\n"),
        write_text(folder / "memory.hex", _hex(accelerator, memory)),
        write_text(folder / "expected.hex", _hex(accelerator, run.image)),
    ]


def _port(direction: str, bits: int) -> dict[str, Any]:
    return {"direction": direction, "bits": bits}


def _hex(accelerator: Accelerator, image: NDArray[np.uint8]) -> str:
    """A word of the memory per line."""
    words = image.reshape(-1, accelerator.memory_bits // 8)[:, ::-1]
    return "\n".join(word.tobytes().hex() for word in words) + "\n"


def _settings(accelerator: Accelerator) -> tuple[int, int]:
    """The common operands, and the channels of a beat."""
    if isinstance(accelerator.pe, FusibleMac | BitSerialMac):
        from flows.compile.element import modes

        widest = modes(accelerator)[0]
        return widest.common, widest.elements
    return 0, accelerator.most_elements


def _program(accelerator: Accelerator) -> tuple[NDArray[np.uint8], int]:
    """Bytes of a memory with a convolution of random numbers, and the word where its program starts."""
    a, draw = accelerator, np.random.default_rng(1)
    common, elements = _settings(a)
    width = min(a.rows + 2, a.activation_words // 2)
    played = min(a.lanes, a.weight_words * elements) // elements * elements
    kernel = 3 if 3 * played // elements <= a.weight_words else 1
    if not width:
        rule = "must have room for a pixel and its result"
        raise InputError(rule, field="activation_words", value=a.activation_words)
    if not played:
        raise InputError(f"must have the {elements} channels of a beat", field="word_lanes", value=a.lanes)
    source, target = (Tensor(base=base, height=1, width=width, words=1) for base in (0, width))
    layer = Window(source=source, target=target, kernel=(1, kernel), padding=(0, kernel // 2))
    beats, block = kernel * played // elements, (1, a.rows)
    images = [
        a.pack("activations", _random(draw, a.fields("activations"), source.size)),
        a.pack("weights", _random(draw, a.fields("weights"), beats)),
        a.pack("parameters", _random(draw, a.fields("parameters"), 1)),
    ]
    places = [int(place) for place in np.cumsum([0, *(len(image) * 8 // a.memory_bits for image in images)])]
    form = a.activation_shape
    low = -(1 << form.width - 1) if form.signed else 0
    commands: list[Command] = [
        Load(target="activations", address=0, count=source.size, external=places[0]),
        Load(target="weights", address=0, count=beats, external=places[1], background=True),
        Load(target="parameters", address=0, count=1, external=places[2], background=True),
        Convolution(
            read=layer.read(1, block), write=layer.write(1, a.slices, block), weights=layer.weights(1, beats, block),
            lane_last=played - 1, elements=elements, common=common, wait_for_loads=True,
            post=Post(shift=a.sum_bits + 8 - form.width, low=low, high=min(low + (1 << form.width) - 1, (1 << 15) - 1)),
        ),
        Store.words(target.base, target.size, external=0),
        Halt(),
    ]  # fmt: skip
    return np.concatenate([*images, a.program(commands)]), places[3]


def _random(draw: np.random.Generator, fields: list[tuple[int, bool]], words: int) -> NDArray[np.int64]:
    columns = [draw.integers(-signed << bits - 1, (1 << bits) - (signed << bits - 1), words) for bits, signed in fields]
    return np.stack(columns, axis=1)
