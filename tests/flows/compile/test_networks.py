"""Whole networks: trained, compiled, and the same integers from PyTorch, the NumPy model and the RTL."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from flows.compile import compile_network
from flows.verify.accelerator import Memory, Simulation
from flows.verify.accelerator_cycles import predict
from hwsim.examples.digits import datasets
from models.shiftaddnet import ShiftAddResNet, ShiftAddVGG, resnet20
from rtl.accelerator import Accelerator
from rtl.control.execution import Error
from rtl.pe import find


def with_statistics(model, images):
    """The model in evaluation mode, its batch norms with the statistics of the images."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(images)
    return model.eval()


def trained_on_digits(model, epochs):
    """The model in evaluation mode, images that it learned from, and test images with their labels."""
    (x, y), test = (data.tensors for data in datasets())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=epochs * -(-len(x) // 64))
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    return model.eval(), x, test


@pytest.mark.parametrize(
    ("kind", "epochs", "quantise"),
    [
        ("shiftadd_frozen", 5, None),
        pytest.param("shiftadd", 14, None, marks=pytest.mark.slow),
        pytest.param("shiftadd", 20, "sbm", marks=pytest.mark.slow),
    ],
)
def test_shiftaddnet_learns_digits_and_runs_on_the_accelerator(kind, epochs, quantise):
    torch.manual_seed(0)
    model = ShiftAddResNet(kind, blocks=1, widths=(8, 16), inputs=1, quantise=quantise)
    model, images, (x, y) = trained_on_digits(model, epochs)
    with torch.no_grad():
        predicted = model(x).argmax(1)
    assert (predicted == y).float().mean() >= 0.95
    network = compile_network(model, images[:128], Accelerator(rows=8, columns=8, pe=find("shiftadd8z")))
    integers = network.reference(x).flatten(1)
    assert (integers.argmax(1) == y).float().mean() >= 0.95
    assert (integers.argmax(1) == predicted).float().mean() >= 0.97
    assert torch.equal(network.run(x[:2]).flatten(1), integers[:2])


@pytest.mark.parametrize(
    ("model", "pe", "size"),
    [
        (ShiftAddResNet("conv", blocks=1, widths=(8, 12)), "int8_mac", 12),
        (ShiftAddVGG("shiftadd", groups=((8, 2), (12, 1))), "shiftadd8z", 8),
    ],
    ids=["resnet", "vgg"],
)
def test_small_networks(model, pe, size):
    torch.manual_seed(0)
    images = torch.rand(8, 3, size, size)
    accelerator = Accelerator(rows=4, columns=4, pe=find(pe), weight_words=128, parameter_words=8, sum_words=256)
    network = compile_network(with_statistics(model, images), images, accelerator)
    assert torch.equal(network.run(images[:2]), network.reference(images[:2]))


def on_rtl(network, images, folder, simulator):
    """Outputs of the RTL, image by image; every second meets a memory that stalls, the others' counters are exact."""
    simulation = Simulation(network.bundle.accelerator, folder, simulator)
    expected = vars(predict(network.bundle.accelerator, network.commands, Memory()))
    for index, image in enumerate(network.integers(images).numpy()):
        external = Memory(stalls=index % 2 * 20)
        (outcome,), memory = simulation.run(network.bundle.memory(image), [network.bundle.layout.program], external)
        assert outcome.error == Error.NONE
        assert outcome.index == len(network.commands) - 1
        assert outcome.counters["beats"] == expected["beats"]
        if not external.stalls:
            assert outcome.counters == expected
        yield torch.from_numpy(network.bundle.output(memory).copy())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "pe"), [("shiftadd", "shiftadd8z"), ("conv", "int8_mac_piped"), ("conv", "fusible8_piped")])
def test_resnet20_on_the_rtl(kind, pe, tmp_path):
    torch.manual_seed(0)
    images = torch.rand(8, 3, 32, 32)
    model = with_statistics(resnet20(kind), images)
    network = compile_network(model, images, Accelerator(rows=8, columns=8, pe=find(pe)))
    expected = network.reference(images[:1])
    assert torch.equal(network.run(images[:1]), expected)
    (got,) = on_rtl(network, images[:1], tmp_path, "verilator")
    assert torch.equal(got, expected[0])


def test_digits_on_the_rtl(tmp_path):
    """A small network of digits, trained, on Icarus."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2)
    model, images, (x, y) = trained_on_digits(nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 10)), epochs=5)
    network = compile_network(model, images[:64], Accelerator(rows=4, columns=4, pe=find("int8_mac"), weight_words=64))
    integers = network.reference(x)
    assert (integers.flatten(1).argmax(1) == y).float().mean() >= 0.7
    got = torch.stack(list(on_rtl(network, x[:2], tmp_path, "icarus")))
    assert torch.equal(got, integers[:2])
