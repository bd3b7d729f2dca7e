"""Workloads from what PyTorch's own profilers write: Kineto (Chrome) traces and execution traces."""
