"""Each paper's tables, ours beside the printed values: ``hwsim reproduce NAME``.

A system is an entry point of the group ``hwsim.reproductions``: a function that takes a `Progress` or None and returns
a `Reproduction`.
"""

from flows.reproduce.registry import Progress, reproduce, systems
from flows.reproduce.report import Chart, Figure, Reproduction, Section

__all__ = ["Chart", "Figure", "Progress", "Reproduction", "Section", "reproduce", "systems"]
