"""Lowering: from recorded ATen operators to the intermediate representation."""

from hwsim.trace.lowering.lower import Level, Unknown, lower

__all__ = ["Level", "Unknown", "lower"]
