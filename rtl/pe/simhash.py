"""SimHash adder tree: projections on vectors of +-1, and the sign bit that is the hash."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from amaranth.hdl import Module, ShapeLike, Signal, Value, signed, unsigned
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term, extend, spread
from rtl.pe.element import Accumulator


class SimHashTree(Accumulator):
    """``acc += sum over lanes of s_i * x_i`` with ``s_i`` in {-1, 1}; ``hash`` is 1 where ``acc >= 0``.

    Each lane's negation is an exclusive or; the tree adds the lanes and, apart, counts the missing carries.

    Term: ``x_bits + 1 + log2(lanes)`` bits. Latency: ``1 + stages`` cycles. Throughput: ``lanes`` per cycle.

    Attributes
    ----------
    x_bits
        Width of the signed activations.
    lanes
        Activations per beat; bit ``i`` of ``signs`` belongs to ``x_i`` (1 is minus).
    """

    key: ClassVar[str] = "simhash"

    x_bits: Annotated[int, Field(ge=2, le=16)] = 8
    lanes: Annotated[int, Field(ge=1, le=16)] = 4

    @property
    def operands(self) -> dict[str, str]:
        xs = {f"x_{lane}": f"int{self.x_bits}" for lane in range(self.lanes)}
        return {**xs, "signs": f"uint{self.lanes}"}

    @property
    def results(self) -> dict[str, ShapeLike]:
        return {**super().results, "hash": unsigned(1)}

    @property
    def term_bits(self) -> int:
        return self.x_bits + 1 + (self.lanes - 1).bit_length()

    def products(self, **operands: NDArray[Any]) -> NDArray[Any]:
        return super().products(**operands) * self.lanes

    def terms(self, *, signs: NDArray[Any], **xs: NDArray[Any]) -> NDArray[Any]:  # type: ignore[override]
        total = np.zeros(len(signs), np.int64)
        for lane in range(self.lanes):
            x = xs[f"x_{lane}"].astype(np.int64)
            total += np.where((signs >> lane) & 1, -x, x)
        return total

    def run(self, starts: NDArray[Any], operands: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        sums = super().run(starts, operands)["acc"]
        return {"acc": sums, "hash": (sums >= 0).astype(np.int64)}

    def create(self) -> Element:
        return _SimHashTree(self)


class _SimHashTree(Element):
    parameters: SimHashTree

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        pe, signs = self.parameters, operands["signs"]
        lanes = []
        for lane in range(pe.lanes):
            x = extend(m, operands[f"x_{lane}"], pe.x_bits + 1)
            lanes.append(x ^ spread(signs[lane], pe.x_bits + 1))
        carries = tree([signs[lane] for lane in range(1, pe.lanes)])
        total = Signal(signed(pe.term_bits))
        m.d.comb += total.eq(tree(lanes) + carries)
        return Term(total, signs[0])

    def accumulate(self, m: Module, beat: Beat, term: Term) -> None:
        super().accumulate(m, beat, term)
        m.d.comb += self.hash.eq(self.acc >= 0)


def tree(values: list[Value]) -> Value:
    """Return the sum of ``values``, added pairwise; zero for none."""
    if len(values) <= 1:
        return values[0] if values else Value.cast(0)
    half = len(values) // 2
    return tree(values[:half]) + tree(values[half:])
