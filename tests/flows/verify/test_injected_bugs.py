"""The verifier verified: each defect that people make is put in, and at least two tiers must notice it."""

from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Const, Module, Mux, Value

from flows.verify import design, formal, gate, stimulus
from flows.verify.formal import ProofError
from flows.verify.simulate import MismatchError, simulate
from rtl.pe.component import Beat, Element, Term, extend
from rtl.pe.floating import FloatElement, FloatMac
from rtl.pe.integer import IntegerMac, _IntegerMac
from rtl.pe.shift import ShiftPE, _ShiftPE

MAC = IntegerMac(x_bits=4, w_bits=4, accumulator=12)
SHIFT = ShiftPE(x_bits=4, w_bits=3, accumulator=12)


class WrongDirection(_ShiftPE):
    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        code = Value.cast(operands["w"])
        shifted = operands["x"] >> code[:2]
        return Term(extend(m, shifted, 8) ^ code[2].replicate(8).as_signed(), code[2])


class NoSignExtension(_IntegerMac):
    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        return Term(super().term(m, beat, operands).addend.as_unsigned())


class OneTooMany(_IntegerMac):
    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        return Term(super().term(m, beat, operands).addend, Const(1, 1))


class NoCarry(_ShiftPE):
    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        return Term(super().term(m, beat, operands).addend, Const(0, 1))


class LateClear(_IntegerMac):
    """Forgets the sum before only when the beat is also the last one."""

    def _from(self, m: Module, first: Value, held: Any) -> Value:
        return Mux(first & self.last, 0, held).as_signed()


class NoNan(FloatElement):
    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Any:
        return super().term(m, beat, operands)._replace(nan=Const(0, 1))


INTEGER_BUGS: list[tuple[type[Element], Any]] = [
    (WrongDirection, SHIFT),
    (NoSignExtension, MAC),
    (OneTooMany, MAC),
    (NoCarry, SHIFT),
    (LateClear, MAC),
]


@pytest.mark.parametrize(("bug", "pe"), INTEGER_BUGS)
def test_simulation_and_proof_notice(bug: type[Element], pe: Any, tmp_path: Path) -> None:
    beats = stimulus.make(pe, 100, 1)
    verilog = design.emit(bug(pe), tmp_path / "pe.v")
    with pytest.raises(MismatchError, match=r"^beat [0-9]+: results \(.*\), expected \(.*\)$"):
        simulate(pe, beats, [verilog], tmp_path / "simulation")
    with pytest.raises(ProofError, match=r"^assertion failed: .*; counterexample beside .*proof\.log$"):
        formal.prove(pe, tmp_path / "proof", bug(pe))


def test_simulation_and_gate_level_notice_a_lost_nan(tmp_path: Path) -> None:
    pe = FloatMac(form="fp8_e4m3")
    beats = stimulus.make(pe, 100, 1).head(600)
    verilog = design.emit(NoNan(pe), tmp_path / "pe.v")
    with pytest.raises(MismatchError, match=r"^beat [0-9]+: results \(.*\), expected \(2143289344,\)$"):
        simulate(pe, beats, [verilog], tmp_path / "simulation")
    netlist = gate.synthesise(verilog, tmp_path / "gate")
    with pytest.raises(MismatchError, match=r"^beat [0-9]+: results \(.*\), expected \(2143289344,\)$"):
        simulate(pe, beats, netlist.sources, tmp_path / "gate simulation")


class NeverReady(_IntegerMac):
    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.ready.eq(0)
        return m


def test_a_pe_that_is_never_ready_ends_the_simulation_and_the_proof(tmp_path: Path) -> None:
    verilog = design.emit(NeverReady(MAC), tmp_path / "pe.v")
    with pytest.raises(MismatchError, match=r"^beat 0: not ready for 1 cycles$"):
        simulate(MAC, stimulus.make(MAC, 100, 1), [verilog], tmp_path / "simulation")
    with pytest.raises(ProofError, match=r"^assertion failed: "):
        formal.prove(MAC, tmp_path / "proof", NeverReady(MAC))


def test_a_sound_pe_passes_both(tmp_path: Path) -> None:
    report = simulate(
        SHIFT, stimulus.make(SHIFT, 100, 1), [design.emit(SHIFT.create(), tmp_path / "pe.v")], tmp_path
    )
    assert report["checked"] > 1000
    assert report["coverage"]["missing"] == []
    assert formal.prove(SHIFT, tmp_path / "proof") == "k-induction, 3 steps"


def test_a_latency_that_is_not_the_formula_is_noticed(tmp_path: Path) -> None:
    slow = MAC.model_copy(update={"stages": 1})
    verilog = design.emit(slow.create(), tmp_path / "pe.v")
    with pytest.raises(MismatchError, match=r"^beat 0: done in cycle [0-9]+, expected in cycle [0-9]+$"):
        simulate(MAC, stimulus.make(MAC, 100, 1), [verilog], tmp_path)
