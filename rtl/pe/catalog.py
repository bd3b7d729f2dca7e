"""The registry of PE configurations: a line here is verified, measured and offered by every command.

Entries hold parameters, not hardware: hardware that is built and never elaborated is an error in Amaranth.
"""

from __future__ import annotations

from hwsim.errors import InputError
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import FloatMac
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.predictive import PredictiveSignPE
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE

CATALOG: dict[str, ProcessingElement] = {
    "int8_mac": IntegerMac(),
    "shift8": ShiftPE(),
    "adder8": AdderPE(),
    "matadd8": BinaryAddPE(),
    "ternary8": TernaryAddPE(),
    "fusible8": FusibleMac(),
    "serial8": BitSerialMac(),
    "psg8x16": PredictiveSignPE(),
    "simhash8x4": SimHashTree(),
    "fp32_mac": FloatMac(form="fp32"),
    "bf16_mac": FloatMac(),
    "fp16_mac": FloatMac(form="fp16"),
    "e4m3_mac": FloatMac(form="fp8_e4m3"),
    "e5m2_mac": FloatMac(form="fp8_e5m2"),
}
"""Configurations by name. The name of a PE's default configuration comes first among those of its key."""


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
