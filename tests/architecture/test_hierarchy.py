"""What a file of kind hierarchy may say of its nodes, and what that does to mappings."""

import re

import pytest

from hwsim import HwsimError, InputError, Workload, score
from hwsim.architecture import load_architecture
from hwsim.mapper import map_operator
from hwsim.workload.contraction import conv2d, matmul
from tests.chips import chip


def fast(tmp_path, *change):
    """The small chip with plenty of bandwidth and an array that costs nothing to cross."""
    return chip(
        tmp_path, ("1.6", "1000"), (", energy: network", ""), ("input: 4, weight: 16, output: 4", "input: 8, weight: 8, output: 8"),
        *change,
    )  # fmt: skip


@pytest.mark.parametrize("writes", ["output", "input", "weight"])
@pytest.mark.parametrize("shares", ["input", "weight", "output"])
def test_an_array_that_shares_a_port_spreads_only_dimensions_that_do_not_index_it(tmp_path, shares, writes):
    operator = conv2d(
        "c", batch=2, in_channels=4, out_channels=8, input_size=(6, 6), kernel=(3, 3), padding=(1, 1), writes=writes
    )
    on = fast(tmp_path, ("size: 4}", f"size: 4, shares: {shares}}}"))
    found = map_operator(operator, on, "latency").found
    port = ("input", "weight", "output").index(shares)
    indexing = operator.operand(found.problem.operands[port]).dimensions
    spread = {name for name, _ in found.mapping.loops[2]}
    assert spread
    assert not spread & indexing


def test_a_shared_port_costs_time_where_the_problem_has_too_few_dimensions_beside_it(tmp_path):
    operator = matmul("p", rows=1, inner=64, columns=64)  # one row: only columns lie beside the input
    free = map_operator(operator, fast(tmp_path), "latency").latency_s
    shared = map_operator(operator, fast(tmp_path, ("size: 4}", "size: 4, shares: input, unroll: [n, c]}")), "latency").latency_s
    assert shared == pytest.approx(4 * free)


def test_units_compute_only_their_primitives(tmp_path):
    on = fast(tmp_path, ("nodes:", "primitives: [shift, add]\nnodes:"))
    with pytest.raises(HwsimError, match=r"^p: chip computes shift or add, not mac$"):
        score(Workload(name="w", operators=(matmul("p", rows=2, inner=2, columns=2),)), on)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("memory: dram, energy: dram", "memory: dram, energy: dram, holds: [input]", "nodes: the first must be a memory that always holds input, weight and output"),
        ("memory: buffer, energy", "memory: buffer, holds: [input], may_bypass: [weight], energy", "nodes[1].may_bypass: must name operands that the memory holds, and weight is none of them, not ['weight']"),
        ("memory: buffer, energy", "memory: buffer, holds: [input], port_bits_per_cycle: {weight: 8}, energy", "nodes[1].port_bits_per_cycle: must name operands that the memory holds, and weight is none of them"),
        ("memory: registers,", "memory: registers, holds: [input],", "nodes[3].words: must name operands that the memory holds, and weight is none of them"),
        ("size: 4}", "size: 4, shares: rows}", "nodes[2].shares: must be 'input', 'weight' or 'output', not 'rows'"),
        ("size: 4}", "size: 0}", "nodes[2].size: must be greater than 0, not 0"),
        ("size: 4}", "sizes: 4}", "nodes[2].size: field is required"),
        ("bits: 65536", "bytes: 65536", "nodes[1].bytes: field is not known here, not 65536"),
        ("nodes:", "lanes: {int8: 0}\nnodes:", "lanes.int8: must be greater than 0, not 0"),
        ("nodes:", "primitives: [multiply]\nnodes:", "primitives[0]: must be 'mac', "),
        ("nodes:", "lanes: {divide:int8: 2}\nnodes:", "lanes.divide:int8.[key]: primitive must be one of add, binary_add, mac, shift, shift_add, not divide"),
        ("bits: 65536", "bits: 65536, row_bits: 0", "nodes[1].row_bits: must be greater than 0, not 0"),
        ("bits: 65536", "bits: 65536, ports: {shared: 1}", "nodes[1].ports: must stand beside row_bits, the width of what a port carries per cycle"),
        ("bits: 65536", "bits: 65536, row_bits: 64, ports: {read: 1}", "nodes[1].ports: must let rows in and out: a shared port, or one to read and one to write"),
        ("bits: 65536", "bits: 65536, row_bits: 64, ports: {shared: 1}, bits_per_cycle: 64", "nodes[1].bits_per_cycle: must not stand beside ports, which say the same, not 64"),
        ("bits: 65536", "bits: 65536, row_bits: 64, compression: {input: {format: bitmap}}", "nodes[1].compression: must not stand beside row_bits: compressed words have no width of their own"),
        ("memory: buffer", "memory: grid", "nodes: must have names that differ, and grid is there 2 times"),
        ("nodes:", "nodes:\n  -", "nodes[0].memory node: must be a valid dictionary"),
        ("nodes:", "nodes:\n  - buffer", "nodes[0].memory node: must be a valid dictionary"),
        ("size: 4}", "size: 4, hops: 0}", "nodes[2].hops: must be greater than 0, not 0"),
        ("size: 4}", "size: 4, hop_cycles: -1}", "nodes[2].hop_cycles: must be greater than or equal to 0, not -1"),
    ],
)  # fmt: skip
def test_wrong_nodes(tmp_path, old, new, message):
    path = fast(tmp_path, (old, new))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}"):
        load_architecture(path)
