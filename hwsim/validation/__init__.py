"""Predictions beside what was measured on real hardware, with the error of every one."""

from hwsim.validation.power_trace import TraceValidation, validate_trace
from hwsim.validation.silicon import Validation, validate_silicon

__all__ = ["TraceValidation", "Validation", "validate_silicon", "validate_trace"]
