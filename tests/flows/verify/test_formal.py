"""What a proof is about: the PE itself where a solver ends, and cases that leave nothing out."""

import itertools
from pathlib import Path

import pytest
from amaranth.hdl import Module, Mux, Value

from flows.verify import formal
from rtl.pe import find
from rtl.pe.component import Beat, Term
from rtl.pe.element import Accumulator
from rtl.pe.fusible import FusibleMac, _FusibleMac
from rtl.pe.serial import BitSerialMac, _BitSerialMac

WHOLE = ["int8_mac", "int8_mac_piped", "fusible4", "fusible8", "psg4x6", "psg8x16", "simhash8x4", "serial4", "serial8", "shift16x5"]
IN_PARTS = {"int16_mac": 2, "psg8_sat": 2, "fusible8_piped": 2, "fusible16": 2, "serial16": 1, "simhash8x16": 1}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_proved_is_the_pe(name: str) -> None:
    assert formal.provable(find(name)) == [find(name)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "parts"), IN_PARTS.items())
def test_larger_ones_are_proved_in_parts_or_smaller(name: str, parts: int) -> None:
    pe = find(name)
    assert isinstance(pe, Accumulator)
    proved = formal.provable(pe)
    assert len(proved) == parts
    assert pe not in proved
    assert proved[-1].stages == pe.stages


def test_each_pair_of_modes_is_in_one_case() -> None:
    split = formal.cases(FusibleMac())
    met = [pair for case in split for pair in itertools.product(case["x_mode"], case["w_mode"])]
    assert sorted(met) == list(itertools.product(range(4), repeat=2))
    assert formal.cases(FusibleMac(bits=4, accumulator=12)) == [{}]


@pytest.mark.parametrize("x_bits", [5, 8, 16])
def test_each_step_of_a_serial_product_is_in_one_case(x_bits: int) -> None:
    split = formal.cases(BitSerialMac(x_bits=x_bits, accumulator=48))
    every = range(1 << x_bits.bit_length())
    met = [pair for case in split for pair in itertools.product(case["left"], case.get("precision", every))]
    assert sorted(met) == list(itertools.product(range(1 << (x_bits - 1).bit_length()), every))


class WrongMode(_FusibleMac):
    """Adds one where both operands have 4 bits."""

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        right = super().term(m, beat, operands)
        wrong = (operands["x_mode"] >= 1) & (operands["w_mode"] >= 1)
        return Term(Mux(wrong, right.addend + 1, right.addend)[: self.parameters.term_bits].as_signed())


def test_a_defect_of_one_case_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pe = FusibleMac(bits=4, accumulator=12)
    split: list[formal.Case] = [{"x_mode": range(1)}, {"x_mode": range(1, 2), "w_mode": range(1, 2)}]
    monkeypatch.setattr(formal, "cases", lambda pe: split)
    with pytest.raises(formal.ProofError, match=r"^assertion failed: "):
        formal.prove(pe, tmp_path, WrongMode(pe))
    assert formal.prove(pe, tmp_path) == "k-induction, 1 steps, 2 cases"


class EarlySign(_BitSerialMac):
    """Subtracts the bit before the sign, too, when two cycles are left."""

    def _bit(self, m: Module, bit: Value, w: Value, is_sign: Value) -> Term:
        return super()._bit(m, bit, w, is_sign | (self.left == 2))


@pytest.mark.parametrize(("left", "noticed"), [(1, False), (2, True)])
def test_a_defect_of_a_later_cycle_is_noticed_in_its_case(
    left: int, noticed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pe = BitSerialMac(x_bits=4, w_bits=4, accumulator=12)
    monkeypatch.setattr(formal, "cases", lambda pe: [{"left": range(left, left + 1)}] * 2)
    if noticed:
        with pytest.raises(formal.ProofError, match=r"^assertion failed: "):
            formal.prove(pe, tmp_path, EarlySign(pe))
    else:
        assert formal.prove(pe, tmp_path, EarlySign(pe)) == "k-induction, 1 steps, 2 cases"
