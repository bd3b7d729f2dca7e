"""FPGA flow: build directories for boards, bitstreams from open tools, estimates, simulation of what was synthesised."""

from flows.fpga.boards import BOARDS, find_board
from flows.fpga.build import Build, build

__all__ = ["BOARDS", "Build", "build", "find_board"]
