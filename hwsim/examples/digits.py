"""Train a small convolutional network on the handwritten digits of scikit-learn.

An ordinary PyTorch script; the ``with`` block around the loop is all it knows of hwsim.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import hwsim


class DigitsNet(nn.Module):
    """Three convolutions and a classifier for images of 8 x 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(block(1, 32), block(32, 64), nn.MaxPool2d(2), block(64, 64), nn.MaxPool2d(2))
        self.classifier = nn.Linear(64 * 2 * 2, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 10) of images (N, 1, 8, 8)."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


def block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return convolution, batch normalization and ReLU."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU())


def datasets() -> tuple[TensorDataset, TensorDataset]:
    """Return 1437 images with labels to train on and 360 to test on."""
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 16, labels, test_size=0.2, random_state=0, stratify=labels)
    train_images, test_images = (torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8) for part in split[:2])
    train_labels, test_labels = (torch.tensor(part) for part in split[2:])
    return TensorDataset(train_images, train_labels), TensorDataset(test_images, test_labels)


@torch.no_grad()
def accuracy(model: nn.Module, data: TensorDataset) -> float:
    """Return the share of ``data`` that ``model`` classifies correctly."""
    images, labels = data.tensors
    model.eval()
    predicted = model(images).argmax(1)
    model.train()
    return float((predicted == labels).float().mean())


def train(directory: Path, epochs: int, seed: int) -> float:
    """Train, record the run in ``directory`` and return the accuracy on the test images."""
    torch.manual_seed(seed)
    training_data, test_data = datasets()
    model = DigitsNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loader = DataLoader(training_data, batch_size=64, shuffle=True)
    with hwsim.record(directory, model, optimizer, name="digits demo") as run:
        for _ in track(range(epochs), "training", console=Console(stderr=True), transient=True):
            for images, labels in loader:
                loss = nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            run.log(loss=loss.item(), accuracy=accuracy(model, test_data))
    return accuracy(model, test_data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Train a small convolutional network on handwritten digits.")
    parser.add_argument("--output", type=Path, default=Path("runs/digits"), help="where the recorded run goes")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the training images")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # with images this small, threads cost more than they bring
    reached = train(options.output, options.epochs, options.seed)
    print(f"accuracy on test images: {reached:.1%}")


if __name__ == "__main__":
    main()
