"""FPGA flow: build directories for boards, bitstreams from open tools, estimates, post-synthesis simulation."""

from flows.fpga.boards import BOARDS, find_board
from flows.fpga.build import Build, build

__all__ = ["BOARDS", "Build", "build", "find_board"]
