"""The registry of PE configurations: a line here is verified, measured and offered by every command.

Entries hold parameters, not hardware: hardware that is built and never elaborated is an error in Amaranth.
"""

from __future__ import annotations

from typing import Any

from hwsim.errors import InputError
from hwsim.files import validate
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import FloatMac
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.predictive import PredictiveSignPE
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE

CATALOG: dict[str, ProcessingElement] = {
    "int8_mac": IntegerMac(),
    "int8_mac_piped": IntegerMac(restart="last", stages=3),
    "int2_mac_sat": IntegerMac(x_bits=2, w_bits=2, accumulator=4, overflow="saturate"),
    "int4_mac": IntegerMac(x_bits=4, w_bits=4, accumulator=16),
    "uint8x4_mac_sat": IntegerMac(x_signed=False, w_bits=4, accumulator=14, overflow="saturate", stages=1),
    "int16_mac": IntegerMac(x_bits=16, w_bits=16, accumulator=48, stages=2),
    "shift8": ShiftPE(),
    "shift8_last": ShiftPE(restart="last"),
    "shift8_piped": ShiftPE(restart="last", stages=1),
    "shift2_sat": ShiftPE(x_bits=2, w_bits=2, accumulator=5, overflow="saturate"),
    "shift8z_right": ShiftPE(zero=True, direction="right", fraction=6, accumulator=24),
    "shift16x5": ShiftPE(x_bits=16, w_bits=5, accumulator=48, stages=2),
    "shiftadd8": ShiftAddPE(),
    "shiftadd8_piped": ShiftAddPE(restart="last", stages=1),
    "shiftadd8z": ShiftAddPE(shift_bits=5, zero=True, restart="last", stages=1),
    "adder8": AdderPE(),
    "adder8_last": AdderPE(restart="last"),
    "adder8_piped": AdderPE(restart="last", stages=1),
    "adder2_sat": AdderPE(bits=2, accumulator=4, overflow="saturate"),
    "adder16": AdderPE(bits=16, accumulator=48, stages=2),
    "matadd8": BinaryAddPE(),
    "matadd8_signed": BinaryAddPE(weights="bin", stages=1),
    "matadd2_sat": BinaryAddPE(x_bits=2, accumulator=3, overflow="saturate"),
    "matadd16_last": BinaryAddPE(x_bits=16, weights="bin", accumulator=48, restart="last", stages=2),
    "ternary8": TernaryAddPE(),
    "ternary4_piped": TernaryAddPE(x_bits=4, lfsr_bits=5, accumulator=8, stages=2),
    "ternary16": TernaryAddPE(x_bits=16, lfsr_bits=32, accumulator=48, stages=1),
    "fusible8": FusibleMac(),
    "fusible4": FusibleMac(bits=4, accumulator=12),
    "fusible8_piped": FusibleMac(stages=2, restart="last"),
    "fusible16": FusibleMac(bits=16, accumulator=48, stages=2),
    "serial8": BitSerialMac(),
    "serial4": BitSerialMac(x_bits=4, w_bits=4, accumulator=12),
    "serial16": BitSerialMac(x_bits=16, w_bits=16, accumulator=48),
    "psg8x16": PredictiveSignPE(),
    "psg4x6": PredictiveSignPE(x_bits=4, g_bits=6, x_high=2, g_high=3, accumulator=16),
    "psg8_sat": PredictiveSignPE(g_bits=8, g_high=4, accumulator=18, overflow="saturate", stages=2),
    "simhash8x4": SimHashTree(),
    "simhash4x1_sat": SimHashTree(x_bits=4, lanes=1, accumulator=6, overflow="saturate"),
    "simhash8x16": SimHashTree(lanes=16, stages=2, restart="last"),
    "fp32_mac": FloatMac(form="fp32"),
    "bf16_mac": FloatMac(),
    "fp16_mac": FloatMac(form="fp16"),
    "e4m3_mac": FloatMac(form="fp8_e4m3"),
    "e5m2_mac": FloatMac(form="fp8_e5m2"),
    "fp16_mac_piped": FloatMac(form="fp16", stages=2, restart="last"),
}
"""Configurations by name."""

QUICK = (
    "int8_mac", "shift8", "shiftadd8", "adder8", "matadd8", "ternary8", "fusible4", "serial4", "psg4x6", "simhash8x4",
    "e4m3_mac", "bf16_mac", "shift8_piped", "adder8_last",
)  # fmt: skip
"""What the quick tier verifies: every kind of PE once, and both ways to restart a sum."""


KINDS: dict[str, type[ProcessingElement]] = {pe.key: type(pe) for pe in CATALOG.values()}
"""Classes of PEs by key."""


def make(parameters: dict[str, Any]) -> ProcessingElement:
    """Return the PE of a ``kind`` with other parameters than those of the catalog.

    Raises
    ------
    InputError
        If there is no such kind, or a parameter breaks a rule.
    """
    own = dict(parameters)
    kind = own.pop("kind", None)
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}", value=kind)
    return validate(own, KINDS[kind])


def find(name: str) -> ProcessingElement:
    """Return the configuration called ``name``.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in CATALOG:
        raise InputError(f"PE must be one of {', '.join(CATALOG)}", value=name)
    return CATALOG[name]
