"""Predictions beside what was measured on real hardware, with the error of every one."""

from hwsim.validation.silicon import Validation, validate_silicon

__all__ = ["Validation", "validate_silicon"]
