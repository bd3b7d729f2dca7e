"""ShiftAddNet trained on digits with 8-bit adders predicts the same on the accelerator's RTL."""

from __future__ import annotations

import pytest
import torch

from flows.compile import compile_network
from flows.verify.accelerator import Memory, Simulation
from models.shiftaddnet.datasets import load
from models.shiftaddnet.recipe import Recipe
from models.shiftaddnet.train import CHECKPOINT, load_trained, train
from rtl.accelerator import Accelerator
from rtl.control.execution import Error

IMAGES = 100


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shiftadd_frozen", "shiftadd"])
def test_same_predictions_on_the_rtl(kind, tmp_path):
    recipe = Recipe(dataset="digits", kind=kind, quantise="sbm", blocks=1, widths=(8, 16), batch=64, epochs=12)
    train(recipe, tmp_path / "run")
    _, model = load_trained(tmp_path / "run" / CHECKPOINT)
    data = load(recipe)
    x, y = (part[:IMAGES] for part in data.test)
    network = compile_network(model, data.train[0][:256], Accelerator(rows=8, columns=8, pe="shiftadd8z"))
    with torch.no_grad():
        scores = model(x)
    simulation = Simulation(network.bundle.accelerator, tmp_path / "rtl", "verilator")
    outputs = []
    for image in network.integers(x).numpy():
        (outcome,), memory = simulation.run(network.bundle.memory(image), [network.bundle.layout.program], Memory())
        assert outcome.error == Error.NONE
        outputs.append(torch.from_numpy(network.bundle.output(memory).copy()).flatten())
    got = torch.stack(outputs)
    assert torch.equal(got, network.reference(x).flatten(1))  # every score, bit for bit
    top = scores.topk(2).values
    clear = top[:, 0] - top[:, 1] > 0.1 * scores.std()  # others may fall either way in INT8 activations
    assert torch.equal(got.argmax(1)[clear], scores.argmax(1)[clear])
    assert clear.float().mean() > 0.9
    assert (got.argmax(1) == y).float().mean() >= 0.95
