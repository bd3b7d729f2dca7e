"""Runs that are described: written by hand, and exported from recordings that they equal."""

import re

import pytest
import torch
import yaml
from torch import nn

import hwsim
from hwsim.errors import InputError
from hwsim.scoring import load
from hwsim.training import TrainingRun
from hwsim.training.export import describe
from hwsim.training.facts import AS_TRACED, Facts
from hwsim.workload.contraction import matmul
from tests.training.test_costs import directory, step  # noqa: F401 (fixtures)

BITFUSION = "bitfusion-16x32"


def agree(one, other, share=1e-9):
    """Whether two runs cost the same, epoch by epoch."""
    for on in (BITFUSION, "eyeriss-45nm-int8"):
        first, second = hwsim.score(one, on=on), hwsim.score(other, on=on)
        assert second.energy_j == pytest.approx(first.energy_j, rel=share)
        assert second.latency_s == pytest.approx(first.latency_s, rel=share)
        assert second.uncertainty_j == pytest.approx(first.uncertainty_j, rel=share)
        assert (second.steps, second.samples) == (first.steps, first.samples)
        by = {key: value for key, value in second.energy_j_by("module", "phase", "component").items() if value}
        expected = {key: value for key, value in first.energy_j_by("module", "phase", "component").items() if value}
        assert by == pytest.approx(expected, rel=share)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_recorded_run_equals_its_description(directory, tmp_path, suffix):  # noqa: F811
    run = TrainingRun.load(directory)
    path = describe(run, tmp_path / f"run.{suffix}")
    other = load(path)
    agree(run, other)
    assert other.metrics == run.metrics
    points = (hwsim.score(both, on=BITFUSION).timeline.points for both in (run, other))
    for one, two in zip(next(points), _by_epoch(next(points)), strict=True):
        assert two == pytest.approx((one.epoch, one.energy_j, one.steps), rel=1e-9)


def _by_epoch(points):
    for epoch in dict.fromkeys(point.epoch for point in points):
        same = [point for point in points if point.epoch == epoch]
        yield epoch, sum(point.energy_j for point in same), sum(point.steps for point in same)


def test_a_real_recording_equals_its_description(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path / "run", model, optimizer) as run:
        for epoch in range(4):
            run.epoch(epoch)
            hwsim.annotate(model[0], weights=8 if epoch < 2 else 4, activations=8)
            for batch in (4, 4, 3):
                hwsim.annotate(model[2], executed=batch == 4)
                nn.functional.cross_entropy(model(torch.randn(batch, 6)), torch.zeros(batch, dtype=torch.long)).backward()
                optimizer.step()
    run = TrainingRun.load(tmp_path / "run")
    path = describe(run, tmp_path / "what-if.yaml")
    agree(run, path)
    text = yaml.safe_load(path.read_text())
    assert [stage["epochs"] for stage in text["stages"]] == [1] * 8
    text["changes"] = [{"epoch": 1, "modules": "0", "facts": {"weights": 2}}]
    path.write_text(yaml.safe_dump(text))
    before, after = (hwsim.score(one, on=BITFUSION).timeline.points for one in (run, path))
    halves = [sum(p.energy_j for p in points if (p.epoch >= 1) == late) for points in (before, after) for late in (False, True)]
    assert halves[2] == pytest.approx(halves[0], rel=1e-9)
    assert halves[3] < halves[1]


@pytest.mark.parametrize("names", [("b*", "bc"), ("[ab]", "a"), ("b?", "bc")])
def test_names_that_look_like_patterns_match_themselves(tmp_path, names):
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in names))
    model._modules = dict(zip(names, model._modules.values(), strict=True))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path / "run", model, optimizer):
        for layer, bits in zip(model, (2, 8), strict=True):
            hwsim.annotate(layer, weights=bits, activations=8, gradients=8)
        for _ in range(2):
            model(torch.randn(4, 6)).sum().backward()
            optimizer.step()
    path = describe(TrainingRun.load(tmp_path / "run"), tmp_path / "run.yaml")
    agree(tmp_path / "run", path)
    text = yaml.safe_load(path.read_text())
    pairs = list(text["stages"][0]["modules"].items())
    text["stages"][0]["modules"] = dict(reversed(pairs))  # a pattern that matched both would now hold for both
    path.write_text(yaml.safe_dump(text, sort_keys=False))
    agree(tmp_path / "run", path)


