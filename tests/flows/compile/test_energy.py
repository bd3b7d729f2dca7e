"""What a program is said to cost in the array, against the array's gates on what its RTL sees, cycle by cycle."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from flows.calibrate import synthesis
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.simulation import compiled, simulate
from flows.calibrate.timing import analyse
from flows.compile import compile_network
from flows.compile.operands import recorded
from flows.compile.price import accelerator_of, executions, silicon, steps
from flows.verify import tools
from flows.verify.accelerator import Memory, Simulation
from hwsim.architecture import load_architecture
from hwsim.cost.programmed import array_charges
from hwsim.technology import load_technology
from models.shiftaddnet import ShiftAddResNet
from tests.flows.compile.test_networks import trained_on_digits

PORTS = (
    "rst", "beats__valid", "beats__payload", "results__ready",  # inputs
    "beats__ready", "results__valid", "results__payload",
)  # fmt: skip
PROBE = """
module probe;
    integer file;
    initial file = $fopen("array.txt");
    always @(posedge bench.clk) if (bench.core.running) $fdisplay(file, "{formats}", {ports});
endmodule
""".format(formats=" ".join("%h" for _ in PORTS), ports=", ".join(f"bench.core.array.{port}" for port in PORTS))


@dataclass(frozen=True)
class Gates:
    """The array of an accelerator as gates of osu018."""

    netlist: Netlist
    cycle: object
    prices: Prices

    @classmethod
    def of(cls, array, folder):
        library = Library([tools.cells("osu018_stdcells.lib")])
        synthesis.place(library, folder)
        made = synthesis.synthesise(array.create(), library, folder, synthesis.Recipe())
        wires = {f"beats__payload_{bit}": (net,) for bit, net in enumerate(made.inputs["beats__payload"])}
        others = {name: nets for name, nets in made.inputs.items() if name != "beats__payload"}
        netlist = Netlist(made.gates, {**others, **wires}, made.outputs)
        return cls(netlist, compiled(netlist), Prices(netlist, analyse(netlist), library.voltage_v))

    def energy_pj(self, seen):
        """Energy of cycles in which the RTL had these values on the ports of its array; the results must be its."""
        seen = [(1, *(0,) * (len(PORTS) - 1)), *seen]  # a reset
        columns = dict(zip(PORTS, zip(*seen, strict=True), strict=True))
        ports = {name: np.array([columns[name]]) for name in ("rst", "beats__valid", "results__ready")}
        for bit in range(len(self.netlist.inputs) - len(ports)):
            ports[f"beats__payload_{bit}"] = np.array([[word >> bit & 1 for word in columns["beats__payload"]]])
        waves = simulate(self.netlist, ports, self.cycle)
        shown = zip(*(waves.bits(net)[1:, 0] for net in self.netlist.outputs["results__payload"]), strict=True)
        for valid, expected, bits in zip(columns["results__valid"][1:], columns["results__payload"][1:], shown, strict=True):
            assert not valid or sum(int(bit) << place for place, bit in enumerate(bits)) == expected
        assert [int(bit) for bit in waves.bits(self.netlist.outputs["results__valid"][0])[1:, 0]] == list(columns["results__valid"][1:])
        return float(self.prices.evaluate(waves).total_pj[0])


def compared(network, images, architecture, technology, folder, gates):
    """Energy of the array by layer with a sum: as `hwsim score` has it, and of the gates."""
    bundle, image = network.bundle, network.integers(images[:1])[0].numpy()
    known = recorded(bundle, image, architecture, technology)
    priced = {
        number: (one.name, sum(charge.energy_pj for charge in array_charges(one, silicon(bundle.accelerator), architecture, technology)))
        for number, one in enumerate(executions(bundle, architecture.memory_latency, known))
    }
    (folder / "probe.v").write_text(PROBE)
    simulation = Simulation(bundle.accelerator, folder, "icarus", probe=folder / "probe.v")
    (outcome,), _ = simulation.run(bundle.memory(image), [bundle.layout.program], Memory(architecture.memory_latency))
    text = re.sub("[xXzZ]", "0", (folder / "array.txt").read_text())  # registers hold nothing before the first beat
    seen = [tuple(int(value, 16) for value in line.split()) for line in text.splitlines()]
    own = [counters.cycles for _, counters in steps(bundle.accelerator, bundle.commands, architecture.memory_latency)]
    assert outcome.counters["cycles"] == sum(own) == len(seen)
    windows = np.split(np.arange(len(seen)), np.cumsum(own)[:-1])
    found = {}
    for number in known:
        cycles = np.concatenate([window for window, owner in zip(windows, bundle.layout.owners, strict=True) if owner == number])
        name, predicted = priced[number]
        found[name] = predicted, gates.energy_pj([seen[cycle] for cycle in cycles])
    return found


def with_edge(name, edge):
    """The architecture `name` with an array of `edge` x `edge` elements."""
    architecture, _ = load_architecture(name)
    changed = architecture.accelerator.model_copy(update={"rows": edge, "columns": edge})
    return architecture.model_copy(update={"accelerator": changed})


def convolutions():
    """Dense, depthwise, pointwise and strided convolutions behind ReLU, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 12, 1), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10),
    )  # fmt: skip


def residual(kind):
    """Blocks with residuals: of convolutions, or of shifts and distances."""
    return ShiftAddResNet(kind, blocks=1, widths=(4, 8), inputs=1)


def check(model, images, architecture, folder):
    technology = load_technology("osu018")
    network = compile_network(model, images[:64], accelerator_of(architecture))
    gates = Gates.of(network.bundle.accelerator.array, folder)
    found = compared(network, images, architecture, technology, folder, gates)
    assert len(found) == sum(layer.term is not None for layer in network.bundle.layout.layers)
    for name, (predicted, measured) in found.items():
        print(f"{name}: {predicted:.0f} pJ predicted, {measured:.0f} pJ on gates, {predicted / measured - 1:+.1%}")
        assert abs(predicted / measured - 1) <= 0.05, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "name"),
    [(convolutions, "int8-8x8"), (lambda: residual("conv"), "int8-8x8"), (lambda: residual("shiftadd"), "shiftadd-8x8")],
    ids=["convolutions", "residual", "shiftadd"],
)
def test_the_energy_of_every_layer_in_the_array_is_that_of_its_gates(model, name, tmp_path):
    """Networks trained on digits, on 4 x 4 elements."""
    torch.manual_seed(0)
    model, images, _ = trained_on_digits(model(), epochs=4)
    check(model, images, with_edge(name, 4), tmp_path)


def test_the_energy_in_a_small_array_is_that_of_its_gates(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3, stride=2), nn.ReLU(), nn.Conv2d(2, 4, 1))
    check(model.eval(), torch.rand(4, 1, 8, 8), with_edge("int8-8x8", 2), tmp_path)
