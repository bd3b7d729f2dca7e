"""``hwsim record`` from the command line: what belongs to whom, what is written, how it ends."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from hwsim.cli.main import main
from hwsim.training import TrainingRun

LOOP = """
import sys, torch
net = torch.nn.Linear(6, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    net(torch.randn(4, 6)).sum().backward()
    optimizer.step()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def record(folder, capsys):
    """Run ``hwsim record`` on a script given as text; return exit status, standard output and standard error."""

    def run(text, *after, before=()):
        (folder / "train.py").write_text(dedent(text))
        with pytest.raises(SystemExit) as end:
            main(["record", *before, "train.py", *after])
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return run


def written(directory):
    return sorted(path.name for path in directory.iterdir())


def test_records_prices_and_writes(record, folder):
    status, out, _ = record(LOOP)
    assert status == 0
    assert out.splitlines()[-1] == "Done: report in runs/train/report.html, numbers in runs/train/result.json"
    assert written(folder / "runs" / "train") == ["report.html", "result.json", "run.json", "statistics", "steps.jsonl", "structures"]
    results = json.loads((folder / "runs" / "train" / "result.json").read_text())["results"]
    assert [(result["workload"], result["steps"], result["samples"]) for result in results] == [("train", 3, 12)] * 3
    assert [result["architecture"]["name"] for result in results] == [
        "eyeriss-45nm", "eyeriss-45nm-int8", "eyeriss-45nm-shiftadd",
    ]  # fmt: skip


def test_a_second_run_has_its_own_folder(record, folder):
    for _ in range(3):
        assert record(LOOP, before=["--no-score"])[0] == 0
    assert written(folder / "runs") == ["train", "train-2", "train-3"]


def test_only_recording_into_a_given_folder(record, folder):
    status, out, _ = record(LOOP, before=["--no-score", "-o", "here"])
    assert (status, out) == (0, "Done: recorded in here\n")
    assert written(folder / "here") == ["run.json", "statistics", "steps.jsonl", "structures"]


def test_options_after_the_script_belong_to_it(record):
    text = LOOP + "print(sys.argv)\n"
    status, out, _ = record(text, "-o", "x", "--on", "y", "--help", before=["--no-score"])
    assert status == 0
    assert out == "['train.py', '-o', 'x', '--on', 'y', '--help']\nDone: recorded in runs/train\n"


def test_a_wrong_architecture_ends_before_the_script_runs(record, folder):
    status, out, err = record("raise AssertionError('must not run')", before=["--on", "eyeriss-45nm,none"])
    assert (status, out) == (1, "")
    assert err.startswith("error: architecture must be a .yaml file or one of ")
    assert err.endswith(", not 'none'\n")
    assert not (folder / "runs").exists()


def test_a_missing_script(folder, capsys):
    with pytest.raises(SystemExit) as end:
        main(["record", "none.py"])
    assert (end.value.code, capsys.readouterr().err) == (1, "error: none.py: script does not exist\n")
    assert not (folder / "runs").exists()


def test_the_exit_status_of_the_script_is_kept(record, folder):
    assert record(LOOP + "sys.exit(3)")[0] == 3
    assert written(folder / "runs" / "train") == ["run.json", "statistics", "steps.jsonl", "structures"]


def test_errors_of_the_script_show_its_traceback(folder):
    (folder / "train.py").write_text(LOOP + "1 / 0\n")
    command = [sys.executable, "-m", "hwsim.cli.main", "record", "train.py"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert '  File "train.py", line 8, in <module>' in lines
    assert lines[-1].startswith("ZeroDivisionError")
    assert TrainingRun.load(folder / "runs" / "train").steps == 3


def test_interrupting_the_script(record, folder):
    status, out, err = record(LOOP + "raise KeyboardInterrupt")
    assert (status, out) == (130, "")
    assert err == "interrupted: the record of 3 steps is kept in runs/train; no report was written\n"
    assert TrainingRun.load(folder / "runs" / "train").steps == 3


def test_interrupting_the_script_before_its_first_step(record):
    status, out, err = record("raise KeyboardInterrupt")
    assert (status, out, err) == (130, "", "interrupted: nothing was recorded\n")


def test_packages_of_the_user_called_like_ours(folder):
    for name in ("models", "rtl", "flows"):
        (folder / "code" / name).mkdir(parents=True)
        (folder / "code" / name / "__init__.py").write_text(f"from {name}.part import mine\n")
        (folder / "code" / name / "part.py").write_text(f"mine = 'the user owns {name}'\n")
    imports = "import models, rtl, flows\nprint(models.mine, rtl.mine, flows.mine, sep='; ')\n"
    (folder / "code" / "train.py").write_text(imports + LOOP)
    command = [sys.executable, "-m", "hwsim.cli.main", "record", "code/train.py"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.strip()) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0] == "the user owns models; the user owns rtl; the user owns flows"
    assert lines[-1] == "Done: report in runs/train/report.html, numbers in runs/train/result.json"
    assert TrainingRun.load(folder / "runs" / "train").steps == 3


def test_a_record_is_resumed(record, folder):
    for _ in range(2):
        assert record(LOOP, before=["--no-score", "--resume", "-o", "here"])[0] == 0
    assert TrainingRun.load(folder / "here").steps == 6
    assert record(LOOP, before=["--no-score", "--resume"]) == (1, "", "error: --output: must be given with --resume, not None\n")
