"""Lowering: from recorded ATen operators to the intermediate representation."""

from hwsim.trace.lowering.lower import Unknown, lower

__all__ = ["Unknown", "lower"]
