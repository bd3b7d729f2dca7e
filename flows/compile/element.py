"""What the PE of an accelerator can sum, in which modes, and the codes of its weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flows.compile.operators import Array, Term
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.fusible import WORD, FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE


@dataclass(frozen=True)
class Mode:
    """One way in which a PE sums.

    Attributes
    ----------
    term
        What it sums.
    bits
        Of an integer weight; of a shift's code.
    zero
        Whether a weight can do nothing.
    signs
        Of binary weights: whether they are signs instead of a mask.
    point
        Of shifts: weights are ``s * 2**(point - e)``, with the code's exponent ``e``; to the left, ``s * 2**e``.
    largest
        Of shifts: the largest exponent.
    right
        Of shifts: whether they are to the right.
    dropped
        Of shifts: bits that fall below the accumulator, of ``x * 2**n`` before the negation.
    common, elements
        Of the command.
    """

    term: Term
    bits: int = 1
    zero: bool = True
    signs: bool = False
    largest: int = 0
    point: int = 0
    right: bool = False
    dropped: int = 0
    common: int = 0
    elements: int = 1

    def codes(self, weights: Array) -> Array:
        """Return the codes of integer weights, which `quantise` made for this mode.

        A weight that does nothing is given as 0; in modes without a zero, the least code stands for it where the
        result is not used.
        """
        if self.term == "shift":
            sign = (weights < 0).astype(np.int64) << (self.bits - 1)
            power = np.log2(np.maximum(np.abs(weights), 1)).astype(np.int64)
            exponent = self.point - power if self.right else power
            nothing = (1 << (self.bits - 1)) - 1 if self.zero else 0
            return np.where(weights == 0, nothing, sign | exponent)
        if self.term == "binary":
            return (weights < 0).astype(np.int64) if self.signs else (weights != 0).astype(np.int64)
        return weights


def modes(accelerator: Accelerator) -> list[Mode]:
    """Return all modes of the accelerator's PE, of each term the one with the widest weights first.

    Raises
    ------
    InputError
        If no network can run on the PE.
    """
    pe, bits = accelerator.pe, accelerator.activation_bits
    if isinstance(pe, IntegerMac):
        return [Mode("mac", pe.w_bits)]
    if isinstance(pe, BitSerialMac):
        return [Mode("mac", pe.w_bits, common=bits)]
    if isinstance(pe, FusibleMac):
        return _fusible(pe, accelerator)
    if isinstance(pe, ShiftPE):
        return [_shift(pe)]
    if isinstance(pe, AdderPE):
        return [Mode("adder", pe.bits, zero=False)]
    if isinstance(pe, ShiftAddPE):
        zero = bool(getattr(pe, "zero", False))
        shift = Mode("shift", pe.shift_bits, zero=zero, largest=pe.largest_shift)
        return [shift, Mode("adder", pe.bits, zero=False, common=1)]
    if isinstance(pe, BinaryAddPE):
        signs = pe.weights == "bin"
        return [Mode("binary", zero=not signs, signs=signs)]
    raise InputError("must be a PE that sums terms of a network's layers", field="pe", value=pe.key)


def _shift(pe: ShiftPE) -> Mode:
    right = pe.direction == "right"
    point = max(pe.largest_shift, pe.fraction) if right else 0
    dropped = point - pe.fraction if right else 0
    return Mode("shift", pe.w_bits, zero=pe.zero, largest=pe.largest_shift, point=point, right=right, dropped=dropped)


def _fusible(pe: FusibleMac, accelerator: Accelerator) -> list[Mode]:
    """Widths of weights for which a word holds whole beats; a mode is the logarithm of the slices of an operand."""
    x_bits = accelerator.activation_bits
    mode_bits = (pe.modes - 1).bit_length()
    found, x_mode = [], x_bits.bit_length() - 2
    for w_mode in reversed(range(pe.modes)):
        width = 2 << w_mode
        elements = pe.bits // x_bits * (pe.bits // width)
        if elements <= min(accelerator.most_elements, 8) and accelerator.lanes % elements == 0:
            found.append(Mode("mac", width, common=x_mode | w_mode << mode_bits, elements=elements))
    return found


STANDS_IN: dict[Term, tuple[Term, ...]] = {
    "mac": ("mac",), "shift": ("shift", "mac"), "adder": ("adder",), "binary": ("binary", "shift", "mac"),
}  # fmt: skip
"""Terms that can do the work of each."""


def choose(accelerator: Accelerator, name: str, term: Term, weights: Array, weight_bits: int | None) -> Mode:
    """Return the mode for a layer: the narrowest that holds ``weight_bits``, else the widest.

    Raises
    ------
    InputError
        If the PE cannot sum such terms, or its weights have no zero and the layer needs one.
    """
    known = modes(accelerator)
    for stand_in in STANDS_IN[term]:
        able = [mode for mode in known if mode.term == stand_in and _holds(mode, weights)]
        if able:
            enough = [mode for mode in able if weight_bits is not None and mode.bits >= weight_bits]
            return enough[-1] if enough else able[0]
    rule = f"must be summed by the PE, which sums {', '.join(dict.fromkeys(mode.term for mode in known))}"
    if term in {mode.term for mode in known}:
        rule += ", but has no code for some of the layer's weights"
    raise InputError(rule, field=name, value=term)


def _holds(mode: Mode, weights: Array) -> bool:
    if mode.term == "binary":
        return bool(np.isin(weights, (-1, 1) if mode.signs else (0, 1)).all())
    if mode.term == "shift" and not mode.zero:
        return bool((weights != 0).all())
    return True


def operands(accelerator: Accelerator, mode: Mode, codes: Array) -> Array:
    """Return the words of the weights, of shape ``(beats, fields)``.

    Parameters
    ----------
    codes
        Of shape ``(beats, elements, columns)``.
    """
    pe = accelerator.pe
    if not isinstance(pe, FusibleMac):
        return codes[:, 0]
    lanes = (codes & ((1 << mode.bits) - 1)).transpose(0, 2, 1)
    ports = []
    for port in range(len(pe.bus("w"))):
        word = np.zeros(lanes.shape[:2], np.int64)
        for lane in range(mode.elements):
            place = lane * mode.bits - port * WORD
            if 0 <= place < WORD:
                word |= lanes[..., lane] << place
        ports.append(word)
    return np.stack(ports, axis=-1).reshape(len(codes), -1)
