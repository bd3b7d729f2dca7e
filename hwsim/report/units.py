"""Numbers for people: one SI prefix for all values that stand together, and a fixed number of digits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_PREFIXES = (
    ("p", 1e-12), ("n", 1e-9), ("µ", 1e-6), ("m", 1e-3), ("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12),
)  # fmt: skip
_HOUR_S = 3600.0


@dataclass(frozen=True)
class Unit:
    """A unit with its prefix."""

    symbol: str
    size: float
    """How many of the base unit it is."""

    def number(self, value: float, digits: int = 4) -> str:
        """Show ``value``, given in the base unit, in this unit, without the symbol."""
        return significant(value / self.size, digits)

    def text(self, value: float, digits: int = 4) -> str:
        """Show ``value``, given in the base unit, with the symbol."""
        return f"{self.number(value, digits)} {self.symbol}"


def unit_for(values: Iterable[float], base: str) -> Unit:
    """Choose the prefix of ``base`` (``J``, ``s``, ``B`` ...) that suits the largest of ``values``."""
    largest = max((abs(value) for value in values), default=0.0)
    if base == "s" and largest >= _HOUR_S:
        return Unit("h", _HOUR_S)
    fitting = [(prefix, size) for prefix, size in _PREFIXES if size <= largest]
    if not fitting:
        return Unit(base, 1.0) if largest == 0 else Unit(_PREFIXES[0][0] + base, _PREFIXES[0][1])
    prefix, size = fitting[-1]
    if base == "s" and size > 1:
        prefix, size = "", 1.0
    return Unit(prefix + base, size)


def in_units(value: float, base: str, digits: int = 4) -> str:
    """Show one value with the prefix that suits it."""
    return unit_for([value], base).text(value, digits)


def significant(value: float, digits: int = 4) -> str:
    """Show ``digits`` significant digits; digits before the point are never dropped."""
    if value == 0:
        return "0"
    decimals = digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2])
    if decimals > digits + 3:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(decimals, 0)}f}"


def percent(share: float) -> str:
    """Show a share in percent, without the sign, rounded so that only none is 0 and only all is 100."""
    tenths = round(share * 1000)
    if tenths == 0 and share > 0:
        return "<0.1"
    if tenths == 1000 and share < 1 - 1e-12:
        return ">99.9"
    return f"{tenths / 10:.1f}" if tenths % 1000 else f"{tenths // 10}"


def counted(number: int, noun: str) -> str:
    """A number with its noun, as ``1 step`` or ``1,200 steps``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
