"""What techniques report, and what of it reaches the log: resolved over nested modules, once per change."""

import gc
import re

import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.nn import qat
from torch.ao.quantization.quantize_fx import prepare_qat_fx
from torch.nn.utils import prune

import hwsim
from hwsim.errors import InputError
from hwsim.training import TrainingRun, annotation
from hwsim.training.facts import AS_TRACED, Facts
from hwsim.training.log import read_history
from hwsim.training.variants import variants


def facts_of(directory):
    """Facts of every annotated module in every step, one dictionary a step (of the first of its passes)."""
    history = read_history(directory)
    states = history.states()
    return [
        {path: history.mixtures[number] for path, number in zip(history.modules, states[row].tolist(), strict=True)}
        for row in history.rows
    ]


def test_facts_are_kept_until_told_otherwise_and_forgotten_with_the_module():
    module = nn.Linear(2, 2)
    hwsim.annotate(module, weights=4, executed=False)
    hwsim.annotate(module, activations="fp8_e4m3", executed=True)
    assert dict(annotation.reported())[module] == (Facts(weights="int4", activations="fp8_e4m3"),)
    hwsim.annotate(module, weights=None)
    assert dict(annotation.reported())[module] == (Facts(activations="fp8_e4m3"),)
    hwsim.annotate(module)
    assert dict(annotation.reported())[module] == AS_TRACED
    before = annotation.changes()
    hwsim.annotate(module)
    assert annotation.changes() == before
    del module
    gc.collect()
    assert all(isinstance(one, nn.Module) for one, _ in annotation.reported())


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"bits": 4}, "bits: field is not known here, not 4"),
        ({"weights": "int0"}, "weights: format must be one of"),
        ({"executed": 1.5}, "executed: must be less than or equal to 1, not 1.5"),
        ({"density": 0}, "density: must be greater than 0, not 0"),
        ({"tokens": (5, 4)}, "tokens must be kept, of how many, the first not the larger: [5, 4]"),
        ({"mixture": [{"weights": 4}], "weights": 4}, "mixture: must be given alone, without other facts, not ['weights']"),
        ({"mixture": [{"share": 0.5}, {"share": 0.4}]}, "shares must add up to 1, not 0.9"),
    ],
)
def test_wrong_facts(facts, rule):
    with pytest.raises(InputError, match=f"^{re.escape(rule)}"):
        hwsim.annotate(nn.Linear(2, 2), **facts)


def test_a_mixture_is_changed_as_a_whole():
    module = nn.Linear(2, 2)
    hwsim.annotate(module, mixture=[{"share": 0.25, "weights": 4}, {"share": 0.75, "weights": 8}])
    with pytest.raises(InputError, match=r"^mixture: must be changed as a whole: give mixture again"):
        hwsim.annotate(module, weights=4)


def test_steps_carry_what_was_reported_when_they_ended(captured, net, momentum, step, tmp_path):
    hwsim.annotate(net.head, weights=8)
    with hwsim.record(tmp_path, net, momentum):
        step()
        hwsim.annotate(net.body[0], weights=4)
        step()
        step()
        hwsim.annotate(net.body[0])
        step()
    eight, four = (Facts(weights="int8"),), (Facts(weights="int4"),)
    assert facts_of(tmp_path) == [
        {"head": eight, "body.0": AS_TRACED}, {"head": eight, "body.0": four}, {"head": eight, "body.0": four},
        {"head": eight, "body.0": AS_TRACED},
    ]  # fmt: skip
    assert (tmp_path / "steps.jsonl").read_text().count('"state"') == 3


