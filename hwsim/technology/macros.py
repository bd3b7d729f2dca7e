"""Real SRAM macros of a foundry, as their Liberty files state them, and what lies between them: SRAM at 130 nm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from pydantic import PositiveInt, RootModel

from hwsim.files import Frozen, read_model
from hwsim.technology.circuit import Positive


class Macro(Frozen):
    """One single-port memory: energy of an access at its clock pin, time from clock to data, leakage and area."""

    words: PositiveInt
    bits: PositiveInt
    read_pj: Positive
    write_pj: Positive
    access_ns: Positive
    leakage_mw: Positive
    area_mm2: Positive

    @property
    def size_bytes(self) -> float:
        """Capacity."""
        return self.words * self.bits / 8


class _Macros(RootModel[dict[str, Macro]]):
    """By name."""


SOURCE = "IHP SG13G2, 130 nm, 1.2 V, 25 C, typical: Liberty files of its SRAM macros (Apache-2.0)"


NODE_NM, VOLTAGE_V = 130, 1.2

FIGURES = ("read_pj", "write_pj", "access_ns", "leakage_mw", "area_mm2")

HELD_OUT = {"read_pj": 0.09, "write_pj": 0.06, "access_ns": 0.07, "leakage_mw": 0.001, "area_mm2": 0.03}
"""Relative error (root mean square) at a macro that the fit was not given; `tests/technology/test_sram.py` finds it."""


@cache
def macros() -> dict[str, Macro]:
    """Return IHP's ten macros by name."""
    return read_model(Path(str(files("hwsim.technology") / "models" / "ihp-sram.yaml")), _Macros).root


def between(words: float, bits: float) -> Macro | None:
    """Return a macro of any size inside those of IHP; None outside."""
    given = list(macros().values())
    low, high = ((pick(m.words for m in given), pick(m.bits for m in given)) for pick in (min, max))
    if not (low[0] <= words <= high[0] and low[1] <= bits <= high[1]):
        return None
    return fitted(given, words, bits)


def fitted(given: Sequence[Macro], words: float, bits: float) -> Macro:
    """Return a macro by the law ``a + b words + c bits + d words bits`` through those given, least relative squares."""
    terms = np.array([_terms(one.words, one.bits) for one in given])
    figures = {}
    for name in FIGURES:
        values = np.array([getattr(one, name) for one in given])
        weights, *_ = np.linalg.lstsq(terms / values[:, None], np.ones(len(given)), rcond=None)
        figures[name] = float(weights @ _terms(words, bits))
    return Macro(words=round(words), bits=round(bits), **figures)


def _terms(words: float, bits: float) -> tuple[float, float, float, float]:
    return 1.0, words, bits, words * bits
