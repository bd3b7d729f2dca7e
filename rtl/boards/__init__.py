"""Tops for boards: the accelerator with the pins, the clock and the host's line of each."""

from rtl.boards.serial import SerialBoard

__all__ = ["SerialBoard"]
