"""ShiftAddNet trained on digits with 8-bit adders, compiled by the command, predicts the same on the RTL."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwsim.cli.main import main
from hwsim.examples.digits import datasets
from models.shiftaddnet.train import CHECKPOINT, load_trained
from models.shiftaddnet.train import main as train

IMAGES = 40
NETWORK = """
from hwsim.examples.digits import datasets
from models.shiftaddnet import ShiftAddResNet

def network():
    return ShiftAddResNet("{kind}", blocks=1, widths=(8, 16), inputs=1, quantise="sbm")

def seen():
    return datasets()[0].tensors[0][:256]

def unseen():
    return datasets()[1].tensors[0][:{images}]
"""


def command(*arguments):
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    assert done.value.code == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shiftadd", "shiftadd_frozen"])
def test_same_predictions_on_the_rtl(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = ["dataset=digits", "blocks=1", "widths=[8,16]", "batch=32", "epochs=10", "average_from=0.5"]
    train(["-o", "run", f"kind={kind}", "quantise=sbm", *recipe])
    (tmp_path / "net.py").write_text(NETWORK.format(kind=kind, images=IMAGES))
    (tmp_path / "chip.yaml").write_text("rows: 4\ncolumns: 4\npe: shiftadd8z\n")
    network = ["net.py:network", "--checkpoint", f"run/{CHECKPOINT}", "--data", "net.py:seen"]
    command("compile", *network, "--config", "chip.yaml", "-o", "out")
    for simulator in ("model", "verilator"):
        command("run", "out", "--input", "net.py:unseen", "-o", f"{simulator}.npy", "--simulator", simulator)
    on_rtl = np.load("verilator.npy")
    assert np.array_equal(on_rtl, np.load("model.npy"))  # every score, bit for bit
    x, y = (part[:IMAGES] for part in datasets()[1].tensors)
    with torch.no_grad():
        trained = load_trained(tmp_path / "run" / CHECKPOINT)[1](x)
    predicted = torch.from_numpy(on_rtl).flatten(1).argmax(1)
    print(f"{kind}: {int((predicted == trained.argmax(1)).sum())} of {IMAGES} predictions are the trained network's")
    top = trained.topk(2).values
    clear = top[:, 0] - top[:, 1] > 0.1 * trained.std()  # others may fall either way in INT8 activations
    assert torch.equal(predicted[clear], trained.argmax(1)[clear])
    assert clear.float().mean() > 0.9
    assert (predicted == y).float().mean() >= 0.95
