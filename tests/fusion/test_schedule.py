"""The best cuts equal all cuts tried; schedules keep every dependence; nothing is saved that others read."""

import itertools
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import HwsimError, Workload, score
from hwsim.architecture import load_architecture
from hwsim.cli.main import main
from hwsim.cost.accounting import load_convention
from hwsim.fusion import Pricing, fuse_step
from hwsim.fusion.chains import chains_of, legal
from hwsim.fusion.schedule import Segment, _members, best_way, cut
from hwsim.technology import load_technology
from hwsim.workload import Operand, Operator
from hwsim.workload.contraction import matmul
from hwsim.workload.uses import Uses, storage_of
from tests.chips import chip
from tests.fusion.chains import attention, conv, pointwise


def step(*operators):
    return Workload(name="step", operators=operators)


def dram_words(cost, operand):
    return sum(c.times for c in cost.charges if c.component == "dram" and c.operand == operand)


def test_attention_keeps_its_scores_on_chip(tmp_path):
    work = step(*attention())
    apart, fused = (score(work, chip(tmp_path), fuse=fuse) for fuse in (False, True))
    scores, softmax, values = fused.operators
    assert dram_words(scores, "output") == dram_words(softmax, "input") == dram_words(softmax, "output") == 0
    assert dram_words(values, "input") == 0
    assert "fused" in softmax.note
    assert "with scores, values" in softmax.note
    assert fused.energy_j < apart.energy_j
    assert fused.dram_bytes == pytest.approx(apart.dram_bytes - fused.dram_bytes_saved)
    assert fused.dram_bytes_saved >= 4 * 4 * 4 * 16 * 16 * 0.99
    assert apart.dram_bytes_saved == 0


