"""Scripts that know nothing of hwsim, recorded through PyTorch's global hooks."""

import re
import sys
from textwrap import dedent

import pytest
import torch
from torch import nn
from torch.nn.modules import module as torch_modules
from torch.optim import optimizer as torch_optimizers

import hwsim
from hwsim.errors import InputError
from hwsim.training import TrainingRun
from hwsim.training.log import read_header
from hwsim.training.script import record_script

LOOP = """
import sys, torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for batch in (4, 4, 3, 4):
    with torch.no_grad():
        net(torch.randn(2, 6))
    optimizer.zero_grad()
    loss_of(net(torch.randn(batch, 6)), torch.zeros(batch, dtype=torch.long)).backward()
    optimizer.step()
"""


@pytest.fixture
def recorded(tmp_path):
    """Record a script given as text; return its run, or raise what it raises."""

    def run(text, *arguments):
        script = tmp_path / "train.py"
        script.write_text(dedent(text))
        record_script(script, arguments, tmp_path / "run")
        return TrainingRun.load(tmp_path / "run")

    return run


def executions(run):
    return [(workload.samples, times) for workload, times in run.executions]


def test_a_plain_script(recorded):
    run = recorded(LOOP)
    assert (run.name, run.steps, run.samples, run.untraced) == ("train", 4, 15, 0)
    assert executions(run) == [(4, 3), (3, 1)]


def test_it_records_what_the_context_manager_records(recorded, tmp_path):
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    with hwsim.record(tmp_path / "explicit", net, optimizer, name="train"):
        for batch in (4, 4, 3, 4):
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(net(torch.randn(batch, 6)), torch.zeros(batch, dtype=torch.long))
            loss.backward()
            optimizer.step()
    explicit = TrainingRun.load(tmp_path / "explicit")
    found = recorded(LOOP)
    assert executions(found) == executions(explicit)
    for (one, _), (other, _) in zip(found.executions, explicit.executions, strict=True):
        assert [(o.name, o.phase, o.dims) for o in one.operators] == [(o.name, o.phase, o.dims) for o in other.operators]


def test_hooks_path_and_arguments_are_restored(recorded):
    argv, path = list(sys.argv), list(sys.path)
    recorded(LOOP + "sys.modules['kept net'] = net")
    assert (sys.argv, sys.path) == (argv, path)
    net = sys.modules.pop("kept net")
    assert not net._forward_pre_hooks
    assert not net._forward_hooks
    assert not torch_modules._global_forward_pre_hooks
    assert not torch_optimizers._global_optimizer_post_hooks


def test_the_script_sees_what_python_would_show_it(recorded, tmp_path):
    seen = """
    assert __name__ == "__main__"
    assert __file__ == sys.argv[0] == {file!r}
    assert sys.argv[1:] == ["--epochs", "3"]
    assert sys.path[0] == {folder!r}
    """.format(file=str(tmp_path / "train.py"), folder=str(tmp_path))
    recorded(LOOP + dedent(seen), "--epochs", "3")


def test_keyword_arguments_are_seen_in_the_first_step_too(recorded):
    run = recorded(
        """
        import torch
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = torch.nn.Linear(6, 3)
            def forward(self, x):
                return self.inner(x)
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            net(x=torch.randn(5, 6)).sum().backward()
            optimizer.step()
        """
    )
    assert executions(run) == [(5, 3)]


def test_two_optimizers_and_two_models(recorded):
    run = recorded(
        """
        import torch
        first, second = torch.nn.Linear(6, 3), torch.nn.Linear(3, 2)
        one = torch.optim.SGD(first.parameters(), lr=0.1)
        two = torch.optim.SGD(second.parameters(), lr=0.1)
        for _ in range(4):
            second(first(torch.randn(5, 6))).sum().backward()
            one.step()
            two.step()
        """
    )
    assert executions(run) == [(5, 4)]
    assert run.executions[0][0].macs == 5 * (3 * 18 + 3 * 6 - 18)
    assert sum(o.phase == "optimizer" for o in run.executions[0][0].operators) == 4


def test_only_the_first_model_counts_samples(recorded):
    run = recorded(
        """
        import torch
        judge, maker = torch.nn.Linear(3, 1), torch.nn.Linear(2, 3)
        of_judge, of_maker = (torch.optim.SGD(net.parameters(), lr=0.1) for net in (judge, maker))
        for _ in range(3):
            judge(torch.randn(5, 3)).sum().backward()
            of_judge.step()
            judge(maker(torch.randn(4, 2))).sum().backward()
            of_maker.step()
        """
    )
    assert executions(run) == [(5, 3), (4, 3)]


