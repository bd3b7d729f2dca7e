"""The external memory as it is filled: equal images are kept once."""

from __future__ import annotations

import numpy as np

from flows.compile.operators import Array, Image
from rtl.accelerator import Accelerator


class Memory:
    """Bytes of the external memory, handed out in words from address 0 on."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._unit = accelerator.memory_bits // 8
        self._parts: list[Array] = []
        self._known: dict[bytes, int] = {}
        self._words = 0

    def reserve(self, words: int) -> int:
        """Return the address of ``words`` words of zeros."""
        return self._append(np.zeros(words * self._unit, np.uint8))

    def add(self, image: Array) -> int:
        """Return the address of an image."""
        key = image.tobytes()
        if key not in self._known:
            self._known[key] = self._append(image)
        return self._known[key]

    def bytes(self) -> Array:
        """Return everything."""
        return np.concatenate(self._parts)

    def _append(self, image: Array) -> int:
        address = self._words
        self._parts.append(image)
        self._words += len(image) // self._unit
        return address


def words_of(image: Array, lanes: int) -> Array:
    """Return the words ``(words, lanes)`` of an image ``(channels, rows, columns)``, channels filled up with zeros."""
    channels, rows, columns = image.shape
    padded = np.zeros((-(-channels // lanes) * lanes, rows, columns), np.int64)
    padded[:channels] = image
    return padded.transpose(1, 2, 0).reshape(-1, lanes)


def image_of(words: Array, shape: Image) -> Array:
    """Return the image of a shape ``(channels, rows, columns)`` in its words ``(words, lanes)``."""
    channels, rows, columns = shape
    return words.reshape(rows, columns, -1).transpose(2, 0, 1)[:channels]