def test_convolutions_run_row_by_row_where_whole_images_do_not_fit(tmp_path):
    chain = [conv("c1", "1.0", "2.0", size=32, batch=1), pointwise("relu", (1, 4, 32, 32), "2.0", "3.0"),
             conv("c2", "3.0", "4.0", size=32, batch=1)]  # fmt: skip
    image = 4 * 32 * 32 * 32
    small, large = (score(step(*chain), chip(tmp_path, bits=bits), fuse=True) for bits in (image // 2, 4 * image))
    assert dram_words(small.operators[2], "input") == dram_words(large.operators[2], "input") == 0
    assert "fused whole with c1, relu" in large.operators[2].note
    tiles = int(small.operators[2].note.split("fused in ")[1].split()[0])
    assert tiles >= 4
    assert small.operators[0].macs == large.operators[0].macs == chain[0].macs  # nothing is computed twice


def test_an_activation_takes_results_in_flight(tmp_path):
    product = matmul("p", rows=64, inner=8, columns=64, tensors=("1.0", "2.0", "3.0"))
    work = step(product, pointwise("gelu", (64, 64), "3.0", "4.0"))
    fused = score(work, chip(tmp_path), fuse=True)
    assert [dram_words(fused.operators[0], "output"), dram_words(fused.operators[1], "input")] == [0, 0]
    assert dram_words(fused.operators[1], "output") == 64 * 64
    assert fused.dram_bytes_saved >= 2 * 4 * 64 * 64


@pytest.mark.parametrize("reader", ["later", "outlives"])
def test_what_others_read_is_written_all_the_same(tmp_path, reader):
    product = matmul("p", rows=64, inner=8, columns=64, tensors=("1.0", "2.0", "3.0"))
    gelu = pointwise("gelu", (64, 64), "3.0", "4.0")
    saved = (
        [pointwise("backward", (64, 64), "9.0", "8.0", also=("3.0",))] if reader == "later"
        else [pointwise("first", (64, 64), "3.9", "5.0")]
    )  # fmt: skip
    operators = (product, gelu, *saved) if reader == "later" else (*saved, product, gelu)
    fused = {cost.name: cost for cost in score(step(*operators), chip(tmp_path), fuse=True).operators}
    assert dram_words(fused["p"], "output") == 64 * 64
    assert dram_words(fused["gelu"], "input") == 0


def test_what_is_broadcast_is_complete_before(tmp_path):
    row = pointwise("row", (64,), "1.0", "2.0")
    spread = Operator(
        name="spread", primitive="elementwise", dims={"x": 64 * 64}, arithmetic={"add": 1},
        operands=(Operand(name="small", shape=(64,), format="fp32", tensor="2.0"),
                  Operand(name="output", shape=(64, 64), format="fp32", tensor="3.0", access="write")),
    )  # fmt: skip
    assert [chain.indices for chain in chains_of([row, spread], Uses.of([row, spread]))] == [(0,), (1,)]


def test_a_norm_over_the_batch_needs_the_whole_tensor_on_chip(tmp_path):
    bits = 2 * 4 * 8 * 8 * 32
    chain = conv("c", "1.0", "2.0"), pointwise("norm", (2, 4, 8, 8), "2.0", "3.0", reduced=(0, 2, 3))
    fits = score(step(*chain), chip(tmp_path, bits=4 * bits), fuse=True)
    spills = score(step(*chain), chip(tmp_path, bits=bits), fuse=True)
    assert "fused whole with c" in fits.operators[1].note
    assert "fused" not in spills.operators[1].note
    assert spills.dram_bytes_saved == 0


def _pricing(path):
    architecture, _ = load_architecture(path)
    technology, convention = load_technology(architecture.technology), load_convention("operator")

    def alone(operator):
        return score(step(operator), path).operators[0]

    return Pricing(architecture, technology, convention, alone)


def value(segment):
    return math.fsum(cost.energy_pj + 1e9 * cost.latency_s for cost in segment.costs)


def test_cuts_equal_all_cuts_tried(tmp_path):
    operators = [
        conv("c1", "1.0", "2.0"), pointwise("r1", (2, 4, 8, 8), "2.0", "3.0"), conv("c2", "3.0", "4.0", stride=2),
        pointwise("r2", (2, 4, 4, 4), "4.0", "5.0"), conv("c3", "5.0", "6.0", size=4, kernel=1),
    ]  # fmt: skip
    for bits in (3000, 20000, 10**6):
        pricing, uses = _pricing(chip(tmp_path, bits=bits)), Uses.of(operators)
        (chain,) = chains_of(operators, uses)
        assert chain.indices == (0, 1, 2, 3, 4)

        def way(start, end, chain=chain, uses=uses, pricing=pricing):
            return best_way(_members(chain, start, end, operators, uses), pricing, value)

        ways = {(i, j): way(i, j) for i, j in itertools.combinations(range(6), 2)}
        all_cuts = []
        for cuts in itertools.chain.from_iterable(itertools.combinations(range(1, 5), n) for n in range(5)):
            parts = [ways[pair] for pair in itertools.pairwise((0, *cuts, 5))]
            if all(parts):
                all_cuts.append(sum(value(part) for part in parts))
        chosen = cut(chain, lambda _, i, j, ways=ways: ways[i, j], value)
        assert sum(value(segment) for segment in chosen) == pytest.approx(min(all_cuts))


@given(st.integers(0, 10**6))
def test_cuts_of_random_prices_equal_all_cuts_tried(seed):
    rng = random.Random(seed)
    operators = [pointwise(f"o{i}", (4,), f"{i}.0", f"{i + 1}.0") for i in range(rng.randint(1, 6))]
    (chain,) = chains_of(operators, Uses.of(operators))
    size = len(operators)
    prices = {(i, j): rng.choice([None, rng.random() * (j - i)]) if j - i > 1 else 1.0
              for i, j in itertools.combinations(range(size + 1), 2)}  # fmt: skip
    names = {}

    def priced(_, start, end):
        if prices[start, end] is None:
            return None
        segment = Segment(tuple(range(start, end)), ())
        names[id(segment)] = segment, prices[start, end]
        return segment

    chosen = cut(chain, priced, lambda segment: names[id(segment)][1])
    assert [index for segment in chosen for index in segment.indices] == list(range(size))
    cuts = (cuts for n in range(size) for cuts in itertools.combinations(range(1, size), n))
    ways = ([prices[pair] for pair in itertools.pairwise((0, *cut_at, size))] for cut_at in cuts)
    best = min(sum(way) for way in ways if None not in way)
    assert sum(names[id(segment)][1] for segment in chosen) == pytest.approx(best)


def random_step(seed):
    """Pointwise operators on a few storages, some written in place."""
    rng = random.Random(seed)
    versions = dict.fromkeys(range(4), 0)
    operators = []
    for i in range(rng.randint(2, 7)):
        read = rng.sample(sorted(versions), rng.randint(1, 2))
        written = rng.choice([*versions, len(versions)])
        names = [f"{one}.{versions[one]}" for one in read]
        versions[written] = versions.get(written, -1) + 1
        operators.append(pointwise(f"o{i}", (4,), names[0], f"{written}.{versions[written]}", also=names[1:]))
    return operators


def sees_what_it_should(order, operators):
    """Run in ``order`` and check that every read finds the version that it names."""
    now = {}
    for operator in operators:  # what is there at the start
        for one in operator.operands:
            now.setdefault(storage_of(one.tensor), one.tensor if one.access == "read" else "")
    for index in order:
        for one in operators[index].operands:
            if one.access == "read" and now[storage_of(one.tensor)] != one.tensor:
                return False
        now |= {storage_of(o.tensor): o.tensor for o in operators[index].operands if o.access == "write"}
    return True


@settings(max_examples=300)
@given(st.integers(0, 10**9))
def test_fused_operators_still_read_what_was_written_for_them(seed):
    operators = random_step(seed)
    uses = Uses.of(operators)
    assert sees_what_it_should(range(len(operators)), operators)
    for chain in chains_of(operators, uses):
        for i, j in itertools.combinations(range(len(chain.indices) + 1), 2):
            members = chain.indices[i:j]
            if legal(members, operators, uses):
                rest = [index for index in range(len(operators)) if index not in members]
                before = [index for index in rest if index < members[-1]]
                after = [index for index in rest if index > members[-1]]
                assert sees_what_it_should([*before, *members, *after], operators)


def test_every_operator_is_in_one_segment(tmp_path):
    operators = [*attention(), pointwise("residual", (4, 16, 8), "6.0", "7.0", also=("1.0",))]
    segments = fuse_step(operators, _pricing(chip(tmp_path)))
    assert sorted(index for segment in segments for index in segment.indices) == [0, 1, 2, 3]
    assert all(len(segment.costs) == len(segment.indices) for segment in segments)


def test_only_free_dataflows_with_a_buffer_fuse(tmp_path):
    seen = []
    with pytest.raises(HwsimError, match=r"^eyeriss-45nm has a fixed dataflow: operators are fused on architectures of"):
        score(step(*attention()), "eyeriss-45nm", progress=lambda *done: seen.append(done), fuse=True)
    assert seen == []  # before anything is priced
    path = tmp_path / "chip.yaml"
    chip(tmp_path)
    path.write_text(path.read_text().replace("bits: 65536", "words: {input: 1000, weight: 1000, output: 1000}"))
    with pytest.raises(HwsimError, match=r"^chip has no memory on chip with a capacity in bits to fuse in$"):
        score(step(*attention()), str(path), fuse=True)


def test_progress_is_told_of_prices_and_then_of_chains(tmp_path):
    seen = []
    work = step(*attention(), pointwise("apart", (4, 4), "8.0", "9.0"))
    score(work, chip(tmp_path), progress=lambda *done: seen.append(done), fuse=True)
    assert seen == [*((done, 4) for done in range(1, 5)), (3, 4), (4, 4)]


def test_the_command_tells_what_was_saved(tmp_path, capsys):
    path = step(*attention()).save(tmp_path / "w.json")
    with pytest.raises(SystemExit) as stopped:
        main(["score", str(path), "--on", chip(tmp_path), "--fuse", "--json"])
    assert not stopped.value.code
    result = json.loads(capsys.readouterr().out)["results"][0]
    assert result["summary"]["dram_bytes_saved"] > 0
    assert any("fused where that saves" in note for note in result["notes"])
    with pytest.raises(SystemExit):
        main(["score", str(path), "--on", chip(tmp_path), "--fuse"])
    assert "DRAM traffic saved by fusion" in capsys.readouterr().out
