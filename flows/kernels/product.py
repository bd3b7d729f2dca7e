"""A kernel as a TensorIR function: prepare activations and weights as padded words, sum terms, cut the padding off.

Weights are prepared column block by column block, ``(batch, n / lanes, k / pairs, lanes, pairs)``: on a CPU the lanes
of a vector, with the pairs that its dot products take; on a GPU the columns of a thread block. Padded words are zero,
and so are their terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flows.kernels.kernel import Kernel, Shape


@dataclass(frozen=True)
class Blocking:
    """What a schedule needs sizes to be multiples of.

    Attributes
    ----------
    rows, columns, depth
        Of m, n and k.
    lanes
        Columns that lie side by side in prepared weights.
    pairs
        Elements of k that lie side by side.
    word
        Type that terms are computed in.
    """

    rows: int
    columns: int
    depth: int
    lanes: int
    pairs: int
    word: str


def function(kernel: Kernel, shape: Shape, blocking: Blocking) -> Any:
    """Return the PrimFunc of ``A, W0, .., C``, with the blocks ``A_words``, ``W*_words``, ``sum`` and ``C``."""
    from tvm import te, tirx

    batch, lanes, pairs, word = shape.batch, blocking.lanes, blocking.pairs, blocking.word
    m, n, k = (
        -(-size // step) * step
        for size, step in ((shape.m, blocking.rows), (shape.n, blocking.columns), (shape.k, blocking.depth))
    )
    a, stored = _placeholders(kernel, shape)
    zero = tirx.const(0, word)

    def inside(value: Any, *limits: tuple[Any, int, int]) -> Any:
        """``value`` as a word, and zero beyond the limits of indices that are padded."""
        checks = [index < size for index, size, padded in limits if size < padded]
        cast = value.astype(word)
        return tirx.if_then_else(tirx.all(*checks), cast, zero) if checks else cast

    a_words = te.compute(
        (batch, m, k // pairs, pairs),
        lambda b, i, ko, ki: inside(a[b, i, ko * pairs + ki], (i, shape.m, m), (ko * pairs + ki, shape.k, k)),
        name="A_words",
    )

    def plane(number: int) -> Any:
        return te.compute(
            (batch, n // lanes, k // pairs, lanes, pairs),
            lambda b, jo, ko, ji, ki: inside(
                kernel.planes(stored, b, jo * lanes + ji, ko * pairs + ki)[number],
                (jo * lanes + ji, shape.n, n), (ko * pairs + ki, shape.k, k),
            ),
            name=f"W{number}_words",
        )  # fmt: skip

    index = tirx.Var("index", "int32")
    planes = [plane(number) for number in range(len(kernel.planes(stored, index, index, index)))]
    ko, ki = te.reduce_axis((0, k // pairs), "ko"), te.reduce_axis((0, pairs), "ki")
    sums = te.compute(
        (batch, m, n // lanes, lanes),
        lambda b, i, jo, ji: te.sum(
            kernel.term(a_words[b, i, ko, ki], *(one[b, jo, ko, ji, ki] for one in planes)), axis=[ko, ki]
        ),
        name="sum",
    )
    c = te.compute((batch, shape.m, shape.n), lambda b, i, j: sums[b, i, j // lanes, j % lanes], name="C")
    return te.create_prim_func([a, *stored, c]).with_attr("global_symbol", symbol(kernel))


def plain(kernel: Kernel, shape: Shape) -> Any:
    """Return the PrimFunc of a kernel in one block, ``C``, that prepares and pads nothing."""
    from tvm import te

    a, stored = _placeholders(kernel, shape)
    k = te.reduce_axis((0, shape.k), "k")

    def term(b: Any, i: Any, j: Any) -> Any:
        words = (one.astype(kernel.word) for one in kernel.planes(stored, b, j, k))
        return te.sum(kernel.term(a[b, i, k].astype(kernel.word), *words), axis=k)

    c = te.compute((shape.batch, shape.m, shape.n), term, name="C")
    return te.create_prim_func([a, *stored, c]).with_attr("global_symbol", symbol(kernel))


def symbol(kernel: Kernel) -> str:
    """Return the name of a kernel's function."""
    return kernel.name.replace("-", "_")


def _placeholders(kernel: Kernel, shape: Shape) -> tuple[Any, tuple[Any, ...]]:
    from tvm import te

    a = te.placeholder((shape.batch, shape.m, shape.k), kernel.activation, name="A")
    stored = tuple(
        te.placeholder((shape.batch, shape.n, -(-shape.k // one.per_element)), one.dtype, name=f"W{index}")
        for index, one in enumerate(kernel.weights)
    )
    return a, stored
