"""The model of the board: what it was fitted to it gives back, what follows its own law it predicts."""

from __future__ import annotations

import pytest

from flows.reproduce.platform import FITTED, ON_CHIP_BITS, Key, Size, errors, figures

SMALL, LARGE = Size(40_000_000, 270_000, 0), Size(400_000_000, 20_000_000, 0)
METHODS = ("ConvNet", "AdderNet", "DeepShift", "ShiftAddNet", "Fixed shift")
SIZES = {(method, name): size for method in METHODS for name, size in (("ResNet-20", SMALL), ("VGG19-small", LARGE))}
SHARES = {"Head-Pose": 0.5, "FlatCam-Face": 0.25, "adaptation": 0.6}


def law(key, spilling=2.0):
    """A board that is as the model says, with other parameters."""
    method = METHODS.index(key.method) + 1
    size = SIZES[key.method, key.network]
    width = 32 if key.format == "FP32" else int(key.format[3:])
    kind = "AdderNet" if key.format == "FP32" and key.method in ("ConvNet", "DeepShift") else key.method
    own = METHODS.index(kind) + 1
    bits = size.weights * width
    energy = own * 1e-7 * size.operations + own**2 * 1e-7 * bits * (spilling if bits > ON_CHIP_BITS else 1)
    factor = 3 if key.format == "FP32" else 1
    return energy * factor * (method if kind != key.method else 1) * SHARES.get(key.data, 1)


def every_key():
    for method in METHODS:
        for form in ("FP32",) if method == "ConvNet" else ("FP32", "FIX32", "FIX16", "FIX8"):
            for network in ("ResNet-20", "VGG19-small"):
                for data in ("CIFAR-10", "CIFAR-100", *SHARES):
                    yield Key(method, form, network, data)


def test_a_board_that_follows_the_law_is_found_out():
    found = figures({key: law(key) for key in every_key()}, SIZES)
    assert sum(one.role == "fitted" for one in found) == len(FITTED)
    assert max(abs(one.difference_percent) for one in found) < 1e-6


def test_predictions_do_not_know_their_figures():
    printed = {key: law(key) for key in every_key()}
    changed = {key: value if key in FITTED else 2 * value for key, value in printed.items()}
    before, after = figures(printed, SIZES), figures(changed, SIZES)
    assert [one.ours for one in before] == [one.ours for one in after]
    assert errors(after, "ResNet-20", "FIX16") == pytest.approx([50] * 20)
