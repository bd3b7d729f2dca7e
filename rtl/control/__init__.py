"""Commands of the accelerator, and the hardware that runs a program of them."""

from rtl.control.command import COMMAND_BITS, Command, Convolution, Halt, Load, Pooling, Post, Store, decode, encode

__all__ = ["COMMAND_BITS", "Command", "Convolution", "Halt", "Load", "Pooling", "Post", "Store", "decode", "encode"]
