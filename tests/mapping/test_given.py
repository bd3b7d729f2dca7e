"""Mappings written by hand: what they cost, and what an illegal one is told."""

import re

import pytest

from hwsim.cli.main import main
from hwsim.errors import HwsimError
from hwsim.mapper import cost_mapping, map_operator
from hwsim.mapping.given import GivenMapping
from hwsim.workload.contraction import matmul
from tests.chips import chip

LOOPS = {
    "dram": [("m", 128), ("n", 3)], "global_buffer": [("n", 10), ("c", 32)], "rows": [("c", 8)], "columns": [("m", 8)],
    "register_file": [("m", 2), ("c", 2)],
}  # fmt: skip
OPERATOR = matmul("fc", rows=30, inner=512, columns=2048)
CONSTRAINED = (
    ("bits: 65536", "bits: 65536, stationary: weight, loops: [n, c]"), ("size: 4,", "size: 4, unroll: [m],")
)  # fmt: skip


def test_the_optimum_written_by_hand_costs_the_same():
    mapped = map_operator(OPERATOR, objective="edp")
    found = mapped.found
    loops = {node.name: loops for node, loops in zip(found.hierarchy.nodes, found.mapping.loops, strict=True)}
    held = found.hierarchy.nodes[1].holds
    given = GivenMapping(loops=loops, bypass={} if all(held) else {"global_buffer": ["weight"]}, padded=mapped.padded)
    assert cost_mapping(OPERATOR, given).found.cost == found.cost


def test_the_command_costs_a_file(tmp_path, capsys):
    (tmp_path / "fc.yaml").write_text(
        "schema: hwsim/workload/1\nname: fc\noperators:\n"
        "  - {kind: linear, name: fc, batch: 30, in_features: 512, out_features: 2048}\n"
    )
    mapping = tmp_path / "mapping.yaml"
    nodes = "".join(f"  {node}: {[list(loop) for loop in loops]}\n" for node, loops in LOOPS.items())
    mapping.write_text(f"schema: hwsim/mapping/1\nloops:\n{nodes}")
    with pytest.raises(SystemExit) as stopped:
        main(["map", str(tmp_path / "fc.yaml"), "fc", "--mapping", str(mapping)])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("fc on free-dataflow-45nm, as given\n")
    assert "tile m=2 c=2: input 2, weight 4, output 2 words" in printed
    assert f"{cost_mapping(OPERATOR, GivenMapping(loops=LOOPS)).energy_pj * 1e-6:.6g} µJ" in printed
    assert "optimal" not in printed
    mapping.write_text(mapping.read_text().replace("['m', 2]", "['m', 0]"))
    with pytest.raises(SystemExit) as stopped:
        main(["map", str(tmp_path / "fc.yaml"), "fc", "--mapping", str(mapping)])
    assert stopped.value.code == 1
    assert "loops.register_file[0][1]: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [("c", 16)]}, "loops over c must multiply to 512, not 1024"),
        ({"rows": [("c", 16)], "global_buffer": [("n", 10), ("c", 16)]}, "array rows has 12 instances; the mapping unrolls over 16"),
        ({"register_file": [("c", 2), ("m", 2), ("q", 3)]}, "loop over q must be over one of n, m, c"),
        (
            {"global_buffer": [("n", 10)], "register_file": [("m", 2), ("c", 64)]},
            "memory register_file holds 12 words of input; the tile needs 64: 208 bytes missing",
        ),
        ({"l2": []}, "node must be one of dram, global_buffer, rows, columns, register_file, not 'l2'"),
    ],
)
def test_an_illegal_mapping_names_the_limit(changes, message):
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}$"):
        cost_mapping(OPERATOR, GivenMapping(loops=LOOPS | changes))


def test_only_what_may_bypass_does():
    with pytest.raises(HwsimError, match=r"^memory global_buffer does not let input pass by$"):
        cost_mapping(OPERATOR, GivenMapping(loops=LOOPS, bypass={"global_buffer": ["input"]}))
    assert cost_mapping(OPERATOR, GivenMapping(loops=LOOPS, bypass={"global_buffer": ["weight"]})).energy_pj > 0


@pytest.mark.parametrize(
    ("loops", "message"),
    [
        ({"buffer": [("m", 2)]}, "memory buffer cannot loop over m, only c, n"),
        (
            {"buffer": [("n", 2), ("c", 2)]},
            "memory buffer keeps weight in place; the loop over c, which moves it, must be outside those that do not",
        ),
        ({"grid": [("n", 2)]}, "array grid cannot unroll n, only m"),
    ],
)
def test_a_dataflow_constraint_is_named(tmp_path, loops, message):
    operator = matmul("p", rows=4, inner=4, columns=4)
    inner = {"n": 4, "m": 4, "c": 4}
    for own in loops.values():
        for name, size in own:
            inner[name] //= size
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}$"):
        cost_mapping(operator, GivenMapping(loops={"dram": list(inner.items()), **loops}), chip(tmp_path, *CONSTRAINED))


def test_a_search_keeps_to_the_constraints(tmp_path):
    operator = matmul("p", rows=24, inner=16, columns=12)
    bound = map_operator(operator, chip(tmp_path, *CONSTRAINED), "energy").found
    assert {name for name, _ in bound.mapping.loops[1]} <= {"n", "c"}
    assert {name for name, _ in bound.mapping.loops[2]} <= {"m"}
    names = [name for name, _ in bound.mapping.loops[1]]
    assert names == sorted(names, key="cn".index)
    assert map_operator(operator, chip(tmp_path), "energy").energy_pj < bound.cost.energy_pj
