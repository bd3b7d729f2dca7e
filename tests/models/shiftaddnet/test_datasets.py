"""Which images a recipe is trained on, and how they are moved."""

from __future__ import annotations

import torch

from models.shiftaddnet.datasets import load, moved
from models.shiftaddnet.recipe import Recipe
from tests.models.test_images import archive, jpeg


def test_images_are_moved_and_mirrored():
    torch.manual_seed(0)
    images = torch.arange(1.0, 5)[None, None, None].expand(400, 2, 4, 4)
    seen = moved(images)
    assert seen.shape == images.shape
    padded = torch.zeros(12, 12)
    padded[4:8, 4:8] = images[0, 0]
    windows = {tuple(w.flatten().tolist()) for w in padded.unfold(0, 4, 1).unfold(1, 4, 1).reshape(-1, 4, 4)}
    mirrored = {tuple(torch.tensor(w).view(4, 4).flip(1).flatten().tolist()) for w in windows}
    found = {tuple(image[0].flatten().tolist()) for image in seen}
    assert found <= windows | mirrored
    assert len(found) > 40
    assert torch.equal(seen[:, 0], seen[:, 1])


def test_fewer_images_are_among_more():
    few, many = (load(Recipe(dataset="digits", train_images=number)).train[0] for number in (50, 300))
    assert torch.equal(few, many[:50])
    assert len(load(Recipe(dataset="digits")).train[1].unique()) == 10


def test_halves_share_no_image():
    halves = [load(Recipe(dataset="digits", half=half)).train[0].flatten(1) for half in (0, 1)]
    assert len(halves[0]) + len(halves[1]) == 1437
    assert len({tuple(x.tolist()) for x in halves[0]} & {tuple(x.tolist()) for x in halves[1]}) <= 1  # one is there twice


def test_classes_are_numbered_from_0():
    part, everything = load(Recipe(dataset="digits", classes=(7, 2))), load(Recipe(dataset="digits"))
    assert part.train[1].bincount().tolist() == [int((everything.train[1] == digit).sum()) for digit in (7, 2)]
    assert part.test[1].bincount().tolist() == [int((everything.test[1] == digit).sum()) for digit in (7, 2)]


def test_cifar_from_an_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_DATA", str(tmp_path))
    archive(tmp_path, [jpeg((0, 0, 0)), jpeg((255, 255, 255))])
    (tmp_path / "set.npz").rename(tmp_path / "cifar10_jpeg.npz")
    data = load(Recipe())
    assert data.augmented
    assert (data.train[0].shape, data.train[1].tolist(), data.test[1].tolist()) == ((1, 3, 6, 8), [0], [1])
    torch.testing.assert_close(data.test[0][0, :, 0, 0], torch.tensor([0.5086 / 0.2023, 0.5178 / 0.1994, 0.5535 / 0.201]))
