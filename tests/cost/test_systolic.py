"""Closed forms of systolic arrays: SCALE-Sim 3.0.0 line by line, and an array stepped register by register."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import InputError
from hwsim.cost.systolic import Run
from hwsim.mapping.lowering import matrix_product
from hwsim.workload.contraction import conv2d
from tests.cost.stepping_array import multiply, output_stationary

GOLDEN = Path(__file__).parents[1] / "data" / "scalesim" / "golden.csv"
DATAFLOWS = ("os", "ws", "is")


def golden():
    with GOLDEN.open(encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    text = {"layer", "dataflow"}
    real = {"overall_util", "mapping_efficiency", "compute_util"}
    return [
        {key: value if key in text else float(value) if key in real else int(value) for key, value in row.items()}
        for row in csv.DictReader(lines)
    ]


ROWS = golden()


def layer(row):
    """The layer as ours; SCALE-Sim rounds the output extent up where the stride does not divide."""
    image, kernel = (row["image_rows"], row["image_columns"]), (row["kernel_rows"], row["kernel_columns"])
    size = tuple(-(-(extent - taps) // row["stride"]) + 1 for extent, taps in zip(image, kernel, strict=True))
    return conv2d(
        row["layer"], batch=1, in_channels=row["channels"], out_channels=row["filters"], input_size=image,
        kernel=kernel, stride=(row["stride"], row["stride"]), output_size=size,
    )  # fmt: skip


def run(row):
    product = matrix_product(layer(row))
    return Run(product.m, product.k, product.n, row["rows"], row["columns"], row["dataflow"])


def test_the_golden_table_covers_what_it_should():
    assert GOLDEN.read_text().startswith("# scalesim 3.0.0, numpy 1.26.4")
    arrays = {(row["rows"], row["columns"]) for row in ROWS}
    assert arrays >= {(1, 1), (4, 4), (3, 7), (8, 8), (16, 16), (32, 8)}
    cases = {(row["rows"], row["columns"], row["layer"]) for row in ROWS}
    assert len(ROWS) == 3 * len(cases)
    assert sum(name.startswith("random") for *_, name in cases) >= 60
    assert {name.partition(".")[0] for *_, name in cases} == {"paper", "random", "resnet18", "alexnet", "gemm"}
    assert {row["stall_cycles"] for row in ROWS} == {0}


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_cycles_and_accesses_equal_scalesim(dataflow):
    for row in (row for row in ROWS if row["dataflow"] == dataflow):
        ours = run(row)
        assert ours.scalesim_total_cycles == row["total_cycles"], row
        assert ours.cycles == row["total_cycles"] + 1
        assert ours.input_reads == row["ifmap_sram_reads"], row
        assert ours.weight_reads == row["filter_sram_reads"], row
        # its output-stationary count adds rows + columns of the array once per fold to the results it writes
        surplus = ours.folds * (row["rows"] + row["columns"]) if dataflow == "os" else 0
        assert ours.output_writes + surplus == row["ofmap_sram_writes"], row


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_utilisation_equals_scalesim(dataflow):
    for row in (row for row in ROWS if row["dataflow"] == dataflow):
        ours, elements = run(row), row["rows"] * row["columns"]
        assert 100 * ours.macs / (row["total_cycles"] * elements) == row["overall_util"]
        assert 100 * ours.mapping_efficiency == pytest.approx(row["mapping_efficiency"], rel=1e-12)
        # its "compute util" divides by the cycles of a fold, to which ws and is add columns - 1 a second time
        per_fold = ours.cycles_per_fold + (0 if dataflow == "os" else row["columns"] - 1)
        assert 100 * ours.macs / (ours.folds * per_fold * elements) == pytest.approx(row["compute_util"], rel=1e-12)


def test_layers_whose_stride_does_not_divide_differ_from_pytorch_by_the_rounding_alone():
    rounded = 0
    for row in ROWS:
        extents = ((row["image_rows"], row["kernel_rows"]), (row["image_columns"], row["kernel_columns"]))
        floors = [(extent - taps) // row["stride"] + 1 for extent, taps in extents]
        rounded += floors[0] * floors[1] != run(row).m
    assert rounded > 0
    assert all(row["stride"] > 1 for row in ROWS if "resnet18.conv1" in row["layer"])


def test_the_papers_case_takes_ten_cycles_and_is_printed_as_nine():
    ours = Run(4, 4, 4, 4, 4, "os")
    _, cycles = output_stationary(np.ones((4, 4)), np.ones((4, 4)), 4, 4)
    printed = [row["total_cycles"] for row in ROWS if row["layer"] == "paper.4x4" and row["dataflow"] == "os"]
    assert (ours.cycles, cycles, printed, ours.scalesim_total_cycles) == (10, 10, [9], 9)


sizes = st.integers(1, 9)


@settings(max_examples=150, deadline=None)
@given(sizes, sizes, sizes, st.integers(1, 5), st.integers(1, 5), st.sampled_from(DATAFLOWS), st.integers(0, 2**31))
def test_an_array_stepped_register_by_register_takes_as_many_cycles(m, k, n, rows, columns, dataflow, seed):
    draw = np.random.default_rng(seed)
    a, b = draw.integers(-9, 10, (m, k)).astype(float), draw.integers(-9, 10, (k, n)).astype(float)
    product, cycles = multiply(a, b, rows, columns, dataflow)
    assert (product == a @ b).all()
    assert Run(m, k, n, rows, columns, dataflow).cycles == cycles


@settings(max_examples=50, deadline=None)
@given(sizes, st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_results_that_leave_through_the_elements_take_as_many_cycles_more_as_there_are_rows(k, rows, columns, seed):
    draw = np.random.default_rng(seed)
    a, b = draw.integers(-9, 10, (rows, k)).astype(float), draw.integers(-9, 10, (k, columns)).astype(float)
    product, cycles = output_stationary(a, b, rows, columns, shift_out=True)
    assert (product == a @ b).all()
    assert cycles == Run(rows, k, columns, rows, columns, "os").cycles + rows == 2 * rows + columns + k - 2


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, sizes, st.integers(1, 5), st.integers(1, 5), st.sampled_from(DATAFLOWS))
def test_shares_are_shares_and_accesses_are_naive_sums_over_folds(m, k, n, rows, columns, dataflow):
    ours = Run(m, k, n, rows, columns, dataflow)
    assert 0 < ours.utilisation <= ours.mapping_efficiency <= 1
    high, wide, deep = ours.stationary
    blocks = [
        (min(rows, high - i), min(columns, wide - j)) for i in range(0, high, rows) for j in range(0, wide, columns)
    ]
    assert len(blocks) == ours.folds
    held = sum(r * c for r, c in blocks)
    beside, below = sum(r * deep for r, _ in blocks), sum(c * deep for _, c in blocks)
    expected = {
        "os": (beside, below, held),
        "ws": (beside, held, below),
        "is": (held, beside, below),
    }[dataflow]
    assert (ours.input_reads, ours.weight_reads, ours.output_writes) == expected
    assert ours.output_reads == ours.output_writes - m * n


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("m", 0, "m: must be at least 1, not 0"),
        ("rows", -3, "rows: must be at least 1, not -3"),
        ("dataflow", "rs", "dataflow: must be one of os, ws, is, not 'rs'"),
    ],
)
def test_wrong_sizes_are_refused(field, value, message):
    arguments = {"m": 4, "k": 4, "n": 4, "rows": 4, "columns": 4, "dataflow": "os"} | {field: value}
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Run(**arguments)


def test_huge_and_prime_sizes_are_exact():
    assert Run(2**40 + 15, 104729, 1, 256, 256, "ws").cycles == 410 * (2**40 + 15 + 2 * 256 + 256 - 2)
