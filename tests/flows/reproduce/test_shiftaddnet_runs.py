"""What the page says of training runs, from runs made by hand; and runs from first to last on a few images."""

from __future__ import annotations

import json

import pytest

from flows.reproduce import shiftaddnet_runs
from flows.reproduce.shiftaddnet_runs import training_sections
from flows.reproduce.shiftaddnet_training import main

FIELDS = ["dataset=digits", "blocks=1", "widths=[4]", "train_images=40", "test_images=100", "batch=20", "epochs=2"]
PRINTED = {"methods": {"ConvNet": 80.0, "AdderNet": 90.0, "DeepShift": 70.0}, "pruned": {}, "adaptation": {}, "finetune": {}}


@pytest.fixture
def results(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    monkeypatch.setattr(shiftaddnet_runs, "RESULTS", path)
    return path


def train(results, what, *methods):
    chosen = [argument for method in methods for argument in ("--method", method)]
    main([what, *FIELDS, "-o", str(results.parent / what), "--results", str(results), *chosen])


def test_methods(results):
    train(results, "methods", "ConvNet", "AdderNet FIX8")
    train(results, "methods", "ConvNet", "AdderNet FIX8")  # nothing is left to train
    (section,) = training_sections(PRINTED)
    assert section.title == "Training on scikit-learn's digits"
    assert [row[0] for row in section.rows] == ["ConvNet", "AdderNet FIX8"]
    assert [row[-1] for row in section.rows] == [4, 4]
    assert section.rows[0][3:6] == (None, None, None)  # nothing to prune
    assert all(share is not None for share in section.rows[1][3:6])
    assert "4 channels wide, trained on 40 images for 2 epochs in batches of 20, with the paper's rates" in section.text


def test_order(results):
    """Of 400 images: 0.5 and 0.6 differ by 2.9 deviations of 0.035, 0.5 and 0.51 by 0.3."""
    train(results, "methods", "ConvNet")
    stored = json.loads(results.read_text())
    (run,) = stored["digits methods"]["runs"]
    accuracies = {"ConvNet": 0.5, "AdderNet": 0.6, "DeepShift": 0.51, "AdderNet FIX8": 0.2}
    stored["digits methods"]["runs"] = [
        run | {"method": method, "accuracy": [0.1, accuracy], "tested": 400} for method, accuracy in accuracies.items()
    ]
    results.write_text(json.dumps(stored))
    (section,) = training_sections(PRINTED)
    assert (
        "Accuracies are of 400 test images, with a standard error of up to 2.5 points. Best first: AdderNet, DeepShift,"
        " ConvNet, AdderNet FIX8. Of the pairs that the paper ranks, by ResNet-20 after 160 epochs of 50,000 images, 2 of 3"
        " differ by more than two standard errors, 2 of these the paper's way"
    ) in section.text
    turned = {"methods": {"ConvNet": 80.0, "AdderNet": 60.0}, "pruned": {}}
    (section,) = training_sections(turned)
    assert "1 of 1 differ by more than two standard errors, 0 of these" in section.text
    assert section.text.endswith("Not trained: ConvNet FIX8, ShiftAddNet, ShiftAddNet FIX8, Fixed shift, Fixed shift FIX8.")


def test_adaptation(results):
    train(results, "adaptation", "DeepShift")
    (section,) = training_sections(PRINTED)
    assert [row[:2] for row in section.rows] == [("other classes", "DeepShift"), ("other images", "DeepShift")]
    energies = [row[-1] for row in section.rows]
    assert energies[0] == pytest.approx(energies[1], rel=0.02)  # as many steps
