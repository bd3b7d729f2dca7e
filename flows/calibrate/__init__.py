"""Calibration: what the project's own RTL costs as gates of a cell library."""
