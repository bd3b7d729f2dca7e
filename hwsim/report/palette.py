"""Names and colours of components and phases, the same in every table and chart.

The colours are those of Okabe and Ito, told apart by people with any common colour blindness; the two on-chip
memories share a hue. Phases also differ in the shape of their mark.
"""

from __future__ import annotations

from typing import NamedTuple

from hwsim.cost.result import Component
from hwsim.workload.operator import Phase


class Style(NamedTuple):
    """How a component or a phase is shown."""

    name: str
    colour: str
    symbol: str = "circle"


COMPONENT_STYLES: dict[Component, Style] = {
    "compute": Style("compute", "#0072b2"),
    "register_file": Style("register file", "#7fcbb0"),
    "global_buffer": Style("global buffer", "#009e73"),
    "network": Style("network", "#f0c243"),
    "dram": Style("DRAM", "#d55e00"),
    "standing": Style("leakage and clock", "#8a8f98"),
}
PHASE_STYLES: dict[Phase, Style] = {
    "forward": Style("forward", "#0072b2", "circle"),
    "grad_input": Style("grad_input", "#e69f00", "triangle-up"),
    "grad_weight": Style("grad_weight", "#d55e00", "diamond"),
    "optimizer": Style("optimizer", "#cc79a7", "square"),
    "control": Style("control", "#8a8f98", "x"),
}


def shade(colour: str, place: int) -> str:
    """Return ``colour`` (``#rrggbb``) for the first of several that share it, lighter ones for the others."""
    share = 1 / (1 + 0.6 * place)
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - channel) * share):02x}" for channel in channels)
