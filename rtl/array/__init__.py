"""Systolic arrays of any processing element."""

from rtl.array.parameters import SystolicArray

__all__ = ["SystolicArray"]
