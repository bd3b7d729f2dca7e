"""Verilog of a PE, its port map, and what the simulator needs to know about its ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Elaboratable, Shape

from hwsim.files import write_text
from rtl.pe.element import ProcessingElement

TOP = "pe"
"""Name of the top module in every emitted file."""


def emit(design: Elaboratable, path: Path, name: str = TOP) -> Path:
    """Write ``design`` as Verilog, with the module ``name``; equal designs give equal files."""
    return write_text(path, verilog.convert(design, name=name, emit_src=False, strip_internal_attrs=True))


def port_map(pe: ProcessingElement) -> dict[str, Any]:
    """Return what is on every port: direction, bits, sign, format and meaning."""
    control = {
        "clk": ("in", "clock, rising edge"),
        "rst": ("in", "reset, synchronous, active high"),
        "valid": ("in", "the beat on the inputs is real"),
        "ready": ("out", "the beat is taken in this cycle if it is valid"),
        "first": ("in", "the sum starts with this beat"),
        "last": ("in", "the sum ends with this beat"),
        "done": ("out", "the results belong to a beat marked last"),
    }
    ports: dict[str, Any] = {
        name: {"direction": direction, "bits": 1, "signed": False, "meaning": meaning}
        for name, (direction, meaning) in control.items()
    }
    for name, form in pe.operands.items():
        shape = pe.operand_shape(name)
        ports[name] = {
            "direction": "in", "bits": shape.width, "signed": shape.signed,
            "format": form, "meaning": "operand",
        }  # fmt: skip
    for name, result in pe.results.items():
        shape = Shape.cast(result)
        ports[name] = {"direction": "out", "bits": shape.width, "signed": shape.signed, "meaning": "result"}
    return ports


def signed_results(pe: ProcessingElement) -> list[bool]:
    """Return which result ports carry signed numbers, in order."""
    return [Shape.cast(result).signed for result in pe.results.values()]