def test_modules_without_operators_of_that_size_do_not_matter_beside_those_that_have_them(tmp_path):
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path / "run", model, optimizer):
        hwsim.annotate(model, tokens=(3, 7), heads=(1, 2))
        for _ in range(2):
            model(torch.randn(2, 7, 8)).sum().backward()
            optimizer.step()
    agree(tmp_path / "run", describe(TrainingRun.load(tmp_path / "run"), tmp_path / "run.yaml"))


HAND = """
schema: hwsim/training/1
name: by hand
dataset_samples: 25
batch: 2
steps:
  train: {workload: step.json}
stages:
  - name: ladder
    epochs: 2
    modules:
      "*": {weights: 8, activations: 8, gradients: 8}
      "2": [{share: 0.25, executed: 0}, {share: 0.75, weights: 4}]
  - name: gated
    epoch: 7
    modules:
      "2.0": {inputs: [{share: 0.5, weights: 2}, {share: 0.5, executed: 0}]}
changes:
  - {epoch: 1, until: 7, modules: "0", facts: {density: 0.5}}
"""


@pytest.fixture
def by_hand(step, tmp_path):  # noqa: F811
    step.save(tmp_path / "step.json")

    def write(text=HAND):
        path = tmp_path / "hand.yaml"
        path.write_text(text)
        return path

    return write


def test_a_run_by_hand(by_hand):
    run = load(by_hand())
    assert (run.name, run.steps, run.samples, run.untraced) == ("by hand", 36, 72, 0)
    assert [(span.epoch, span.stage, span.first_step, span.steps) for span, _ in run.counts] == [
        (0, "ladder", 0, 12), (1, "ladder", 12, 12), (7, "gated", 24, 12),
    ]  # fmt: skip
    eight = Facts(weights=8, activations=8, gradients=8)
    (_, first), (_, second), (_, third) = run.counts
    assert first[0, "0"] == first[0, "4"] == second[0, "4"] == {(eight,): 12}
    assert second[0, "0"] == {(eight.model_copy(update={"density": 0.5}),): 12}
    assert first[0, "2.0"] == {(Facts(executed=0),): 3, (Facts(weights=4),): 9}
    assert third[0, "2.0"] == {(Facts(share=0.5, weights=2), Facts(share=0.5, executed=0)): 12}
    assert third[0, "0"] == {AS_TRACED: 12}


def test_a_run_by_hand_costs_the_sum_of_its_parts(by_hand, step):  # noqa: F811
    whole = hwsim.score(by_hand(), on=BITFUSION).timeline.points[2]
    plain = hwsim.score(step, on=BITFUSION)
    gated = hwsim.score(
        by_hand(HAND.replace("{inputs: [{share: 0.5, weights: 2}, {share: 0.5, executed: 0}]}", "{weights: 2}")), on=BITFUSION
    ).timeline.points[2]
    update = sum(o.energy_pj for o in plain.operators if o.module == "2.0" and o.phase == "optimizer") * 1e-12
    others = plain.energy_j - plain.energy_j_by("module")[("2.0",)]
    work = gated.energy_j_by_module["2.0"] / 12 - update
    assert whole.energy_j == pytest.approx(12 * (others + work / 2 + update), rel=1e-9)


def test_a_model_in_a_file_is_traced(tmp_path):
    (tmp_path / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(4, 2), torch.empty(3, 4)\n")
    path = tmp_path / "run.yaml"
    path.write_text(
        "schema: hwsim/training/1\nname: n\nsteps: {a: {model: 'net.py:make', per_epoch: 2}}\nstages: [{epochs: 3}]\n"
    )
    run = load(path)
    assert (run.steps, run.samples) == (6, 18)


STEPS = "schema: hwsim/training/1\nname: n\nbatch: 3\nsteps: {{a: {{{}, per_epoch: 2}}}}\nstages: [{{epochs: 3}}]\n"


@pytest.mark.parametrize("given", ["model: own_nets.small:make", "model: resnet20_cifar", "workload: run"])
def test_steps_are_given_in_many_ways(tmp_path, given):
    (tmp_path / "own_nets").mkdir()
    (tmp_path / "own_nets" / "small.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(4, 2), torch.empty(3, 4)\n")
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path / "run", model, optimizer):
        for _ in range(4):
            model(torch.randn(3, 4)).sum().backward()
            optimizer.step()
    path = tmp_path / "run.yaml"
    path.write_text(STEPS.format(given))
    run = load(path)
    assert (run.steps, run.samples) == (6, 18)


