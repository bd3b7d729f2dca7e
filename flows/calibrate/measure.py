"""One circuit in one library: synthesis, simulation, energy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import drive, model, networks, packing, streams, synthesis, zeros
from flows.calibrate.activity import activity
from flows.calibrate.glitches import glitch_factor
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.calibrate.operators import Operator
from flows.calibrate.power import Power, Prices
from flows.calibrate.rounding import rounded
from flows.calibrate.simulation import LANES, Waves, simulate
from flows.calibrate.streams import Streams
from flows.calibrate.timing import analyse
from hwsim.errors import HwsimError
from hwsim.technology.circuit import Circuit, Energy, EnergyModel
from rtl.pe.element import ProcessingElement

BEATS = 500
"""Beats of each uniform stream; a group of streams is 64 of them."""
FITTED_BEATS = 250
"""Beats of the streams that models are fitted to and judged on."""
FITTED = (2, 3, 4, 5)
"""Seeds of the groups of designed streams that a model is fitted to; the first also gives the spread."""
GLITCH_BEATS = 16
"""Beats of the uniform streams with unit delays."""
HELD_OUT = 100
"""Seed of the group that it is not."""


@dataclass(frozen=True)
class Setup:
    """Where circuits are measured.

    Attributes
    ----------
    library
        The cells.
    folder
        Working files of the synthesis; `flows.calibrate.synthesis.place` has been here.
    recipe
        How to synthesise.
    """

    library: Library
    folder: Path
    recipe: synthesis.Recipe


def element(pe: ProcessingElement, setup: Setup, own: Streams | None = None) -> Circuit:
    """Return what a PE costs on uniform operands (or on ``own``), and a model of what it costs on any.

    Raises
    ------
    HwsimError
        If the gates do not compute what the PE's model computes, or anything fails on the way.
    """
    bench = Bench(pe, synthesis.synthesise(pe.create(), setup.library, setup.folder, setup.recipe), setup.library)
    designed = [bench.run(streams.designed(pe, LANES, FITTED_BEATS, seed)) for seed in FITTED]
    fitted = [*designed, bench.run(streams.uniform(pe, LANES // 8, FITTED_BEATS, seed=1))]
    held_out = {"other designed": bench.run(streams.designed(pe, LANES, FITTED_BEATS, HELD_OUT))}
    main = [bench.run(own if own is not None else streams.uniform(pe, LANES, BEATS, seed=1))]
    if packing.known(pe):
        fitted.append(bench.run(networks.streams(pe, networks.FITTED, LANES, FITTED_BEATS, seed=1)))
        judged = [bench.run(networks.streams(pe, name, LANES, FITTED_BEATS, seed=2)) for name in networks.HELD_OUT]
        held_out |= {f"network {name}": run for name, run in zip(networks.HELD_OUT, judged, strict=True)}
        main += [fitted[-1], *judged] if own is None else []
    energy = [_energy(main[0].streams.names[0], main[:1])]
    energy += [_energy("networks", main[1:])] if main[1:] else []
    return Circuit(
        kind="pe", key=pe.key, parameters=pe.model_dump(), formats=pe.operands, delay_ns=rounded(bench.timing.delay_ns),
        energy=energy, spread=_spread(designed[0].energy_pj), zeros=_zeros(bench) if packing.plain(pe) else None,
        model=model.fit(
            model.Sample.joined(run.sample(pe) for run in fitted),
            {name: run.sample(pe) for name, run in held_out.items()},
        ),
        glitches=bench.glitches(), **_size(bench.netlist),
    )  # fmt: skip


def _zeros(bench: Bench) -> EnergyModel:
    """Return the model of what zeros save, fitted to one network and judged on the others."""
    samples = {}
    for name in (networks.FITTED, *networks.HELD_OUT):
        run = bench.run(zeros.streams(bench.pe, name, LANES, FITTED_BEATS, seed=4))
        samples[name] = zeros.sample(bench.pe, run.streams, run.beats, run.energy_pj)
    return model.fit(samples[networks.FITTED], {f"network {name}": samples[name] for name in networks.HELD_OUT})


@dataclass(frozen=True)
class Run:
    """Streams that were simulated.

    Attributes
    ----------
    power
        Of each stream.
    beats, operations
        How many of each were over when the simulation ended, and how many operations they held.
    """

    streams: Streams
    power: Power
    beats: NDArray[np.int64]
    operations: NDArray[np.int64]

    @property
    def energy_pj(self) -> NDArray[np.float64]:
        """Energy per operation of each stream."""
        return self.power.total_pj / self.operations

    def sample(self, pe: ProcessingElement) -> model.Sample:
        """Return the streams with their activity and their energy per operation."""
        return model.Sample(self.streams.names, activity(pe, self.streams, self.beats), self.energy_pj)


class Bench:
    """A PE as gates, ready to be driven."""

    def __init__(self, pe: ProcessingElement, netlist: Netlist, library: Library) -> None:
        self.pe, self.netlist, self.timing = pe, netlist, analyse(netlist)
        self.prices = Prices(netlist, self.timing, library.voltage_v)

    def run(self, group: Streams) -> Run:
        """Return what the streams cost.

        Raises
        ------
        HwsimError
            If the gates do not compute what the PE's twin computes.
        """
        plan = drive.schedule(self.pe, group)
        waves = simulate(self.netlist, plan.ports)
        drive.check(self.pe, group, plan, waves)
        return Run(group, self.prices.evaluate(waves), plan.beats, plan.operations)

    def glitches(self) -> float:
        """Return the energy with unit delays over that without delays, on uniform operands."""
        group = streams.uniform(self.pe, LANES, GLITCH_BEATS, seed=3)
        return rounded(glitch_factor(self.prices, drive.schedule(self.pe, group).ports), 3)


def operator(described: Operator, setup: Setup) -> Circuit:
    """Return what a bare operator costs on uniform operands; its spread is over operands of fewer bits."""
    netlist = synthesis.synthesise(described.create(), setup.library, setup.folder, setup.recipe)
    prices = Prices(netlist, timing := analyse(netlist), setup.library.voltage_v)
    generator = np.random.default_rng(1)
    ports = {name: _integers(form, generator) for name, form in described.formats.items()}
    waves = simulate(netlist, ports)
    _check(described, ports, waves)
    count = np.full(LANES, BEATS - 1)
    small = {name: values >> (np.arange(LANES) % 8)[:, None] for name, values in ports.items()}
    designed = prices.evaluate(simulate(netlist, small)).total_pj / count
    return Circuit(
        kind="operator", key=described.operation, parameters={}, formats=described.formats,
        delay_ns=rounded(timing.delay_ns), energy=[_parts("uniform", prices.evaluate(waves), count)],
        spread=_spread(designed), **_size(netlist),
    )  # fmt: skip


def _integers(form: str, generator: np.random.Generator) -> NDArray[np.int64]:
    bits = int(form.removeprefix("u").removeprefix("int"))
    low = 0 if form.startswith("u") else -(1 << (bits - 1))
    return generator.integers(low, low + (1 << bits), (LANES, BEATS))


def _check(described: Operator, ports: dict[str, NDArray[Any]], waves: Waves) -> None:
    nets = waves.netlist.outputs["y"]
    expected = described.compute(**ports) & ((1 << len(nets)) - 1)
    if (waves.port(nets, signed=False) != expected).any():
        raise HwsimError(f"gates of the operator {described.operation} do not compute it")


def _size(netlist: Netlist) -> dict[str, Any]:
    used = {net for gate in netlist.gates for net in gate.pins.values() if isinstance(net, int)}
    clock = {gate.pins[gate.cell.clock_pin] for gate in netlist.gates if gate.cell.register}
    missing = used - set(netlist.nets) - clock
    if missing:
        raise HwsimError(f"{len(missing)} nets were not annotated")
    return {
        "area_um2": rounded(netlist.area_um2), "leakage_nw": rounded(netlist.leakage_nw), "gates": len(netlist.gates),
        "registers": netlist.registers, "nets": len(used | set(netlist.nets)) - len(clock),
        "annotated_nets": len(netlist.nets),
    }  # fmt: skip


def _energy(stream: str, runs: list[Run]) -> Energy:
    """Return the energy of an operation over all streams of several runs."""
    power = Power(*(np.concatenate(parts) for parts in zip(*(astuple(run.power) for run in runs), strict=True)))
    return _parts(stream, power, np.concatenate([run.operations for run in runs]))


def _parts(stream: str, power: Power, operations: NDArray[Any]) -> Energy:
    parts = (power.internal_pj, power.switching_pj, power.clock_pj, power.input_pj)
    internal, switching, clock, inputs = (rounded(part.sum() / operations.sum()) for part in parts)
    return Energy(
        stream=stream, operations=int(operations.sum()),
        internal_pj=internal, switching_pj=switching, clock_pj=clock, input_pj=inputs,
    )  # fmt: skip


def _spread(energies: Iterable[float]) -> float:
    values = np.asarray(energies)
    return rounded(float(values.std() / values.mean()), 3)
