"""``hwsim demo``: what it writes, what it refuses, and what an interruption leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

import hwsim.cli.progress
import hwsim.files
from hwsim.cli.main import main
from hwsim.examples import digits
from hwsim.training import TrainingRun

OUTPUTS = ["report.html", "result.json", "run.json", "statistics", "steps.jsonl", "structures"]
RECORD = ["run.json", "statistics", "steps.jsonl", "structures"]
STEPS_PER_EPOCH = 23


@pytest.fixture
def demo(tmp_path, monkeypatch, capsys):
    """Run the quick demo in a folder; return exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["demo", "--quick", *arguments])
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Folder of a digits run of two epochs."""
    directory = tmp_path_factory.mktemp("digits") / "run"
    digits.main(["--output", str(directory), "--epochs", "2"])
    return directory


@pytest.fixture
def untrained(monkeypatch, recorded):
    """Replace the training by a copy of `recorded`."""

    def copy(arguments):
        shutil.copytree(recorded, arguments[1], dirs_exist_ok=True)

    monkeypatch.setattr(digits, "main", copy)


@pytest.fixture
def forbidden(monkeypatch):
    """Fail if the demo comes to the training."""
    monkeypatch.setattr(digits, "main", lambda arguments: pytest.fail("must not train"))


def written(directory):
    return sorted(path.name for path in directory.iterdir())


def test_the_demo(demo, tmp_path):
    status, out, _ = demo()
    run = TrainingRun.load(tmp_path / "hwsim-demo")
    accuracy = run.metrics["accuracy"][-1][1]
    last = f"Done: accuracy {accuracy:.1%}; report in hwsim-demo/report.html, numbers in hwsim-demo/result.json"
    assert (status, out.splitlines()[-1]) == (0, last)
    assert f"accuracy on test images: {accuracy:.1%}" in out
    assert written(tmp_path / "hwsim-demo") == OUTPUTS
    assert (run.steps, run.samples, run.untraced) == (2 * STEPS_PER_EPOCH, 2 * 1437, 0)
    assert [(workload.samples, times) for workload, times in run.executions] == [(64, 44), (29, 2)]
    results = json.loads((tmp_path / "hwsim-demo" / "result.json").read_text())["results"]
    assert [result["architecture"]["name"] for result in results] == [
        "eyeriss-45nm", "eyeriss-45nm-int8", "eyeriss-45nm-shiftadd",
    ]  # fmt: skip
    energies = [result["summary"]["energy_j"] for result in results]
    assert energies[0] > energies[1] > energies[2] > 0


def test_the_network_learns(tmp_path):
    digits.main(["--output", str(tmp_path / "run")])
    run = TrainingRun.load(tmp_path / "run")
    assert run.metrics["accuracy"][-1][1] >= 0.97
    assert run.steps == 12 * STEPS_PER_EPOCH


def test_training_is_deterministic_for_a_seed(recorded, tmp_path):
    for seed, same in ((0, True), (1, False)):
        digits.main(["--output", str(tmp_path / str(seed)), "--epochs", "2", "--seed", str(seed)])
        again = TrainingRun.load(tmp_path / str(seed)).metrics
        assert (again == TrainingRun.load(recorded).metrics) is same


def test_a_second_demo_replaces_the_first(demo, untrained, tmp_path):
    assert demo()[0] == 0
    (tmp_path / "hwsim-demo" / "notes.txt").write_text("mine")
    assert demo()[0] == 0
    assert written(tmp_path / "hwsim-demo") == ["notes.txt", *OUTPUTS]


def test_a_record_that_is_not_the_demos_is_refused(demo, forbidden, recorded, tmp_path):
    shutil.copytree(recorded, tmp_path / "mine")
    header = tmp_path / "mine" / "run.json"
    header.write_text(header.read_text().replace("digits demo", "mine"))
    message = "error: mine: holds a recorded run already: choose another directory or delete it\n"
    assert demo("-o", "mine") == (1, "", message)
    assert TrainingRun.load(tmp_path / "mine").steps == 2 * STEPS_PER_EPOCH


@pytest.mark.parametrize("name", ["report.html", "result.json"])
def test_a_report_that_is_not_the_demos_is_refused(demo, forbidden, tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    message = f"error: mine/{name}: is not of an earlier demo: choose another folder with --output\n"
    assert demo("-o", "mine") == (1, "", message)
    assert (tmp_path / "mine" / name).read_text() == "mine"


def test_an_unwritable_path_ends_before_the_training(demo, forbidden, tmp_path):
    (tmp_path / "file").write_text("")
    assert demo("-o", "file/demo") == (1, "", "error: file/demo: cannot be made: not a directory\n")
    assert demo("-o", "file") == (1, "", "error: file: cannot be made: file exists\n")


def test_a_read_only_folder_ends_before_the_training(demo, forbidden, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert demo("-o", "demo") == (1, "", "error: demo: is not writable\n")


def test_interrupted_while_pricing(demo, untrained, monkeypatch, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    assert demo()[0] == 0  # an earlier report must not stay beside a newer record
    monkeypatch.setattr(hwsim.cli.progress, "score_with_progress", interrupted)
    message = "interrupted: the record of 46 steps is kept in hwsim-demo; no report was written\n"
    assert demo() == (130, "", message)
    assert written(tmp_path / "hwsim-demo") == RECORD


def test_interrupted_while_writing_the_page(demo, untrained, monkeypatch, tmp_path):
    replace = os.replace

    def interrupted(source, target):
        if str(target).endswith("report.html"):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(hwsim.files.os, "replace", interrupted)
    status, _, err = demo()
    assert status == 130
    assert err.endswith("interrupted: the record of 46 steps is kept in hwsim-demo; no report was written\n")
    assert written(tmp_path / "hwsim-demo") == ["result.json", *RECORD]


def test_ctrl_c_while_training(tmp_path):
    code = """
import os, signal, sys
from hwsim.cli.main import main
from hwsim.examples import digits
accuracy = digits.accuracy
def interrupting(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    return accuracy(*arguments)
digits.accuracy = interrupting
main(["demo", "-o", sys.argv[1]])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "demo")]
    ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=_default_sigint)
    assert ended.returncode == 130
    last = f"interrupted: the record of 23 steps is kept in {tmp_path}/demo; no report was written"
    assert ended.stderr.splitlines()[-1] == last
    assert written(tmp_path / "demo") == RECORD
    assert TrainingRun.load(tmp_path / "demo").steps == STEPS_PER_EPOCH


def _default_sigint():
    """Undo what a shell does to background jobs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
