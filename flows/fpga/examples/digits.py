"""Handwritten digits on the smallest board: a network for iCEBreaker, and its training.

python -m flows.fpga.examples.digits digits.pt
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

EPOCHS, BATCH, SEED = 20, 64, 0


def network() -> nn.Sequential:
    """Return the network, untrained: a convolution of eight filters and a classifier, for images of 8 x 8 pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(128, 10),
    )  # fmt: skip


def images() -> Tensor:
    """Return the 1437 images (N, 1, 8, 8) that are trained on; scales are taken from them."""
    return samples(train=True)[0]


def samples(train: bool) -> tuple[Tensor, Tensor]:
    """Return images (N, 1, 8, 8) of 0 to 1 and labels (N,), to train or to test on."""
    from hwsim.examples.digits import datasets

    pictures, labels = datasets()[0 if train else 1].tensors
    return pictures, labels


def train(epochs: int = EPOCHS) -> nn.Sequential:
    """Return the network, trained."""
    torch.manual_seed(SEED)
    model, (pictures, labels) = network(), samples(train=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    for _ in range(epochs):
        for batch in torch.randperm(len(pictures)).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(pictures[batch]), labels[batch])
            loss.backward()
            optimizer.step()
    return model.eval()


def main() -> None:
    """Train, save the weights and print the accuracy on the test images."""
    model, (pictures, labels) = train(), samples(train=False)
    accuracy = (model(pictures).argmax(1) == labels).float().mean()
    torch.save(model.state_dict(), Path(sys.argv[1]))
    print(f"accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
