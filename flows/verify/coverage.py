"""Functional coverage: which bins every PE must meet, and the cocotb-coverage points that count them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from hwsim.formats.floats import LAYOUTS, FloatLayout

if TYPE_CHECKING:
    from flows.verify.stimulus import Stimulus
    from rtl.pe.element import ProcessingElement

Bins = dict[str, list[str]]


def declare(pe: ProcessingElement) -> Bins:
    """Return the bins of a PE by coverage point.

    Points: the class of each operand (``min``, ``negative``, ``zero``, ``positive``, ``max``; each value of
    those of one or two bits; sign and kind of floating-point numbers), the cross of the first two operands'
    classes, the cross of ``first``, ``last`` and idle cycles in front of the beat, and overflow in each
    direction that `runs.LONGEST_RUN` beats can reach.
    """
    from flows.verify import stimulus

    points = {name: classes(pe, name) for name in pe.operands}
    left, right = list(points)[:2]
    points[f"{left} x {right}"] = [f"{a} {b}" for a, b in itertools.product(points[left], points[right])]
    points["control"] = [f"{a} {b} {c}" for a, b, c in itertools.product("01", "01", ("0", "1", "more"))]
    points["overflow"] = ["0", *(str(direction) for direction in stimulus.reachable_overflow(pe))]
    return points


def classes(pe: ProcessingElement, name: str) -> list[str]:
    """Return the classes of an operand."""
    from flows.verify import stimulus

    codes = stimulus.corners(pe, name)
    return sorted({classify(code, *stimulus.limits(pe, name), pe.operands[name]) for code in codes})


def classify(value: int, low: int, high: int, form: str) -> str:
    """Return the class of ``value``, an integer from ``low`` to ``high`` that holds a code of ``form``."""
    if form in LAYOUTS:
        return _float_class(value, LAYOUTS[form])
    if high - low < 4:
        return str(value)
    if value in {low, high}:
        return "min" if value == low else "max"
    return "negative" if value < 0 else "positive" if value > 0 else "zero"


def _float_class(code: int, layout: FloatLayout) -> str:
    sign, body = code >> (layout.bits - 1), code & ((1 << (layout.bits - 1)) - 1)
    if body > layout.largest_code:
        infinite = layout.specials == "ieee" and body == layout.largest_code + 1
        return f"{'-' if sign else '+'}infinity" if infinite else "nan"
    kind = "zero" if not body else "subnormal" if body < 1 << layout.mantissa else "normal"
    return f"{'-' if sign else '+'}{kind}"


class Coverage:
    """Counts what a running test bench meets. Needs cocotb-coverage, so it lives inside the simulator."""

    def __init__(self, bins: Bins, operands: dict[str, tuple[int, int, str]]) -> None:
        from cocotb_coverage.coverage import CoverPoint, coverage_db

        self._database, self._bins, self._operands = coverage_db, bins, operands
        sample: Any = lambda met: None  # noqa: E731 (cocotb-coverage decorates a function per point)
        for point, labels in bins.items():
            sample = CoverPoint(f"pe.{point}", xf=lambda met, point=point: met[point], bins=labels)(sample)
        self._sample = sample

    def sample(self, stimulus: Stimulus, index: int) -> None:
        """Count one beat."""
        met = {
            name: classify(int(column[index]), *self._operands[name])
            for name, column in stimulus.operands.items()
        }
        left, right = list(stimulus.operands)[:2]
        met[f"{left} x {right}"] = f"{met[left]} {met[right]}"
        idle = int(stimulus.idle[index])
        flags = f"{int(stimulus.first[index])} {int(stimulus.last[index])}"
        met["control"] = f"{flags} {idle if idle < 2 else 'more'}"
        met["overflow"] = str(int(stimulus.overflow[index]))
        self._sample(met)

    def report(self) -> dict[str, Any]:
        """Return bins declared, bins met, and the names of the missing ones."""
        missing = [
            f"{point}: {label}"
            for point in self._bins
            for label, hits in self._database[f"pe.{point}"].detailed_coverage.items()
            if not hits
        ]
        declared = sum(len(labels) for labels in self._bins.values())
        return {"declared": declared, "met": declared - len(missing), "missing": missing}