def test_inner_modules_have_the_facts_of_the_outer_ones_that_they_do_not_set(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        hwsim.annotate(net.body, weights=4, gradients=8, executed=0.5)
        hwsim.annotate(net.body[0], weights=2, executed=0.5)
        step()
    assert facts_of(tmp_path) == [
        {"body": (Facts(weights="int4", gradients="int8", executed=0.5),),
         "body.0": (Facts(weights="int2", gradients="int8", executed=0.25),)}
    ]  # fmt: skip


def test_mixtures_of_nested_modules_multiply(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        hwsim.annotate(net.body, mixture=[{"share": 0.25, "executed": 0}, {"share": 0.75}])
        hwsim.annotate(net.body[0], mixture=[{"share": 0.5, "weights": 4}, {"share": 0.5, "weights": 8}])
        step()
    (facts,) = facts_of(tmp_path)
    assert [(part.share, part.executed, part.weights) for part in facts["body.0"]] == [
        (0.125, 0, "int4"), (0.125, 0, "int8"), (0.375, 1, "int4"), (0.375, 1, "int8"),
    ]  # fmt: skip


def test_passes_of_one_step_have_facts_of_their_own(captured, net, momentum, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        for shares in ((0, 1), (1, 1), (0, 0)):
            for share in shares:
                hwsim.annotate(net.body, executed=share)
                net(torch.randn(4, 6)).sum().backward()
            momentum.step()
    half, skipped = (Facts(share=0.5, executed=0.0), Facts(share=0.5)), (Facts(executed=0.0),)
    total = {}
    for _, of_span in TrainingRun.load(tmp_path).counts:
        for (_, path), mixtures in of_span.items():
            for mixture, steps in mixtures.items():
                total[path, mixture] = total.get((path, mixture), 0) + steps
    assert total[None, AS_TRACED] == 3
    assert (total["body", half], total["body", AS_TRACED], total["body", skipped]) == (1, 1, 1)


def test_masks_of_torch_pruning_are_seen(captured, net, momentum, step, tmp_path):
    with hwsim.record(tmp_path, net, momentum):
        step()
        prune.l1_unstructured(net.head, "weight", amount=6)
        step()
        prune.l1_unstructured(net.head, "weight", amount=6)
        step()
        prune.remove(net.head, "weight")
        step()
    found = [facts["head"][0].density for facts in facts_of(tmp_path)]
    assert found == [None, 0.75, 0.5, None]  # of 24 weights


def test_fake_quantisers_of_torch_ao_are_seen(tmp_path):
    layer = nn.Linear(6, 3)
    layer.qconfig = quantization.QConfig(
        activation=quantization.FakeQuantize.with_args(quant_min=0, quant_max=15, dtype=torch.quint8),
        weight=quantization.FakeQuantize.with_args(
            quant_min=-4, quant_max=3, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric
        ),
    )
    net = nn.Sequential(qat.Linear.from_float(layer))
    net[0].activation_post_process = layer.qconfig.activation()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with hwsim.record(tmp_path, net, optimizer):
        for enabled in (True, True, False):
            if not enabled:
                net.apply(quantization.disable_fake_quant)
            net[0].activation_post_process(net(torch.randn(4, 6))).sum().backward()
            optimizer.step()
    found = [(facts["0"][0].weights, facts["0"][0].activations) for facts in facts_of(tmp_path)]
    assert found == [("int3", "int4"), ("int3", "int4"), (None, None)]
    product = next(o for o in TrainingRun.load(tmp_path).executions[0][0].operators if o.is_contraction)
    assert product.macs == 4 * 6 * 3


def forms(directory, on=("input", "weight", "output")):
    """Formats and densities of the forward products, as they are priced."""
    return {
        one.operator.module: [(form.operand(name).format, form.operand(name).density) for name in on]
        for one in variants(TrainingRun.load(directory)) for _, form in one.forms[-1:]
        if one.operator.is_contraction and one.operator.phase == "forward"
    }  # fmt: skip


def trained(net, x, directory, steps=3):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with hwsim.record(directory, net, optimizer, sample_every=0):
        for _ in range(steps):
            optimizer.zero_grad()
            net(x).sum().backward()
            optimizer.step()


def test_masks_and_quantisers_reach_what_is_priced(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    prune.ln_structured(net[3], "weight", amount=2, n=2, dim=0)
    trained(net, torch.randn(2, 3, 8, 8), tmp_path / "pruned")
    assert forms(tmp_path / "pruned", ["weight"]) == {"0": [("fp32", 0.5)], "3": [("fp32", 0.6)]}


@pytest.mark.filterwarnings("ignore")  # torch.ao announces its end
@pytest.mark.parametrize("how", ["eager", "fx"])
def test_networks_prepared_by_torch_ao_are_priced_in_their_bits(tmp_path, how):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).train()
    if how == "eager":
        net.qconfig = quantization.get_default_qat_qconfig("x86")
        quantization.prepare_qat(net, inplace=True)
    else:
        net = prepare_qat_fx(net, quantization.get_default_qat_qconfig_mapping("x86"), (torch.randn(2, 3, 8, 8),))
    trained(net, torch.randn(2, 3, 8, 8), tmp_path)
    assert forms(tmp_path) == {path: [("int8", 1.0)] * 3 for path in ("0", "3")}
    net.apply(quantization.disable_fake_quant)
    trained(net, torch.randn(2, 3, 8, 8), tmp_path / "off")
    assert forms(tmp_path / "off") == {path: [("fp32", 1.0)] * 3 for path in ("0", "3")}


class Speaking(nn.Linear):
    """A layer that speaks for itself."""

    facts = {"weights": 4}

    def hwsim_facts(self):
        return self.facts


def test_layers_speak_for_themselves(momentum, tmp_path):
    net = nn.Sequential(Speaking(6, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with hwsim.record(tmp_path, net, optimizer):
        for facts in ({"weights": 4}, {"weights": 4, "reads": 8}, {"density": 0.5}, {}):
            net[0].facts = facts
            net(torch.randn(4, 6)).sum().backward()
            optimizer.step()
    found = [facts["0"][0].model_dump(exclude_defaults=True) for facts in facts_of(tmp_path)]
    assert found == [{"weights": "int4"}, {"weights": "int4", "reads": "int8"}, {"density": 0.5}, {}]


class Skipping(nn.Module):
    """Blocks that a plan, not their input, skips."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 6)
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.plan = (True, True, True)

    def forward(self, x):
        x = self.stem(x)
        for block, runs in zip(self.blocks, self.plan, strict=True):
            hwsim.annotate(block, executed=runs)
            if runs:
                x = x + block(x)
        return x


def test_operators_of_skipped_modules_are_gathered_from_the_steps_that_ran_them(tmp_path):
    net = Skipping()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    plans = [(1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0, 1)]
    with hwsim.record(tmp_path / "skips", net, optimizer):
        for plan in plans:
            net.plan = plan
            net(torch.randn(4, 6)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    whole = Skipping()
    optimizer = torch.optim.SGD(whole.parameters(), lr=0.1)
    with hwsim.record(tmp_path / "whole", whole, optimizer):
        for _ in range(3):
            whole(torch.randn(4, 6)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    skips, every = TrainingRun.load(tmp_path / "skips"), TrainingRun.load(tmp_path / "whole")
    (found, steps), (expected, _) = *skips.executions, *every.executions
    assert steps == len(plans)

    def contractions(workload):
        return sorted((o.name, o.phase, tuple(o.dims.values())) for o in workload.operators if o.is_contraction and o.module)

    assert {name for name, *_ in contractions(found)} == {name for name, *_ in contractions(expected)}
    column = {c.module: place for place, c in enumerate(skips.tally.columns)}
    executed = skips.tally.times.sum(axis=0)
    for block in range(3):
        assert executed[column[f"blocks.{block}"]] == sum(plan[block] for plan in plans)


def test_a_step_is_traced_again_when_a_module_runs_that_was_always_skipped(captured, net, momentum, step, tmp_path):
    """What the stand-in traces lies outside of all modules: what is skipped stays missing until it runs."""
    with hwsim.record(tmp_path, net, momentum):
        for executed in (0, 0, 0, 1, 1, 1):
            hwsim.annotate(net.body, executed=executed)
            step()
    assert captured.count("start") == 3  # two for the steady state, one for the block that had never run
    lines = [line for line in (tmp_path / "steps.jsonl").read_text().splitlines() if "distinct" in line]
    assert [("missing" in line) for line in lines] == [False, True, False]


def test_resuming_knows_the_distinct_steps_and_goes_on_with_the_state(net, momentum, step, tmp_path):
    for number in range(2):
        with hwsim.record(tmp_path, net, momentum, resume=True) as run:
            hwsim.annotate(net.head, weights=4 + 4 * number)
            for _ in range(3):
                step()
            assert run.steps == 3 * (number + 1)
    run = TrainingRun.load(tmp_path)
    assert [(workload.samples, times) for workload, times in run.executions] == [(4, 6)]
    assert [facts["head"] for facts in facts_of(tmp_path)] == [(Facts(weights="int4"),)] * 3 + [(Facts(weights="int8"),)] * 3
    assert run.statistics[0].steps == 2  # one of each recording
