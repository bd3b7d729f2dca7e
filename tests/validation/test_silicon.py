"""Predictions beside the Eyeriss chip: the bars they must hold, the page that shows them, and damaged tables."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from hwsim.architecture import load_architecture
from hwsim.cli.main import main
from hwsim.errors import HwsimError
from hwsim.mapping.lowering import convolution_nest
from hwsim.mapping.row_stationary_chip import sets
from hwsim.technology import load_technology
from hwsim.validation import validate_silicon
from hwsim.validation.figures import read_figures
from hwsim.validation.network import load_network

ROOT = Path(__file__).parents[2]
ALEXNET = ROOT / "tests" / "data" / "silicon" / "eyeriss_alexnet.csv"


def test_alexnet_is_within_the_bars():
    errors = validate_silicon(ALEXNET, "alexnet", batch=4).mean_abs_error_percent
    bars = {"processing_latency": 5, "glb_bytes": 10, "dram_bytes": 10, "power": 10, "total_latency": 10}
    assert errors.keys() == bars.keys()
    assert all(errors[column] <= bar for column, bar in bars.items()), errors


def test_fitted_coefficients_are_those_of_the_table():
    fitted = runpy.run_path(str(ROOT / "benchmarks" / "validation" / "eyeriss.py"))["fit"](read_figures(ALEXNET))
    table = load_technology("eyeriss-v1-65nm")
    stated = [table.coefficient(key).energy_pj() for key in ("mac.int16", "clock")]
    assert list(fitted) == pytest.approx(stated, rel=2e-3)


def test_the_page_is_up_to_date():
    page = runpy.run_path(str(ROOT / "benchmarks" / "validation" / "eyeriss.py"))["page"]
    assert (ROOT / "docs" / "validation.md").read_text() == page(ALEXNET)


def test_inferred_mappings_of_vgg_agree_with_what_is_known():
    chip, _ = load_architecture("eyeriss-v1")
    layers = load_network("vgg16").layers
    known = zip(layers, [1] * 4 + [2] * 3 + [4] * 3 + [8] * 3, [156] * 7 + [168] * 6, strict=True)
    for layer, channels, elements in known:
        mapping = layer.mapping
        nest = convolution_nest(layer.operator())
        assert mapping.q * mapping.r == channels
        assert mapping.r * mapping.t <= sets(3, mapping.e, chip)
        assert nest.r * mapping.e * mapping.r * mapping.t == elements


def test_vgg_layers_are_bound_by_the_port_of_partial_sums(tmp_path):
    """Where q * r = 1, every partial sum crosses the port once per channel and direction, four words per cycle."""
    names = [layer.name for layer in load_network("vgg16").layers]
    header = ALEXNET.read_text().splitlines()[0]
    rows = [f"{name},,,,,,50%,," for name in names]
    (tmp_path / "vgg.csv").write_text("\n".join([header, *rows]))
    layers = validate_silicon(tmp_path / "vgg.csv", "vgg16", batch=3).layers
    second = layers[1].predicted["processing_latency"] * 200e6
    port = 3 * 64 * 224 * 224 * 64 / 4
    assert port < second < 1.02 * port
    assert layers[1].best_predicted["processing_latency"] < layers[1].predicted["processing_latency"]


def test_command_line_prints_the_errors(tmp_path):
    command = [sys.executable, "-m", "hwsim.cli.main", "validate", str(ALEXNET), "--network", "alexnet", "--batch", "4"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    data = json.loads(done.stdout)
    assert data["mean_abs_error_percent"] == validate_silicon(ALEXNET, "alexnet", batch=4).mean_abs_error_percent
    assert [layer["name"] for layer in data["layers"]] == [f"CONV{i}" for i in range(1, 6)]
    assert "mean absolute error: power 2.7 %" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Layer,", "Name,", "Layer: column is required"),
        ("Zeros in Ifmaps", "Zeros", "Zeros in Ifmaps: column is required to predict Power (mW)"),
        ("Total Latency (ms)", "Power (mW)", "Power (mW): column must appear once, not 2"),
        ("CONV5,", "CONV4,", "CONV4: layer must appear once, not 2"),
        ("CONV5,", "CONV6,", "must have a row for layer CONV5 of alexnet"),
        ("Total,", "FC6,", "FC6: must be a layer of alexnet"),
        ("72.5%", "", "CONV3, Zeros in Ifmaps: must be a number, not ''"),
        ("41.9 ,39.2", "41.9 ,fast", "CONV2, Processing Latency (ms): must be a number, not 'fast'"),
        ("41.9 ,39.2", "41.9 ,-1", "CONV2, Processing Latency (ms): must be positive, not '-1'"),
        ("38.7%", "138.7%", "CONV2, Zeros in Ifmaps: must be at least 0 and below 100 %, not '138.7%'"),
        ("CONV5,236,", "CONV5,", "CONV5: must have 9 cells, not 8"),
        ("CONV5,236,10.5 ,10.0, 0.30,156,77.6%, 24.9, 1.3\n", "", "must have a row for layer CONV5 of alexnet"),
    ],
)
def test_damaged_tables(tmp_path, old, new, message):
    text = ALEXNET.read_text()
    assert old in text
    path = tmp_path / "figures.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(HwsimError) as caught:
        validate_silicon(path, "alexnet", batch=4)
    assert str(caught.value) == f"{path}: {message}"


def test_figures_may_have_some_of_the_columns_and_cells(tmp_path):
    (tmp_path / "some.csv").write_text("Layer,Processing Latency (ms),Remark\n" + "".join(
        f"conv_{i},{latency},\n" for i, latency in enumerate(("16.5", "", "21.8", "16", "10"), 1)
    ))  # fmt: skip
    some = validate_silicon(tmp_path / "some.csv", "alexnet", batch=4)
    every = validate_silicon(ALEXNET, "alexnet", batch=4)
    assert some.mean_abs_error_percent.keys() == {"processing_latency"}
    for one, other in zip(some.layers, every.layers, strict=True):
        assert one.predicted == {key: other.predicted[key] for key in ("processing_latency", "glb_bytes")}
    assert some.layers[1].error_percent("processing_latency") is None


def test_rows_may_be_called_otherwise_and_come_in_any_order(tmp_path):
    (tmp_path / "renamed.csv").write_text(ALEXNET.read_text().replace("CONV", "layer "))
    every = validate_silicon(ALEXNET, "alexnet", batch=4).mean_abs_error_percent
    assert validate_silicon(tmp_path / "renamed.csv", "alexnet", batch=4).mean_abs_error_percent == every
    header, *rows = ALEXNET.read_text().splitlines()
    (tmp_path / "turned.csv").write_text("\n".join([header, *rows[::-1]]))
    turned = validate_silicon(tmp_path / "turned.csv", "alexnet", batch=4)
    assert turned.mean_abs_error_percent == every
    assert [layer.name for layer in turned.layers] == [f"CONV{i}" for i in range(1, 6)]


def test_figures_of_another_batch_are_doubted(capsys):
    assert validate_silicon(ALEXNET, "alexnet", batch=4).warning == ""
    with pytest.raises(SystemExit):
        main(["validate", str(ALEXNET), "--network", "alexnet", "--batch", "1", "--json"])
    out, err = capsys.readouterr()
    said = "CONV1: 0.42 G multiply-accumulates measured, 0.11 G at this batch"
    assert json.loads(out)["warning"] == said
    assert err == f"warning: {said}\n"


def test_columns_without_any_are_refused(tmp_path):
    (tmp_path / "none.csv").write_text("Layer,Area\nCONV1,3\n")
    with pytest.raises(HwsimError, match=r"none\.csv: must have at least one of the columns Power \(mW\), Total Latency"):
        validate_silicon(tmp_path / "none.csv", "alexnet", batch=4)


def test_the_total_waits_for_feature_maps():
    """CONV3: a link of 480 MB/s brings 256 coded channels for each of six groups of 64 filters, and takes 384."""
    layer = validate_silicon(ALEXNET, "alexnet", batch=4).layers[2]
    coded = [64 / 3 * (1 - share) for share in (0.725, 0.793)]
    bits = 4 * 13 * 13 * (6 * 256 * coded[0] + 384 * coded[1])
    waited = layer.predicted["total_latency"] - layer.predicted["processing_latency"]
    assert waited == pytest.approx(bits / 8 / 480e6)


def test_other_arguments_are_refused(tmp_path):
    with pytest.raises(HwsimError, match=r"^batch must be at least 1, not 0$"):
        validate_silicon(ALEXNET, "alexnet", batch=0)
    with pytest.raises(HwsimError, match=r"^network must be a .yaml file or one of alexnet, vgg16, not 'lenet'$"):
        validate_silicon(ALEXNET, "lenet", batch=1)
    with pytest.raises(HwsimError, match=r"^eyeriss-45nm is of kind row_stationary: silicon figures need one of kind"):
        validate_silicon(ALEXNET, "alexnet", batch=4, on="eyeriss-45nm")
