"""Synchronous DRAM: the chip's rules, and what puts one behind the accelerator's memory port."""

from rtl.sdram.chip import Sdram
from rtl.sdram.controller import SdramController
from rtl.sdram.store import SdramStore

__all__ = ["Sdram", "SdramController", "SdramStore"]
