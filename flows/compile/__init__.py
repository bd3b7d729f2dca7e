"""From a PyTorch network to a program of the accelerator: capture, quantise, lower, and the exact reference."""

from flows.compile.bundle import Bundle
from flows.compile.network import Network, assemble, compile_network

__all__ = ["Bundle", "Network", "assemble", "compile_network"]
