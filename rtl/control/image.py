"""Images of the external memory: numbers as fields of words, the first field and the first byte lowest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError


def pack(fields: ArrayLike, bits: Sequence[int], memory_bits: int) -> NDArray[np.uint8]:
    """Return the bytes of words of ``len(bits)`` fields; each word begins a word of the memory.

    Parameters
    ----------
    fields
        Integers of shape ``(words, fields)``; of negative ones the two's complement is stored.
    bits
        Width of each field, at most 64.
    memory_bits
        Width of the memory's port.

    Raises
    ------
    InputError
        If a number does not fit its field.
    """
    values = np.asarray(fields, np.int64)
    if values.ndim != 2 or values.shape[1] != len(bits):
        raise InputError(f"must have the shape (words, {len(bits)})", field="fields", value=values.shape)
    used = []
    for column, width in zip(values.T, bits, strict=True):
        limit = min(width, 62)
        if width < 63 and len(column) and not -(1 << limit - 1) <= column.min() <= column.max() < 1 << limit:
            raise InputError(f"must fit {width} bits", field="fields", value=(int(column.min()), int(column.max())))
        used.append((column[:, None] >> np.arange(width)) & 1)
    stream = np.concatenate(used, axis=1).astype(np.uint8)
    padding = -stream.shape[1] % max(memory_bits, 8)
    return np.packbits(np.pad(stream, ((0, 0), (0, padding))), axis=1, bitorder="little").reshape(-1)


def unpack(image: NDArray[np.uint8], bits: Sequence[int], signed: Sequence[bool], memory_bits: int) -> NDArray[Any]:
    """Return the fields of the words in an image, of shape ``(words, fields)``: the inverse of `pack`."""
    word_bytes = -(-sum(bits) // memory_bits) * memory_bits // 8
    stream = np.unpackbits(image.reshape(-1, word_bytes), axis=1, bitorder="little")
    columns = []
    for width, end, negative in zip(bits, np.cumsum(bits), signed, strict=True):
        place = np.int64(1) << np.arange(width)
        place[-1] *= -1 if negative else 1
        columns.append(stream[:, end - width : end].astype(np.int64) @ place)
    return np.stack(columns, axis=1)


def code_bytes(code: int, bits: int) -> NDArray[np.uint8]:
    """Return the bytes of a number of ``bits`` bits."""
    return np.frombuffer(code.to_bytes(bits // 8, "little"), np.uint8)
