"""Runs whose facts change from step to step, priced as a whole and step by step, operator by operator."""

import random
from collections import defaultdict

import pytest
import torch
from torch import nn

import hwsim
from hwsim.errors import HwsimError, InputError
from hwsim.training import TrainingRun, lines
from hwsim.training.facts import Facts, Mixed
from hwsim.training.log import LogWriter, read_history
from hwsim.training.paths import innermost
from hwsim.training.varied import varied
from tests.training.test_history import HEADER

ON = ("bitfusion-16x32", "eyeriss-45nm-int8", "gemmini-like-16x16")
MIXTURES = [
    (Facts(weights=4, activations=4, gradients=8),),
    (Facts(executed=0.0),),
    (Facts(weights="int8", executed=0.5),),
    (Facts(share=0.25, weights=2), Facts(share=0.5, weights=4, activations=2), Facts(share=0.25, executed=0.0)),
]


@pytest.fixture(scope="module")
def step():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()), nn.Flatten(), nn.Linear(64, 3))
    return hwsim.trace(
        model, torch.empty(2, 1, 8, 8), loss=lambda y: y.sum(), name="step",
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    )  # fmt: skip


@pytest.fixture
def directory(step, tmp_path):
    """A log of 40 steps over 3 epochs with random facts of nested modules; the outer of those of the inner."""
    draw = random.Random(3)
    log = LogWriter(tmp_path / "run", HEADER)
    log.structure(0, step)
    log.structure(1, step.model_copy(update={"operators": step.operators[:-3]}))
    log.line(lines.ModulesLine(modules=("0", "2", "2.0", "4")))
    for mixture in MIXTURES:
        log.line(lines.FactsLine(facts=Mixed(parts=mixture)))
    for number in range(40):
        if number in (0, 11, 29):
            log.line(lines.MarkLine(epoch=number // 10))
        state = lines.digits([draw.randint(0, len(MIXTURES)) for _ in range(4)])
        other = lines.digits([draw.randint(0, len(MIXTURES)) for _ in range(4)])
        log.step(draw.randint(0, 1), 2, draw.choice([None, state, state, (state, other)]))
        log.metrics({"accuracy": number / 100})
    log.close()
    return tmp_path / "run"


def step_by_step(directory, on):
    """Energy, latency and energy by (epoch, phase), from a score of every operator on its own."""
    history = read_history(directory)
    states = history.states()
    structures = [workload for workload, _ in TrainingRun.load(directory).executions]
    first = history.structures[0]
    prices = {}
    energy, latency, groups = 0.0, 0.0, defaultdict(float)
    for number, structure in enumerate(history.structures):
        epoch = [mark.epoch for begin, mark in history.marks if begin <= number][-1]
        rows = history.passes.get(number, (history.rows[number],))
        for operator in structures[structure if first == 0 else 1 - structure].operators:
            path = innermost(operator.module, history.modules)
            parts = [
                part.model_copy(update={"share": part.share / len(rows)})
                for row in rows
                for part in history.mixtures[0 if path is None else states[row][history.modules.index(path)]]
            ]
            running = sum(part.share for part in parts if part.executed)
            for part in parts:
                key = operator.name, operator.phase, part
                if key not in prices:
                    alone = hwsim.Workload(
                        name="alone", operators=(varied(operator, part).model_copy(update={"count": 1}),)
                    )
                    prices[key] = hwsim.score(alone, on=on)
                often = part.share * part.executed
                if operator.phase == "optimizer":
                    often = part.share / running if part.executed else 0.0
                often *= operator.count
                energy += prices[key].energy_j * often
                latency += prices[key].latency_s * often
                groups[epoch, operator.phase] += prices[key].energy_j * often
    return energy, latency, groups


@pytest.mark.parametrize("on", ON)
def test_the_whole_costs_what_its_steps_cost(directory, on):
    result = hwsim.score(directory, on=on)
    energy, latency, groups = step_by_step(directory, on)
    assert result.energy_j == pytest.approx(energy, rel=1e-9)
    assert result.latency_s == pytest.approx(latency, rel=1e-9)
    points = result.timeline.points
    assert [(point.epoch, point.first_step, point.steps) for point in points] == [(0, 0, 11), (1, 11, 18), (2, 29, 11)]
    for point in points:
        for phase, found in point.energy_j_by_phase.items():
            assert found == pytest.approx(groups[point.epoch, phase], rel=1e-9, abs=1e-18)


@pytest.mark.parametrize("on", ON)
def test_every_breakdown_of_the_timeline_adds_up_to_the_result(directory, on):
    result = hwsim.score(directory, on=on)
    points = result.timeline.points
    assert sum(point.energy_j for point in points) == pytest.approx(result.energy_j, rel=1e-12)
    assert sum(point.latency_s for point in points) == pytest.approx(result.latency_s, rel=1e-12)
    assert sum(point.dram_bytes for point in points) == pytest.approx(result.dram_bytes, rel=1e-12)
    assert sum(point.steps for point in points) == result.steps == 40
    for key in ("phase", "module"):
        expected = result.latency_s_by(key)
        for name, value in expected.items():
            found = sum(getattr(point, f"latency_s_by_{key}")[name] for point in points)
            assert found == pytest.approx(value, rel=1e-9, abs=1e-18)
    for key in ("phase", "component", "level", "module"):
        expected = {name: value for (name,), value in result.energy_j_by(key).items()}
        found = defaultdict(float)
        for point in points:
            for name, value in getattr(point, f"energy_j_by_{key}").items():
                found[name] += value
        assert found.keys() >= expected.keys()
        for name, value in found.items():
            assert value == pytest.approx(expected.get(name, 0.0), rel=1e-9, abs=1e-18)
    whole = max(points, key=lambda point: point.energy_j)
    assert 0 < whole.uncertainty_j < whole.energy_j


def test_the_uncertainty_of_a_run_in_one_part_is_that_of_the_result(step, tmp_path):
    log = LogWriter(tmp_path, HEADER)
    log.structure(0, step)
    log.line(lines.MarkLine(epoch=1))
    for _ in range(5):
        log.step(0, 2)
    log.close()
    result = hwsim.score(tmp_path, on="eyeriss-45nm")
    (point,) = result.timeline.points
    assert point.uncertainty_j == pytest.approx(result.uncertainty_j, rel=1e-12)
    assert result.energy_j == pytest.approx(5 * hwsim.score(step, on="eyeriss-45nm").energy_j, rel=1e-12)
    assert result.operators[0].note == hwsim.score(step, on="eyeriss-45nm").operators[0].note


def test_notes_tell_which_facts_held_how_often(directory):
    result = hwsim.score(directory, on="bitfusion-16x32")
    note = next(o for o in result.operators if o.module == "0" and o.primitive == "mac").note
    assert "% weights int4, activations int4, gradients int8" in note


def test_a_run_that_changes_is_not_fused(directory):
    with pytest.raises(HwsimError, match=r"^n changes as it goes: only runs whose modules stay as traced are fused$"):
        hwsim.score(directory, on="free-dataflow-45nm", fuse=True)


def test_a_module_that_never_runs_costs_nothing(step, tmp_path):
    log = LogWriter(tmp_path, HEADER)
    log.structure(0, step)
    log.line(lines.ModulesLine(modules=("2",)))
    log.line(lines.FactsLine(facts=Mixed(parts=MIXTURES[1])))
    log.step(0, 2, "B")
    log.close()
    spent = hwsim.score(tmp_path, on="eyeriss-45nm").energy_j_by("module")
    assert all(value == 0 for (module,), value in spent.items() if module.startswith("2"))
    assert spent[("0",)] > 0


def test_sizes_that_no_operator_has_are_an_error(step, tmp_path):
    log = LogWriter(tmp_path, HEADER)
    log.structure(0, step)
    log.line(lines.ModulesLine(modules=("4",)))
    log.line(lines.FactsLine(facts=Mixed(parts=(Facts(tokens=(5, 7)),))))
    log.step(0, 2, "B")
    log.close()
    with pytest.raises(InputError, match=r"^4: tokens must be kept out of a number that an operator of the module has as a size, not 7$"):
        hwsim.score(tmp_path)


def test_energy_until_a_step_and_the_best_of_a_metric(directory):
    line = hwsim.score(directory, on="bitfusion-16x32").timeline
    first, second, third = (point.energy_j for point in line.points)
    assert line.energy_until(0) == 0
    assert line.energy_until(20) == pytest.approx(first + second * 9 / 18)
    assert line.energy_until(99) == pytest.approx(first + second + third)
    assert line.best("accuracy") == (40, 0.39)
