"""Measuring words of a tensor: zeros, range, and toggles of their quantised codes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim import formats
from hwsim.errors import InputError
from hwsim.training.statistics import TensorStatistics

_SCALED = ("int", "pow2z")
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.int64)


def check_format(name: str) -> None:
    """Refuse formats that no rule quantises real values to.

    Raises
    ------
    InputError
        If ``name`` is not a format of floats, integers or powers of two with zero.
    """
    form = formats.parse(name)
    if form.kind not in (*_SCALED, "fp") or form.bits < 2:
        raise InputError("must be a format of integers (intN), powers of two (pow2z_N) or floats", value=name)


def measure(words: NDArray[Any], name: str) -> TensorStatistics:
    """Return the statistics of ``words``.

    Parameters
    ----------
    words
        Floats, shape (runs, words of a run); successive words of a run follow each other in the stream.
    name
        Format of the codes. Integers and powers of two have one scale for all words: the largest finite magnitude
        maps to the largest value of the format. Floats are rounded, and saturate. What is not a number counts as
        zero in the stream, an infinity as the largest finite magnitude.
    """
    values = words.astype(np.float64)
    finite = np.isfinite(values)
    kept = values[finite]
    peak = float(np.abs(kept).max()) if kept.size else 0.0
    stream = values if kept.size == values.size else np.nan_to_num(values, nan=0.0, posinf=peak, neginf=-peak)
    codes = formats.encode(_scaled(stream, peak, formats.parse(name)), name, saturate=True)
    changed = codes[:, 1:] ^ codes[:, :-1]
    return TensorStatistics(
        words=values.size,
        zeros=values.size - int(np.count_nonzero(values)),
        nonfinite=values.size - kept.size,
        minimum=float(kept.min()) if kept.size else None,
        maximum=float(kept.max()) if kept.size else None,
        pairs=changed.size,
        toggles=_set_bits(changed)[: formats.parse(name).bits],
        quantised_zeros=sum(int(np.count_nonzero(codes == zero)) for zero in _zeros(name)),
    )


def _set_bits(codes: NDArray[Any]) -> tuple[int, ...]:
    """Return how often each bit is set, least significant first, from histograms of the bytes."""
    little = np.ascontiguousarray(codes, dtype=codes.dtype.newbyteorder("<")).reshape(-1, 1).view(np.uint8)
    counts = [np.bincount(column, minlength=256) @ _BITS_OF_BYTE for column in little.T]
    return tuple(np.concatenate(counts).tolist())


@lru_cache
def _zeros(name: str) -> frozenset[int]:
    return frozenset(formats.encode([0.0, -0.0], name).tolist())


def _scaled(stream: NDArray[Any], peak: float, form: formats.Format) -> NDArray[Any]:
    if form.kind not in _SCALED or not peak:
        return stream
    largest = (1 << (form.bits - 1)) - 1 if form.kind == "int" else 1
    return stream / peak * largest
