"""From a PyTorch network to a program of the accelerator: capture, quantise, lower, and the exact reference."""

from flows.compile.network import Network, compile_network

__all__ = ["Network", "compile_network"]
