"""Operand streams: a designed set that spans what networks do, and the reader of a user's own."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import packing
from flows.verify.stimulus import limits
from hwsim.errors import InputError
from rtl.pe.element import ProcessingElement

Array = NDArray[Any]

FAMILIES = ("uniform", "normal", "relu", "sparse", "walk", "held", "constant")
_SUM_LENGTHS = (4, 9, 16, 27, 64, 128, 256, 576, 1024)


@dataclass(frozen=True)
class Streams:
    """Beats of several streams side by side.

    Attributes
    ----------
    names
        Of the streams, as shown with their errors.
    operands
        Integers of shape ``(streams, beats)`` by operand port.
    first
        Booleans of that shape: where sums start; always a valid beat.
    valid
        Booleans of that shape: a beat that is not valid is an idle cycle.
    """

    names: tuple[str, ...]
    operands: dict[str, Array]
    first: Array
    valid: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Streams and beats."""
        return self.first.shape[0], self.first.shape[1]


def designed(pe: ProcessingElement, streams: int, beats: int, seed: int) -> Streams:
    """Return streams whose operands are drawn, independently, from every family of `FAMILIES` in turn.

    Each stream has its own sum length and, every fourth, idle cycles, in which operands hold as in `rtl.array`.
    Codes that are not integers (powers of two) are drawn as the integers that their bits are; where ports say too
    little of the numbers on them (`flows.calibrate.packing.by_value`), numbers are drawn, and a mode for each stream.
    """
    generator = np.random.default_rng(seed)
    by_value = packing.by_value(pe)
    drawn = ["x", "w"] if by_value else list(pe.operands)
    rows, names, first, valid = [], [], [], []
    for index in range(streams):
        families = [FAMILIES[int(generator.integers(len(FAMILIES)))] for _ in drawn]
        mode = index % packing.modes(pe)
        if by_value:
            x, w = (_numbers(family, (beats, packing.lanes(pe, mode)), generator) for family in families)
        else:
            ports = {name: _draw(family, *limits(pe, name), beats, generator)
                     for name, family in zip(drawn, families, strict=True)}  # fmt: skip
        length = int(generator.choice(_SUM_LENGTHS))
        valid.append(generator.random(beats) < (1.0 if index % 4 else generator.uniform(0.3, 1.0)))
        shown = np.maximum.accumulate(np.where(valid[-1], np.arange(beats), 0))
        first.append(valid[-1] & ((np.cumsum(valid[-1]) - 1) % length == 0))
        if by_value:
            ports = packing.packed(pe, x, w, first[-1], mode)
        rows.append({name: column[shown] for name, column in ports.items()})
        names.append(f"{' x '.join(families)}, sums of {length}")
    operands = {name: np.stack([row[name] for row in rows]) for name in pe.operands}
    return Streams(tuple(names), operands, np.stack(first), np.stack(valid))


def uniform(pe: ProcessingElement, streams: int, beats: int, seed: int) -> Streams:
    """Return streams of independent uniform operands in sums of 64, without idle cycles."""
    generator = np.random.default_rng(seed)
    first = np.arange(beats) % 64 == 0
    if packing.by_value(pe):
        rows = []
        for mode in (index % packing.modes(pe) for index in range(streams)):
            x, w = generator.uniform(-1, 1, (2, beats, packing.lanes(pe, mode)))
            rows.append(packing.packed(pe, x, w, first, mode))
        operands = {name: np.stack([row[name] for row in rows]) for name in pe.operands}
    else:
        operands = {
            name: np.stack([_draw("uniform", *limits(pe, name), beats, generator) for _ in range(streams)])
            for name in pe.operands
        }
    shape = (streams, beats)
    return Streams(("uniform",) * streams, operands, np.broadcast_to(first, shape), np.ones(shape, bool))


_STEPS = 1 << 15


def _numbers(family: str, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return numbers between -1 and 1 of shape ``(beats, lanes)``, each lane from the family."""
    lanes = [_draw(family, -_STEPS, _STEPS, shape[0], generator) for _ in range(shape[1])]
    numbers: NDArray[np.float64] = np.stack(lanes, axis=1) / _STEPS
    return numbers


def _draw(family: str, low: int, high: int, count: int, generator: np.random.Generator) -> Array:
    scale = (high - low) / 2 * 2.0 ** -generator.uniform(0, np.log2(high - low + 1) - 1)
    values: Array
    match family:
        case "uniform":
            values = generator.integers(low, high, count, endpoint=True)
        case "normal":
            values = generator.normal(0, scale / 2, count)
        case "relu":
            values = np.maximum(generator.normal(generator.uniform(-1, 0.5) * scale, scale, count), 0)
        case "sparse":
            keep = generator.random(count) < generator.uniform(0.05, 0.7)
            values = np.where(keep, generator.normal(0, scale, count), 0)
        case "walk":
            values = _walk(scale, generator.uniform(0.7, 0.999), count, generator)
        case "held":
            repeat = int(generator.choice((2, 4, 8, 32, 128)))
            values = np.repeat(generator.normal(0, scale, count // repeat + 1), repeat)[:count]
        case _:
            values = np.full(count, generator.integers(low, high, endpoint=True))
    if low == 0:  # unsigned operands and codes
        values = np.abs(values)
    return np.clip(np.rint(values), low, high).astype(np.int64)


def _walk(scale: float, memory: float, count: int, generator: np.random.Generator) -> Array:
    """First-order autoregressive: neighbours of an image or a time series."""
    steps = generator.normal(0, scale * np.sqrt(1 - memory**2), count)
    values = np.empty(count)
    value = 0.0
    for index, step in enumerate(steps.tolist()):
        value = memory * value + step
        values[index] = value
    return values


def load(path: Path, pe: ProcessingElement) -> Streams:
    """Return one stream from an ``.npz`` file: an integer array per operand port and, optionally, ``first``.

    Raises
    ------
    InputError
        If an array is missing, is not of one dimension, differs in length, or leaves the operand's range.
    """
    arrays = _arrays(path)
    for name in pe.operands:
        if name not in arrays:
            raise InputError(f"must hold the arrays {', '.join(pe.operands)}", file=path, value=sorted(arrays))
    count = len(np.atleast_1d(arrays[next(iter(pe.operands))]))
    for name, column in arrays.items():
        if name not in pe.operands and name != "first":
            raise InputError("array is not an operand port or first", file=path, field=name)
        if column.shape != (count,) or column.dtype.kind not in "iub" or count < 2:
            rule = "must be integers of one dimension, at least 2, as many as the others"
            raise InputError(rule, file=path, field=name, value=f"{column.dtype} {column.shape}")
        low, high = (0, 1) if name == "first" else limits(pe, name)
        if column.min() < low or column.max() > high:
            rule = f"must lie in {low} .. {high}"
            raise InputError(rule, file=path, field=name, value=[int(column.min()), int(column.max())])
    first = arrays.get("first", np.arange(count) == 0).astype(bool)[None]
    operands = {name: arrays[name].astype(np.int64)[None] for name in pe.operands}
    return Streams((path.name,), operands, first, np.ones((1, count), bool))


def _arrays(path: Path) -> Mapping[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise InputError("is not an .npz file of arrays", file=path) from error
