"""Programs as an architecture: exact cycles, every joule by counters and coefficients, and the RTL beside them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from flows.compile import Bundle, check, compile_network, price
from flows.compile.configuration import load_accelerator, programmed
from flows.compile.operands import recorded
from flows.compile.score import Source, score
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from hwsim import InputError, Workload
from hwsim import score as score_workload
from hwsim.architecture import load_architecture
from hwsim.cli.main import main
from hwsim.cost.accelerator_program import Counters
from hwsim.cost.priced import technology_of
from hwsim.cost.programmed import memory_key
from hwsim.errors import HwsimError
from hwsim.trace import trace

PRESETS = ("int8-8x8", "shiftadd-8x8", "fusible-8x8")


def model():
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 9, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(9, 6, 3, stride=2), nn.ReLU()
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 5))


def source(images=4):
    torch.manual_seed(1)
    return Source("net", model(), torch.rand(images, 2, 6, 6))


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An architecture of 2 x 3 elements, in a file."""
    text = (load_architecture("int8-8x8")[1] / "int8-8x8.yaml").read_text()
    changes = {"name: int8-8x8": "name: small", "rows: 8": "rows: 2", "columns: 8": "columns: 3", "8192": "256",
               "parameter_words: 64": "parameter_words: 4", "sum_words: 1024": "sum_words: 32"}  # fmt: skip
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configurations(name):
    accelerator = load_accelerator(name)
    assert (accelerator.rows, accelerator.columns) == (8, 8)
    assert price.accelerator_of(programmed(name)) == accelerator


def test_cycles_are_those_of_the_program_and_energies_follow_from_counters():
    (result,) = score(source(), ["int8-8x8"])
    architecture, folder = load_architecture("int8-8x8")
    technology = technology_of(architecture, folder)
    network = compile_network(model(), source().images, load_accelerator("int8-8x8"))
    expected = predict(network.bundle.accelerator, network.commands, Memory(8))
    total = sum((Counters(**cost.mapping) for cost in result.operators), Counters())
    assert total == expected
    assert result.latency_s == pytest.approx(expected.cycles / 500e6, rel=1e-12)
    assert [cost.name for cost in result.operators] == [*(one.name for one in network.graph.layers), price.TRANSFERS]
    charges = [charge for cost in result.operators for charge in cost.charges]
    for charge in charges:
        coefficient = result.coefficients[charge.coefficient]
        assert charge.energy_pj == pytest.approx(charge.times * coefficient.energy_pj(charge.bits))
    dram = sum(charge.times for charge in charges if charge.component == "dram")
    assert dram == expected.external_words
    reads = sum(charge.times for charge in charges if (charge.operand, ".read" in charge.coefficient) == ("activations", True))
    assert reads == expected.activation_reads + expected.residual_reads
    idle = sum(charge.times for charge in charges if charge.coefficient == "circuit.int8_mac.idle")
    assert idle == 64 * (expected.cycles - expected.beats)
    assert result.operators[0].macs == 9 * 2 * 9 * 36
    assert technology.coefficient("circuit.int8_mac").value == technology.circuits["int8_mac"].energy[-1].total_pj


def test_operands_of_the_image_price_the_elements():
    """Images of zeros move nothing in the first layer's multipliers: an operation costs its clock and little else."""
    architecture, folder = load_architecture("int8-8x8")
    technology = technology_of(architecture, folder)
    network = compile_network(model(), source().images, load_accelerator("int8-8x8"))
    still, moving = (
        recorded(network.bundle, image, architecture, technology)
        for image in (np.zeros((2, 6, 6), int), network.integers(source().images)[0].numpy())
    )
    assert set(still) == set(moving) == {0, 2, 3}  # layer 1 pools
    clock = technology.coefficient("circuit.int8_mac.idle").value
    assert clock <= still[0].operation[1].value < 0.6 * moving[0].operation[1].value
    assert still[0].lines.stored < 0.6 * moving[0].lines.stored  # weights move, and zeros become biases
    assert still[0].lines.enabled == moving[0].lines.enabled
    of_networks = [held.max_error for held in technology.circuits["int8_mac"].model.held_out if "network" in held.streams]
    assert moving[0].operation[1].uncertainty == max(of_networks)


