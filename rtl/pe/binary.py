"""Binary-add PE: the MatAdd of ShiftAddViT."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from amaranth.hdl import Module, Value
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term, extend, negate_if, spread
from rtl.pe.element import Accumulator


class BinaryAddPE(Accumulator):
    """``acc += x`` where the weight says so, or ``acc += s * x`` with ``s`` in {-1, 1}.

    Term: ``x_bits + 1`` bits. Latency: ``1 + stages`` cycles. Throughput: one term per cycle.

    Attributes
    ----------
    x_bits
        Width of the signed activation.
    weights
        ``bin01``: a mask. ``bin``: a sign bit.
    """

    key: ClassVar[str] = "binary_add"

    x_bits: Annotated[int, Field(ge=2, le=16)] = 8
    weights: Literal["bin01", "bin"] = "bin01"

    @property
    def operands(self) -> dict[str, str]:
        return {"x": f"int{self.x_bits}", "w": self.weights}

    @property
    def term_bits(self) -> int:
        return self.x_bits + 1

    def terms(self, *, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:  # type: ignore[override]
        x = x.astype(np.int64)
        return np.where(w == 1, x, 0) if self.weights == "bin01" else np.where(w == 1, -x, x)

    def create(self) -> Element:
        return _BinaryAddPE(self)


class _BinaryAddPE(Element):
    parameters: BinaryAddPE

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        x, w, bits = operands["x"], operands["w"], self.parameters.term_bits
        if self.parameters.weights == "bin01":
            return Term(extend(m, x, bits) & spread(w, bits))
        return negate_if(m, x, w, bits)
