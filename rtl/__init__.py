"""Amaranth gateware, each block with its bit-true twin."""