def test_a_shift_and_adder_element_is_one_circuit_in_two_modes():
    from models.shiftaddnet import ShiftAddResNet

    torch.manual_seed(0)
    net, images = ShiftAddResNet("shiftadd", blocks=1, widths=(4, 8), inputs=1), torch.rand(4, 1, 8, 8)
    net(images)
    (result,) = score(Source("net", net, images), ["shiftadd-8x8"])
    prices = {}
    for cost in result.operators:
        for charge in cost.charges:
            if charge.coefficient.startswith("circuit.shiftadd8z in layer"):
                prices.setdefault(cost.primitive, []).append(result.coefficients[charge.coefficient].value)
    assert set(prices) == {"shift", "add"}
    idle = sum(charge.times for cost in result.operators for charge in cost.charges
               if charge.coefficient == "circuit.shiftadd8z.idle")  # fmt: skip
    assert idle == 64 * sum(cost.mapping["cycles"] - cost.mapping["beats"] for cost in result.operators)


def test_memories_wider_or_smaller_than_the_model():
    assert memory_key(1024, 64) == ("sram.8192x64", 1)
    assert memory_key(64, 384) == ("sram.1536x192", 2)
    assert memory_key(4, 40) == ("sram.512x40", 1)
    assert memory_key(4, 144) == ("sram.1024x144", 1)


def test_the_rtl_counts_the_same(small, tmp_path, capsys):
    """From the command line, on a program; the RTL is that of 2 x 3 elements."""
    bundle = compile_network(model(), source().images, load_accelerator(small)).bundle
    bundle.save(tmp_path)
    run("score", str(tmp_path), "--on", small, "--check-rtl", "--simulator", "icarus")
    cycles = predict(bundle.accelerator, bundle.commands, Memory(8)).cycles
    assert f"The RTL on icarus counts the same: {cycles} cycles" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("counters", "message"),
    [({"cycles": 1, "drain_stall": 2}, r"cycles \d+ instead of \d+, drain_stall \d+ instead of \d+"), ({"rows": -1}, r"rows")],
)
def test_a_difference_to_the_rtl_is_an_error(small, monkeypatch, counters, message):
    bundle = compile_network(model(), source().images, load_accelerator(small)).bundle
    ran = []

    class Off:
        """An RTL that counts otherwise."""

        def __init__(self, accelerator, folder, simulator, memory_words):
            self.accelerator = accelerator

        def run(self, memory, programs, external):
            found = vars(predict(self.accelerator, bundle.commands, external))
            ran.append(programs)
            outcome = type("Outcome", (), {"error": 0, "index": 0, "counters": {
                name: value + counters.get(name, 0) for name, value in found.items()
            }})  # fmt: skip
            return [outcome], memory

    monkeypatch.setattr(check, "Simulation", Off)
    with pytest.raises(HwsimError, match=f"does not count what the cycle model predicts: {message}"):
        check.check_rtl(bundle, 8)
    assert ran == [[bundle.layout.program]]


def test_bundles_know_their_program(small, tmp_path):
    network = compile_network(model(), source().images, load_accelerator(small))
    network.bundle.save(tmp_path)
    assert Bundle.load(tmp_path).commands == network.commands


