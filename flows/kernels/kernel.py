"""What a kernel is: the operands it reads, the value it computes, and its expression for TVM."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen

Array = NDArray[Any]
Expression = Any
"""Of TVM, which has no types."""

_FLOAT_ERROR = 1e-5

Size = Annotated[int, Field(ge=1, le=1 << 20)]


class Shape(Frozen):
    """Sizes of ``C[b, m, n] = sum over k of term(A[b, m, k], W[b, n, k])``; weights of a layer have a batch of one."""

    batch: Size = 1
    m: Size
    k: Size
    n: Size

    @classmethod
    def parse(cls, text: str) -> Shape:
        """Read ``MxKxN`` or ``BATCHxMxKxN``."""
        if not re.fullmatch(r"[1-9]\d{0,6}(x[1-9]\d{0,6}){2,3}", text):
            raise InputError("must be MxKxN or BATCHxMxKxN", field="shape", value=text)
        *batch, m, k, n = map(int, text.split("x"))
        return cls(batch=batch[0] if batch else 1, m=m, k=k, n=n)

    def __str__(self) -> str:
        sizes = (self.m, self.k, self.n) if self.batch == 1 else (self.batch, self.m, self.k, self.n)
        return "x".join(map(str, sizes))

    @property
    def macs(self) -> int:
        """Terms that are summed."""
        return self.batch * self.m * self.k * self.n


@dataclass(frozen=True)
class Stored:
    """An array of weights in memory."""

    dtype: str
    per_element: int = 1
    """Weights along k in one element."""


@dataclass(frozen=True)
class Kernel:
    """A matrix product whose terms may be something else than products.

    Attributes
    ----------
    activation, result
        NumPy types of A and of C.
    word
        Type of the words that a CPU computes with; ``int16`` where pairs of them fit its dot products.
    weights
        How W is stored.
    primitive, formats
        What `hwsim` calls a term, and the formats of activation and weight.
    draw
        Random values of W, from a generator and their shape.
    encode, decode
        From values of W, ``(batch, n, k)``, to the stored arrays, and back (with k).
    exact
        C from A and the values of W, on NumPy.
    planes
        Prepared weights: from the stored tensors and (b, n, k) to TVM expressions, to be cast to words.
    term
        From words of activation and planes to what is summed.
    dot
        Name of the dot product of pairs that a term is, where it is one; see `flows.kernels.dots`.
    """

    name: str
    title: str
    activation: str
    result: str
    word: str
    weights: tuple[Stored, ...]
    primitive: str
    formats: tuple[str, str]
    draw: Callable[[np.random.Generator, tuple[int, ...]], Array]
    encode: Callable[[Array], tuple[Array, ...]]
    decode: Callable[[tuple[Array, ...], int], Array]
    exact: Callable[[Array, Array], Array]
    planes: Callable[[tuple[Any, ...], Expression, Expression, Expression], tuple[Expression, ...]]
    term: Callable[..., Expression]
    dot: str = ""

    def operand_bytes(self, shape: Shape) -> int:
        """Bytes of A, W and C, each once."""
        a = shape.batch * shape.m * shape.k * np.dtype(self.activation).itemsize
        w = sum(
            shape.batch * shape.n * -(-shape.k // one.per_element) * np.dtype(one.dtype).itemsize
            for one in self.weights
        )
        return a + w + shape.batch * shape.m * shape.n * np.dtype(self.result).itemsize

    def random(self, shape: Shape, seed: int) -> tuple[Array, tuple[Array, ...]]:
        """Return random A and stored W."""
        rng = np.random.default_rng(seed)
        sizes = (shape.batch, shape.m, shape.k)
        if np.dtype(self.activation).kind == "f":
            a = rng.standard_normal(sizes).astype(self.activation)
        else:
            a = rng.integers(-128, 128, sizes).astype(self.activation)
        return a, self.encode(self.draw(rng, (shape.batch, shape.n, shape.k)))

    def reference(self, a: Array, stored: tuple[Array, ...]) -> Array:
        """Return C on NumPy, from the stored weights."""
        return self.exact(a, self.decode(stored, a.shape[2])).astype(self.result)

    def error(self, found: Array, a: Array, stored: tuple[Array, ...]) -> float:
        """Return the largest difference between ``found`` and the reference, over the largest result."""
        expected = self.reference(a, stored).astype(np.float64)
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale

    def check(self, found: Array, a: Array, stored: tuple[Array, ...]) -> float:
        """Return `error`.

        Raises
        ------
        HwsimError
            If integers differ at all, or floats by more than a part in 100,000.
        """
        error = self.error(found, a, stored)
        if error > (0 if self.result == "int32" else _FLOAT_ERROR):
            raise HwsimError(f"{self.name} differs from NumPy by {error:.2g} of the largest result")
        return error


def summed(a: Array, planes: tuple[Array, ...], term: Callable[..., Array]) -> Array:
    """Sum ``term(a, *planes)`` over k in int64, one k at a time so that nothing of all three sizes is held.

    Parameters
    ----------
    a
        Integers, ``(batch, m, k)``.
    planes
        Integers, ``(batch, n, k)``.
    """
    total = np.zeros((a.shape[0], a.shape[1], planes[0].shape[1]), np.int64)
    rows = a.astype(np.int64)[:, :, np.newaxis]
    columns = [plane.astype(np.int64)[:, np.newaxis] for plane in planes]
    for k in range(a.shape[2]):
        total += term(rows[..., k], *(column[..., k] for column in columns))
    return total