def test_modules_without_trainable_parameters_are_not_the_model(recorded, tmp_path):
    recorded(LOOP.replace("for batch", "nn.Flatten()(torch.randn(9, 2, 3))\nfor batch"))
    header = read_header(tmp_path / "run")
    assert header is not None
    assert header.model == "Sequential"
    assert executions(TrainingRun.load(tmp_path / "run")) == [(4, 3), (3, 1)]


@pytest.mark.parametrize("status", ["0", "None", ""])
def test_a_script_may_end_with_exit(recorded, status):
    assert recorded(f"{LOOP}\nsys.exit({status})").steps == 4


@pytest.mark.parametrize(
    ("end", "error"),
    [("sys.exit(3)", SystemExit), ("sys.exit('bad')", SystemExit), ("1 / 0", ZeroDivisionError)],
)
def test_failures_of_the_script_propagate_and_the_record_stays(recorded, tmp_path, end, error):
    with pytest.raises(error):
        recorded(f"{LOOP}\nnet(torch.randn(4, 6))\n{end}")
    assert TrainingRun.load(tmp_path / "run").steps == 4
    assert not torch_modules._global_forward_pre_hooks


def test_a_script_that_records_itself(recorded, tmp_path):
    text = LOOP.replace("for batch", f"import hwsim\nwith hwsim.record({str(tmp_path / 'own')!r}, net, optimizer):\n  for batch", 1)
    head, loop = text.split("  for batch")
    run = recorded(head + "  for batch" + loop.replace("\n    ", "\n      "))
    own = TrainingRun.load(tmp_path / "own")
    assert executions(run) == executions(own) == [(4, 3), (3, 1)]
    assert run.executions[0][0].macs == own.executions[0][0].macs


@pytest.mark.parametrize(
    "text",
    [
        "print('nothing')",
        "import torch\ntorch.nn.Linear(2, 2)(torch.ones(1, 2))",
        "import torch\nnet = torch.nn.Linear(2, 2)\ntorch.optim.SGD(net.parameters(), lr=1).step()",
    ],
)
def test_a_script_without_a_training_step(recorded, tmp_path, text):
    message = (
        f"{tmp_path}/train.py: no training step was seen: a module with trainable parameters must be called, "
        "then an optimizer of torch.optim must step"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        recorded(text)


def test_missing_script_and_directory(tmp_path):
    missing = tmp_path / "none.py"
    with pytest.raises(InputError, match=f"^{re.escape(str(missing))}: script does not exist$"):
        record_script(missing, (), tmp_path / "run")
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}: is a directory, not a script$"):
        record_script(tmp_path, (), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_record_in_the_way_stops_before_the_script_runs(recorded, tmp_path):
    recorded(LOOP)
    with pytest.raises(InputError, match="holds a recorded run already"):
        recorded("raise AssertionError('must not run')")


def test_masks_and_reports_of_a_script_are_recorded(recorded, tmp_path):
    recorded(LOOP.replace("    optimizer.step()", "    hwsim.annotate(net[0], weights=4)\n    optimizer.step()").replace("import sys", "import hwsim, sys"))
    assert '"weights":"int4"' in (tmp_path / "run" / "steps.jsonl").read_text()


def test_a_script_is_resumed(recorded, tmp_path):
    recorded(LOOP)
    record_script(tmp_path / "train.py", (), tmp_path / "run", resume=True)
    run = TrainingRun.load(tmp_path / "run")
    assert executions(run) == [(4, 6), (3, 2)]


def test_epochs_begin_where_the_training_data_are_iterated_anew(recorded):
    run = recorded(
        """
        import torch
        from torch.utils.data import DataLoader, TensorDataset
        data = TensorDataset(torch.randn(10, 6), torch.zeros(10, dtype=torch.long))
        train, check = DataLoader(data, batch_size=4), DataLoader(data, batch_size=5)
        net = torch.nn.Linear(6, 3)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        next(iter(check))
        for epoch in range(3):
            for x, y in train:
                torch.nn.functional.cross_entropy(net(x), y).backward()
                optimizer.step()
                with torch.no_grad():
                    [net(z) for z, _ in check]
        """
    )
    assert [(span.epoch, span.steps, span.samples) for span in run.tally.spans] == [(0, 3, 10), (1, 3, 10), (2, 3, 10)]
    assert "iterated" not in torch.utils.data.DataLoader.__iter__.__name__
