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
    train(results, "methods", "AdderNet FIX8")
    train(results, "methods", "ConvNet")  # one after the other, in any order
    train(results, "methods", "AdderNet FIX8")  # nothing is left to train
    section, energies = training_sections(PRINTED, {"ConvNet": 40.0, "AdderNet FIX8": 10.0})
    assert section.title == "Training on scikit-learn's digits"
    assert [row[0] for row in section.rows] == ["ConvNet", "AdderNet FIX8"]
    assert section.rows[0][4:7] == (None, None, None)  # nothing to prune
    assert all(share is not None for share in section.rows[1][4:7])
    assert "4 channels wide, trained on 40 images for 2 epochs in batches of 20, with the paper's rates" in section.text
    assert "Each run of 4 steps" in energies.text
    for method, energy, *parts, ours, printed, over, printed_over in energies.rows:
        assert energy == pytest.approx(sum(parts))
        assert ours == energy / energies.rows[0][1]
        assert printed == {"ConvNet": 1.0, "AdderNet FIX8": 0.25}[method]
        assert over == printed_over == {"ConvNet": 1.0, "AdderNet FIX8": None}[method]
    (_, _, products, rounding, _, *_), (_, _, sums, roundings, _, *_) = energies.rows
    assert rounding == 0 < roundings  # only 8 bits are rounded to
    assert sums < products


def test_order(results):
    """Of 400 images: 0.5 and 0.6 differ by 2.9 deviations of 0.035, 0.5 and 0.51 by 0.3."""
    train(results, "methods", "ConvNet")
    stored = json.loads(results.read_text())
    (run,) = stored["digits methods"]["runs"]
    accuracies = {"ConvNet": 0.5, "AdderNet": 0.6, "DeepShift": 0.51, "AdderNet FIX8": 0.2}
    stored["digits methods"]["runs"] = [
        run | {"method": method, "accuracy": [0.1, accuracy], "tested": 400} for method, accuracy in accuracies.items()
    ]
    stored["digits methods"]["runs"][-1]["energy_j"] /= 2
    results.write_text(json.dumps(stored))
    section, energies = training_sections(PRINTED, {})
    assert (
        "Accuracies are of 400 test images, the paper's of ResNet-20 after 160 epochs of 50,000 images. Best first: AdderNet,"
        " DeepShift, ConvNet, AdderNet FIX8. Of the 3 pairs that the paper ranks, 2 go the paper's way; 2 differ by more"
        " than two standard errors, 2 of these the paper's way."
    ) in section.text
    assert [row[2] for row in section.rows] == ["2.5", "2.4", "2.5", "2.0"]
    assert {row[6] for row in energies.rows} == {None}
    assert [row[7] for row in energies.rows] == [1.0, 1.0, 1.0, 0.5]  # of AdderNet's
    turned = {"methods": {"ConvNet": 80.0, "AdderNet": 60.0}, "pruned": {}}
    section, _ = training_sections(turned, {})
    assert "0 go the paper's way; 1 differ by more than two standard errors, 0 of these the paper's way" in section.text
    assert "and against it AdderNet before ConvNet." in section.text
    assert section.text.endswith("Not trained: ConvNet FIX8, ShiftAddNet, ShiftAddNet FIX8, Fixed shift, Fixed shift FIX8.")


def test_results_of_another_recipe_make_room(results):
    train(results, "methods", "ConvNet")
    main(["methods", *FIELDS, "seed=1", "-o", str(results.parent / "other"), "--results", str(results), "--method", "DeepShift"])
    stored = json.loads(results.read_text())["digits methods"]
    assert [run["method"] for run in stored["runs"]] == ["DeepShift"]
    assert stored["provenance"]["recipe"]["seed"] == 1


@pytest.mark.parametrize("field", ["kind=adder", "quantise=sbm"])
def test_what_is_the_methods_own_is_not_taken(results, field):
    with pytest.raises(SystemExit) as done:
        main(["methods", *FIELDS, field, "-o", str(results.parent / "runs"), "--results", str(results)])
    name, _, value = field.partition("=")
    assert done.value.code == f"error: {name}: must not be given: every method has its own, not {value!r}"


def test_adaptation(results):
    train(results, "adaptation", "DeepShift")
    (section,) = training_sections(PRINTED, {})
    assert [row[:2] for row in section.rows] == [("other classes", "DeepShift"), ("other images", "DeepShift")]
    assert "With other images: Of the 0 pairs" in section.text
    assert all(float(row[5]) == pytest.approx((row[4] * (100 - row[4]) / 100) ** 0.5, abs=0.05) for row in section.rows)
    energies = [row[-1] for row in section.rows]
    assert energies[0] == pytest.approx(energies[1], rel=0.02)  # as many steps
