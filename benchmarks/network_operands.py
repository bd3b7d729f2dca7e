"""Train three small networks on scikit-learn's digits and write operands of their layers: ``network_operands.py``.

Makes ``flows/calibrate/networks.npz``, which `hwsim calibrate` reads: for each layer ``<network>.<layer>.x``, int8
rows of ``terms`` activations, one row per output pixel or image, and ``.w``, int8 ``(terms, outputs)``. Per tensor,
symmetric: the largest magnitude becomes 127. The digits (1,797 scans of 8 x 8, UCI, by scikit-learn) are CC BY 4.0.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

OUTPUT = Path(__file__).parents[1] / "flows" / "calibrate" / "networks.npz"
ROWS, OUTPUTS, STEPS = 48, 16, 400
NETWORKS = {
    "cnn": lambda: nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, 16, 3, padding=1), relu1=nn.ReLU(), conv2=nn.Conv2d(16, 32, 3, stride=2, padding=1),
        relu2=nn.ReLU(), conv3=nn.Conv2d(32, 16, 3, padding=1), relu3=nn.ReLU(), flatten=nn.Flatten(),
        fc=nn.Linear(256, 10),
    )),
    "mlp": lambda: nn.Sequential(OrderedDict(
        flatten=nn.Flatten(), fc1=nn.Linear(64, 48), relu1=nn.ReLU(), fc2=nn.Linear(48, 32), tanh=nn.Tanh(),
        fc3=nn.Linear(32, 10),
    )),
    "lenet": lambda: nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, 6, 5, padding=2), tanh1=nn.Tanh(), pool=nn.AvgPool2d(2),
        conv2=nn.Conv2d(6, 16, 3, padding=1), tanh2=nn.Tanh(),
        flatten=nn.Flatten(), fc1=nn.Linear(256, 32), relu=nn.ReLU(), fc2=nn.Linear(32, 10),
    )),
}  # fmt: skip


def train(network: nn.Sequential, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Train with Adam and return the accuracy on the last fifth, which is not trained on."""
    split = len(images) * 4 // 5
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(STEPS):
        batch = torch.randint(split, (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    return float((network(images[split:]).argmax(1) == labels[split:]).float().mean())


def quantised(values: torch.Tensor) -> NDArray[np.int8]:
    """Return the values in steps of a 127th of the largest magnitude."""
    return np.round(values.detach().numpy() * (127 / values.abs().max().item())).astype(np.int8)


def operands(network: nn.Sequential, images: torch.Tensor) -> dict[str, NDArray[np.int8]]:
    """Return rows of activations and the weights of every layer with weights."""
    found = {}
    with torch.no_grad():
        for name, layer in network.named_children():
            if isinstance(layer, nn.Conv2d):
                rows = F.unfold(images, layer.kernel_size, padding=layer.padding, stride=layer.stride).mT.flatten(0, 1)
                found[f"{name}.x"], found[f"{name}.w"] = rows, layer.weight.flatten(1).T
            elif isinstance(layer, nn.Linear):
                found[f"{name}.x"], found[f"{name}.w"] = images, layer.weight.T
            images = layer(images)
    return {
        name: quantised(values)[: ROWS if name.endswith("x") else None, : OUTPUTS if name.endswith("w") else None]
        for name, values in found.items()
    }


def main() -> None:
    """Train, measure and write."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    arrays = {}
    for name, make in NETWORKS.items():
        torch.manual_seed(0)
        network = make()
        print(f"{name}: accuracy {train(network, images, labels):.3f}")
        arrays |= {f"{name}.{key}": value for key, value in operands(network, images[-8:]).items()}
    np.savez_compressed(OUTPUT, **arrays)
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
