"""Workloads from the files of other tools: `load` reads SCALE-Sim, ONNX, PyTorch profiles, Timeloop and AccelForge."""

from hwsim.workload.importers.formats import FORMATS, Format, detect, load

__all__ = ["FORMATS", "Format", "detect", "load"]
