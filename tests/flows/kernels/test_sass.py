"""Counting instructions of a listing."""

import pytest

from flows.kernels.sass import executed
from flows.kernels.worker import KernelError

LISTING = """
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_0:
        /*0010*/              @!P0 LDG.E.U8.CONSTANT R12, desc[UR8][R8.64] ;
        /*0020*/                   IMAD.MOV.U32 R49, RZ, RZ, R49.reuse ;
        /*0030*/                   IADD3 R4, P1, R4, 0x8, RZ ;
        /*0040*/               @P0 BRA `(.L_x_0) ;
        /*0050*/               @P1 BRA `(.L_x_1) ;
        /*0060*/                   STG.E desc[UR8][R2.64], R5 ;
.L_x_1:
        /*0070*/                   EXIT ;
.L_x_2:
        /*0080*/                   BRA `(.L_x_2);
        /*0090*/                   NOP ;
"""


def test_what_is_in_the_loop_counts_once_a_step():
    counts = executed(LISTING, 4)
    assert counts == {"LDC": 1, "LDG": 4, "IMAD": 4, "IADD3": 4, "BRA": 5, "STG": 1, "EXIT": 1}


def test_straight_code_has_one_step():
    straight = LISTING.replace(".L_x_0:", "").replace("@P0 BRA `(.L_x_0)", "MOV R1, R2")
    assert executed(straight, 1).total() == 8
    with pytest.raises(KernelError, match=r"^machine code must have one loop to be counted, not 0$"):
        executed(straight, 2)


def test_several_loops_cannot_be_counted():
    two = LISTING.replace("@P1 BRA `(.L_x_1)", "@P1 BRA `(.L_x_0)")
    with pytest.raises(KernelError, match=r"^machine code must have one loop to be counted, not 2$"):
        executed(two, 2)


def test_an_empty_listing_is_an_error():
    with pytest.raises(KernelError, match=r"^the listing has no instructions$"):
        executed("", 1)
