"""What the networks are trained on: CIFAR-10 kept as JPEG files, and scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hwsim.errors import InputError
from models.images import Archive, load_archive
from models.shiftaddnet.recipe import Recipe

ARCHIVE = "cifar10_jpeg.npz"
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
"""Of the colours of CIFAR-10."""
PADDING = 4
"""Pixels around an image of which a random part of its size is taken."""


@dataclass(frozen=True)
class Data:
    """Images ``(images, channels, rows, columns)`` and their classes."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    augmented: bool
    """Whether training images are moved and mirrored at random."""

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return training images with these numbers, as the network sees them."""
        images, labels = self.train[0][chosen], self.train[1][chosen]
        return (moved(images) if self.augmented else images), labels

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all training images once, in an order drawn anew."""
        return map(self.batch, torch.randperm(len(self.train[0])).split(size))


def moved(images: Tensor) -> Tensor:
    """Move every image by up to 4 pixels each way and mirror half of them, at random."""
    rows, columns = images.shape[2:]
    padded = F.pad(images, (PADDING,) * 4)
    top, left = torch.randint(2 * PADDING + 1, (2, len(images), 1))
    across = torch.arange(columns).expand(len(images), -1)
    across = torch.where(torch.rand(len(images), 1) < 0.5, across, columns - 1 - across) + left
    down = torch.arange(rows) + top
    image = torch.arange(len(images))[:, None, None]
    return padded[image, :, down[:, :, None], across[:, None]].permute(0, 3, 1, 2)


def load(recipe: Recipe) -> Data:
    """Return the data of a recipe: images of its classes, drawn without regard to their order in the data set.

    Whatever is drawn for more images holds what is drawn for fewer.

    Raises
    ------
    InputError
        If the data set is not there, or has fewer images than the recipe asks for.
    """
    if recipe.dataset == "digits":
        from hwsim.examples.digits import datasets

        (images, labels), (unseen, answers) = (data.tensors for data in datasets())
        return Data(_chosen(recipe, images, labels, "train"), _chosen(recipe, unseen, answers, "test"), augmented=False)
    archive = load_archive(ARCHIVE)
    numbers = archive.is_train.nonzero().flatten(), (~archive.is_train).nonzero().flatten()
    train, test = (
        _decoded(archive, *_chosen(recipe, own, archive.labels[own], kind))
        for own, kind in zip(numbers, ("train", "test"), strict=True)
    )
    return Data(train, test, augmented=True)


def _decoded(archive: Archive, numbers: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    images = archive.decode(numbers)
    mean, deviation = (images.new_tensor(colours)[:, None, None] for colours in (MEAN, DEVIATION))
    return (images - mean) / deviation, labels


def _chosen(recipe: Recipe, images: Tensor, labels: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Images or their numbers, and their classes numbered from 0."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images, labels = images[order], labels[order]
    if recipe.classes is not None:
        classes = torch.tensor(recipe.classes)
        kept = (labels[:, None] == classes).any(1)
        images, labels = images[kept], (labels[kept, None] == classes).int().argmax(1)
    if kind == "train" and recipe.half is not None:
        images, labels = images[recipe.half :: 2], labels[recipe.half :: 2]
    asked = recipe.train_images if kind == "train" else recipe.test_images
    if asked and asked > len(images):
        raise InputError(f"must be at most {len(images)}", field=f"{kind}_images", value=asked)
    return images[:asked], labels[:asked]
