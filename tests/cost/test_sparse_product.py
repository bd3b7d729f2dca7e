"""Products with compressed sparse rows equal a walk over the stored elements of a random matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import HwsimError, Workload, score
from hwsim.workload.contraction import matmul
from tests.chips import chip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("chips")


def product(rows, inner, columns, stored, *, writes="output", sparse="input"):
    operator = matmul("p", rows=rows, inner=inner, columns=columns, writes=writes)
    elements = operator.operand(sparse).elements
    return operator.model_copy(update={"operands": tuple(
        one.model_copy(update={"density": stored / elements, "density_structure": "csr"}) if one.name == sparse else one
        for one in operator.operands
    )})  # fmt: skip


def priced(operator, path):
    cost = score(Workload(name="w", operators=(operator,)), path).operators[0]
    words = {(c.component, c.operand): c.times for c in cost.charges if c.component != "compute"}
    compute = {c.coefficient: c.times for c in cost.charges if c.component == "compute"}
    return cost, words, compute


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.booleans(), st.data())
def test_a_walk_over_stored_elements(folder, rows, inner, columns, fits, data):
    stored = data.draw(st.integers(1, rows * inner))
    burst = data.draw(st.sampled_from([1, 4, 16]))  # words
    matrix = np.zeros(rows * inner, bool)
    matrix[data.draw(st.permutations(range(rows * inner)))[:stored]] = True
    multiplied, fetched = 0, 0
    for row in matrix.reshape(rows, inner):
        for _ in np.flatnonzero(row):
            multiplied += columns
            fetched += burst * len({word // burst for word in range(columns)})
    path = chip(folder, bits=inner * columns * 32 if fits else 1, fields=f"dram_burst_bytes: {4 * burst}")
    cost, words, compute = priced(product(rows, inner, columns, stored), path)
    assert compute == {"mult.fp32": multiplied, "add.fp32": multiplied}
    assert cost.macs == multiplied
    assert words["dram", "input"] == stored
    assert words["dram", "input.indices"] == stored + rows + 1
    assert words["dram", "output"] == rows * columns
    assert words["dram", "weight"] == (inner * columns if fits else fetched)
    assert words["global_buffer", "weight"] == multiplied


def test_the_gradient_of_stored_values_reads_two_rows_for_each(folder):
    operator = product(6, 5, 4, 7, writes="input")
    _, words, compute = priced(operator, chip(folder, bits=1))
    assert compute == {"mult.fp32": 28, "add.fp32": 28}
    assert (words["dram", "output"], words["dram", "weight"], words["dram", "input"]) == (28, 28, 7)


def test_work_is_that_of_the_stored_elements_whatever_the_array_can_skip(folder):
    dense = score(Workload(name="w", operators=(matmul("p", rows=64, inner=64, columns=64),)), chip(folder)).energy_j
    sparse = score(Workload(name="w", operators=(product(64, 64, 64, 41),)), chip(folder)).energy_j
    assert sparse < dense / 5


def test_only_one_matrix_may_be_compressed(folder):
    both = product(4, 4, 4, 3)
    both = both.model_copy(update={"operands": tuple(
        one.model_copy(update={"density_structure": "csr"}) for one in both.operands
    )})  # fmt: skip
    with pytest.raises(HwsimError, match=r"^p: one operand may be csr, not input and weight and output$"):
        score(Workload(name="w", operators=(both,)), chip(folder))
    batch = matmul("b", rows=4, inner=4, columns=4, batch=2)
    batch = batch.model_copy(update={"operands": tuple(
        one.model_copy(update={"density_structure": "csr"}) if one.name == "weight" else one for one in batch.operands
    )})  # fmt: skip
    with pytest.raises(HwsimError, match=r"^b: a csr operand must be a matrix factor or result, not weight \(2, 4, 4\)$"):
        score(Workload(name="w", operators=(batch,)), chip(folder))
