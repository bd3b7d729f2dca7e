"""Static timing without wires: the worst slew of every net, and the longest path."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.calibrate.library import Arc
from flows.calibrate.netlist import Gate, Net, Netlist
from flows.calibrate.table import Table
from hwsim.errors import HwsimError

EDGES = ("rise", "fall")
INPUT_SLEW_NS = 0.0
"""Slew of the input ports and of the clock, as ideal as in OpenSTA's defaults."""

_CAUSES = {"positive_unate": {"rise": ("rise",), "fall": ("fall",)},
           "negative_unate": {"rise": ("fall",), "fall": ("rise",)}}  # fmt: skip


@dataclass
class Timing:
    """Worst cases per net.

    Attributes
    ----------
    slew_ns, arrival_ns
        By net and edge; latest arrival after the clock's edge.
    delay_ns
        The longest path: from a register or an input port to an output port or, with its setup time, a register.
    """

    slew_ns: dict[tuple[Net, str], float] = field(default_factory=dict)
    arrival_ns: dict[tuple[Net, str], float] = field(default_factory=dict)
    delay_ns: float = 0.0

    def slew(self, net: Net, edge: str) -> float:
        """Slew of a net in ns; of a constant or the clock, the ideal one."""
        return self.slew_ns.get((net, edge), INPUT_SLEW_NS)


def analyse(netlist: Netlist) -> Timing:
    """Return slews, arrivals and the longest path of a netlist.

    Raises
    ------
    HwsimError
        If a gate's output has no timing.
    """
    timing = Timing()
    for bits in netlist.inputs.values():
        for net in bits:
            for edge in EDGES:
                timing.slew_ns[net, edge], timing.arrival_ns[net, edge] = INPUT_SLEW_NS, 0.0
    for gate in netlist.gates:
        _propagate(gate, netlist, timing)
    ends = [timing.arrival_ns.get((net, edge), 0.0)
            for bits in netlist.outputs.values() for net in bits for edge in EDGES]  # fmt: skip
    ends += [end for gate in netlist.gates if gate.cell.register for end in _setup(gate, timing)]
    timing.delay_ns = max(ends, default=0.0)
    return timing


def _propagate(gate: Gate, netlist: Netlist, timing: Timing) -> None:
    for arc in gate.cell.arcs:
        net = gate.pins.get(arc.pin)
        if not isinstance(net, int) or arc.kind.startswith("setup"):
            continue
        load = netlist.load_pf[net]
        for edge, delay, slew in (("rise", arc.rise, arc.rise_slew), ("fall", arc.fall, arc.fall_slew)):
            if delay and slew:
                for cause in causes(arc, edge):
                    _reach(gate, arc, (net, edge), cause, load, (delay, slew), timing)
    for pin in gate.cell.outputs:
        net = gate.pins.get(pin)
        if isinstance(net, int) and any(isinstance(n, int) for n in gate.pins.values() if n != net):
            missing = [edge for edge in EDGES if (net, edge) not in timing.slew_ns]
            if missing:
                raise HwsimError(f"cell {gate.cell.name}: output {pin} has no timing for its {missing[0]}")


def causes(arc: Arc, edge: str) -> tuple[str, ...]:
    """Return the edges of an arc's input that give an edge of its output."""
    if arc.kind.endswith("_edge"):
        return ("rise",) if arc.kind == "rising_edge" else ("fall",)
    return _CAUSES.get(arc.sense, {}).get(edge, EDGES)


def _reach(
    gate: Gate, arc: Arc, end: tuple[Net, str], cause: str, load: float, tables: tuple[Table, Table], timing: Timing
) -> None:
    start = gate.pins.get(arc.related, "0")  # of a constant, the arc keeps the output's slew defined
    start_slew, start_time = timing.slew(start, cause), timing.arrival_ns.get((start, cause), 0.0)
    arrival = start_time + tables[0].at(slew=start_slew, load=load)
    slew = max(tables[1].at(slew=start_slew, load=load), 0.0)
    timing.arrival_ns[end] = max(timing.arrival_ns.get(end, 0.0), arrival)
    timing.slew_ns[end] = max(timing.slew_ns.get(end, 0.0), slew)


def _setup(gate: Gate, timing: Timing) -> list[float]:
    ends = []
    for arc in gate.cell.arcs:
        net = gate.pins.get(arc.pin)
        for edge, table in (("rise", arc.rise), ("fall", arc.fall)):
            if arc.kind.startswith("setup") and table and (net, edge) in timing.arrival_ns and net is not None:
                margin = table.at(slew=timing.slew(net, edge), clock_slew=INPUT_SLEW_NS)
                ends.append(timing.arrival_ns[net, edge] + margin)
    return ends