def test_a_run_of_several_distinct_steps_is_not_one_step(tmp_path):
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with hwsim.record(tmp_path / "run", model, optimizer):
        for batch in (3, 2):
            model(torch.randn(batch, 4)).sum().backward()
            optimizer.step()
    path = tmp_path / "run.yaml"
    path.write_text(STEPS.format("workload: run"))
    rule = "must be a run of one distinct step, or one of the files in its folder structures, not 2"
    with pytest.raises(InputError, match=f"^{re.escape(f'{tmp_path}/run: {rule}')}$"):
        load(path)
    path.write_text(STEPS.format("workload: run/structures/0.json"))
    assert load(path).samples == 18


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("training/1", "training/2", "schema: must be 'hwsim/training/1', not 'hwsim/training/2'"),
        ("batch: 2", "batch: 3", "batch: must be the samples of step train, which are 2, not 3"),
        ("dataset_samples: 25", "dataset_samples: 1", "dataset_samples: must be at least one batch of 2, not 1"),
        ("dataset_samples: 25", "", "steps: per_epoch of every step must be given, or dataset_samples with a single step, not {}"),
        ('"2.0"', '"3.0"', "stages[1].modules.3.0: must match a module of a step, not '3.0'"),
        ("epoch: 7", "epoch: 0", "stages[1].epoch: must be at least 1, the last one of the stage before, not 0"),
        ("share: 0.25, e", "share: 0.5, e", "stages[0].modules.2: shares must add up to 1, not 1.25"),
        ("epochs: 2", "steps: {other: 3}", "stages[0].steps: must be steps of the description, which are train, not 'other'"),
        ("{density: 0.5}", "{bits: 5}", "changes[0].facts.bits: field is not known here, not 5"),
        ("workload: step.json", "per_epoch: 1", "steps.train: a step must have a workload or a model, not {'per_epoch': 1}"),
    ],
)  # fmt: skip
def test_wrong_descriptions(by_hand, old, new, message):
    path = by_hand(HAND.replace(old, new, 1))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load(path)


def test_names_of_descriptions(directory, tmp_path):  # noqa: F811
    with pytest.raises(InputError, match=r"name of the description must end in \.yaml, \.yml or \.json$"):
        describe(TrainingRun.load(directory), tmp_path / "run.txt")


def test_distinct_steps_that_run_in_another_order_or_never_are_fused_each_on_its_own(tmp_path):
    for name, rows in (("a", 4), ("b", 8), ("c", 2)):
        hwsim.Workload(name=name, operators=(matmul("m", rows=rows, inner=8, columns=8),)).save(tmp_path / f"{name}.json")
    path = tmp_path / "run.yaml"
    path.write_text(
        "schema: hwsim/training/1\nname: n\nsteps: {a: {workload: a.json}, b: {workload: b.json}, c: {workload: c.json}}\n"
        "stages: [{steps: {b: 3}}, {steps: {a: 2}}]\n"
    )
    alone = {name: hwsim.score(tmp_path / f"{name}.json", on="free-dataflow-45nm", fuse=True) for name in "ab"}
    result = hwsim.score(path, on="free-dataflow-45nm", fuse=True)
    assert result.energy_j == pytest.approx(3 * alone["b"].energy_j + 2 * alone["a"].energy_j, rel=1e-12)
    assert [point.energy_j for point in result.timeline.points] == pytest.approx([3 * alone["b"].energy_j, 2 * alone["a"].energy_j])
    assert [(cost.count, cost.macs) for cost in result.operators] == [(3, 512), (2, 256)]