def test_workloads_are_priced_layer_by_layer():
    """Layers alone take what they take in a network, and what nothing hides: the loads of their weights."""
    workload = trace(model(), torch.rand(3, 2, 6, 6))
    result = score_workload(workload, on="int8-8x8")
    network = compile_network(model(), source().images, load_accelerator("int8-8x8"))
    sums = [cost for cost in result.operators if cost.covered]
    assert [cost.macs for cost in sums] == [3 * part.macs for part in network.bundle.layout.layers if part.term]
    assert [cost.mapping["beats"] for cost in sums] == [part.beats for part in network.bundle.layout.layers if part.term]
    (whole,) = score(source(), ["int8-8x8"])
    within = sum(cost.latency_s for cost in whole.operators if cost.macs)
    assert within <= sum(cost.latency_s for cost in sums) / 3 < 1.5 * within
    assert {cost.note for cost in result.operators if not cost.covered} == {
        "accelerator has no model of operators that are no contractions"
    }


def test_what_has_no_program_is_not_covered(tmp_path):
    step = trace(nn.Conv2d(8, 8, 3, padding=1), torch.rand(1, 8, 200, 200), loss=lambda y: y.sum())
    result = score_workload(step, on="int8-8x8")
    notes = {cost.phase: cost.note for cost in result.operators if "not on" in cost.note}
    assert notes["forward"].startswith("not on int8-8x8: activation_words: must be at least 80000 for layer")
    assert notes["grad_weight"].endswith("must be a product of activations and parameters, forward")
    workload = Workload(name="w", operators=tuple(step.operators))
    assert all(not cost.covered for cost in score_workload(workload, on="shiftadd-8x8").operators)


def test_side_by_side_from_the_command_line(tmp_path, capsys):
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef both():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), torch.rand(4, 3, 6, 6)\n"
    )
    output = tmp_path / "result.json"
    run("score", f"{tmp_path}/net.py:both", "--on", "int8-8x8,eyeriss-45nm-int8", "-o", str(output), "--json")
    assert json.loads(capsys.readouterr().out) == json.loads(output.read_text())
    first, second = json.loads(output.read_text())["results"]
    assert (first["samples"], second["samples"]) == (1, 1)
    assert sum(one["macs"] for one in first["operators"]) == sum(one["macs"] for one in second["operators"]) == 8 * 27 * 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["NET:net", "--data", "NET:images", "--on", "eyeriss-45nm", "--check-rtl"], "--on: must name an architecture of kind accelerator to check its RTL"),
        (["NET:net", "--data", "NET:images", "--on", "int8-8x8", "--simulator", "vcs", "--check-rtl"], "--simulator: must be verilator or icarus, not 'vcs'"),
        (["NET:net", "--data", "NET:images", "--on", "shiftadd-8x8"], "0: must be summed by the PE, which sums shift, adder, not 'mac'"),
        (["NET:net", "--data", "NET:images", "--on", "int8-8x8", "--fuse"], "--fuse: must be absent"),
        (["w.yaml", "--check-rtl"], "--check-rtl: must be absent: only networks and compiled programs take it, not True"),
        (["net.pt2", "--on", "int8-8x8"], "--data: must be given for an exported program"),
    ],
)  # fmt: skip
def test_errors(tmp_path, capsys, arguments, message):
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 8, 3))\n\n\n"
        "def images():\n    return torch.rand(4, 3, 6, 6)\n"
    )
    with pytest.raises(SystemExit):
        main(["score", *(argument.replace("NET", f"{tmp_path}/net.py") for argument in arguments)])
    assert message in capsys.readouterr().err


def test_a_program_of_another_accelerator(small):
    bundle = compile_network(model(), source().images, load_accelerator("int8-8x8")).bundle
    with pytest.raises(InputError, match="rows: must be that of small, 2: the program was compiled for another accelerator"):
        score(Source("net", bundle=bundle), [small])


def test_the_memory_must_keep_up(tmp_path):
    text = (load_architecture("int8-8x8")[1] / "int8-8x8.yaml").read_text()
    (tmp_path / "slow.yaml").write_text(text.replace("dram_gb_per_s: 4", "dram_gb_per_s: 3"))
    with pytest.raises(InputError, match="dram must keep up with the port of 64 bits: 4 GB/s"):
        load_architecture(str(tmp_path / "slow.yaml"))


