"""On-chip memories and the nested-loop generators of their addresses."""

from rtl.memory.generator import AddressGenerator
from rtl.memory.im2col import Im2col
from rtl.memory.lanes import LaneMemory
from rtl.memory.nest import Coordinate, Nest
from rtl.memory.reader import BankReader
from rtl.memory.scratchpad import Scratchpad

__all__ = ["AddressGenerator", "BankReader", "Coordinate", "Im2col", "LaneMemory", "Nest", "Scratchpad"]
