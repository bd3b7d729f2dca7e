"""``hwsim trace`` from the command line: what a target may be, what is written, what is said."""

import sys
from textwrap import dedent

import pytest

from hwsim.cli.main import main
from hwsim.workload import Workload

STEP = """
    import torch
    from torch import nn

    from sizes import WIDTH

    def step():
        model = nn.Sequential(nn.Linear(4, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))
        return {
            "model": model,
            "inputs": torch.zeros(5, 4),
            "loss": lambda y: y.square().mean(),
            "optimizer": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, foreach=False),
        }

    def inference():
        return nn.Linear(4, 2), torch.zeros(5, 4)

    def branching():
        class Branch(nn.Linear):
            def forward(self, x):
                return super().forward(x) if x.sum() > 0 else x
        return Branch(4, 2), torch.ones(5, 4)

    def of(width, depth=1):
        return nn.Linear(width, depth), torch.zeros(1, width)

    def nothing():
        return None

    def model_only():
        return {"model": nn.Linear(4, 2), "batch": 3}

    def number():
        return 3, torch.zeros(5, 4)

    def failing():
        raise ZeroDivisionError("of the user")

    constant = 3
"""


OWN = """
    import torch

    def inference():
        return torch.nn.Linear(4, 3), torch.zeros(5, 4)
"""


@pytest.fixture
def trace(tmp_path, monkeypatch, capsys):
    """Run ``hwsim trace`` beside a file of functions; return exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(dedent(STEP))
    (tmp_path / "sizes.py").write_text("WIDTH = 8\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "nets.py").write_text(dedent(OWN))

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["trace", *arguments])
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    yield run
    for name in ("sizes", "own", "own.nets"):
        sys.modules.pop(name, None)


def test_a_training_step(trace):
    status, out, err = trace("net.py:step")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "Sequential: 20 operators, 5 samples",
        "  forward     5 operators, 240.0 MAC",
        "  grad_input  7 operators, 80.00 MAC",
        "  grad_weight 4 operators, 240.0 MAC",
        "  optimizer   4 operators, 0 MAC",
        "  parameters  58 read, 232.0 B",
        "  covered     100 % of the bytes that operators touch",
        "Done: workload in step.json",
    ]
    work = Workload.load("step.json")
    assert (len(work.operators), work.macs) == (20, 560)


def test_fused(trace):
    status, out, _ = trace("net.py:step", "--level", "fused", "-o", "out/fused.json")
    assert (status, out.splitlines()[-1]) == (0, "Done: workload in out/fused.json")
    updates = [o.name for o in Workload.load("out/fused.json").operators if o.phase == "optimizer"]
    assert updates == ["0.update", "0.update#2", "2.update", "2.update#2"]


def test_inference_from_a_tuple(trace):
    assert trace("net.py:inference")[0] == 0
    assert [o.phase for o in Workload.load("inference.json").operators] == ["forward"]


def test_a_function_of_an_importable_module(trace):
    path = list(sys.path)
    assert trace("own.nets:inference")[0] == 0
    assert Workload.load("inference.json").macs == 5 * 4 * 3
    assert sys.path == path


def test_a_network_by_name(trace):
    assert trace("resnet20_cifar", "--batch", "3")[0] == 0
    step = Workload.load("resnet20_cifar.json")
    assert sum(one.macs for one in step.operators if one.phase == "forward") == 3 * 40_551_040
    assert {one.phase for one in step.operators} == {"forward", "grad_input", "grad_weight", "optimizer"}


def test_an_unknown_network(trace):
    status, _, err = trace("resnet21")
    assert status == 1
    assert err.startswith(f"error: target: {KINDS} or one of the networks, which are alexnet, ")
    assert err.endswith(", not 'resnet21'\n")


def test_control_flow_on_data_needs_real_tensors(trace):
    status, _, err = trace("net.py:branching")
    assert (status, err.rpartition(": ")[2]) == (1, "trace with real tensors (fake=False)\n")
    assert trace("net.py:branching", "--real")[0] == 0


KINDS = "must be FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION"
RETURN = "must return a dict or a tuple of model and inputs and, if it trains, loss and optimizer"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.py:"], f"target: {KINDS} or a network's name, not 'net.py:'"),
        (["nets.txt:step"], "target: must be a module that can be imported, not 'nets.txt'"),
        (["own.missing:step"], "target: must be a module that can be imported, not 'own.missing'"),
        (["own.nets:steps"], "own.nets: has no function steps; it has inference"),
        (["net.py:step", "--batch", "3"],
         "batch: is for networks by name: others have inputs of their own, not 3"),
        (["nets.py:step"], "nets.py: does not exist"),
        (["net.py:steps"],
         "net.py: has no function steps; it has branching, failing, inference, model_only, nothing, number, of, step"),
        (["sizes.py:step"], "sizes.py: has no function step; it has none"),
        (["net.py:constant"],
         "net.py: has no function constant; it has branching, failing, inference, model_only, nothing, number, of, step"),
        (["net.py:of"], "net.py: of: must not need arguments; it needs width"),
        (["net.py:nothing"], f"net.py: nothing(): {RETURN}, not None"),
        (["net.py:model_only"], f"net.py: model_only(): {RETURN}, not ['batch', 'model']"),
        (["net.py:number"], "net.py: number(): model must be a torch.nn.Module, not 3"),
        (["net.py:step", "--level", "fx"], "level: must be aten, update or fused, not 'fx'"),
        (["net.py:step", "-o", "step.yaml"], "step.yaml: name of the workload must end in .json"),
    ],
)  # fmt: skip
def test_errors(trace, arguments, message, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert trace(*arguments) == (1, "", f"error: {message}\n")
    assert sorted(path for path in tmp_path.iterdir() if path.name != "__pycache__") == before


def test_errors_of_the_user_pass_and_nothing_stays_imported(trace):
    path, modules = list(sys.path), set(sys.modules) - {"sizes"}
    with pytest.raises(ZeroDivisionError, match=r"^of the user$"):
        main(["trace", "net.py:failing"])
    assert sys.path == path
    assert "net" not in sys.modules
    assert modules <= set(sys.modules)


def test_a_replica_of_data_parallel_training(trace):
    assert trace("net.py:step", "--replicas", "8")[0] == 0
    sums = [one for one in Workload.load("step.json").operators if one.primitive == "comm"]
    assert [(one.collective, one.group_size) for one in sums] == [("all_reduce", 8)]


def test_replicas_need_gradients(trace, tmp_path):
    status, _, err = trace("net.py:inference", "--replicas", "2")
    assert (status, err) == (1, "error: workload: must be a training step with an optimizer, not 'Linear'\n")
    assert not (tmp_path / "inference.json").exists()
