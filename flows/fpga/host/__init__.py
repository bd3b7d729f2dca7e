"""Drivers for hosts, copied as they are into build directories."""
