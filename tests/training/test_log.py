"""What is written while training, cut short, damaged or foreign, and what loading says about it."""

import json
import re

import pytest

from hwsim.errors import HwsimError, InputError
from hwsim.training import TrainingRun, log
from hwsim.workload import Workload
from hwsim.workload.contraction import matmul

HEADER = log.Header(
    schema="hwsim/run/2", name="n", model="Net", hwsim="0.1.0", torch="2.13.0", created="2026-01-01T00:00:00+00:00"
)


def workload(samples):
    operator = matmul("m", rows=samples, inner=2, columns=2)
    return Workload(name="w", samples=samples, operators=(operator,))


@pytest.fixture
def written(tmp_path):
    writer = log.LogWriter(tmp_path, HEADER)
    for structure, samples in ((0, 4), (0, 4), (1, 3)):
        writer.step(structure, samples)
        writer.structure(structure, workload(samples))
        writer.metrics({"loss": 1 / writer.steps})
    writer.close()
    return tmp_path


def test_round_trip(written):
    run = TrainingRun.load(written)
    assert (run.name, run.samples, run.steps, run.untraced) == ("n", 11, 3, 0)
    assert run.executions == ((workload(4), 2), (workload(3), 1))
    assert run.metrics == {"loss": ((1, 1.0), (2, 0.5), (3, 1 / 3))}


def test_lines_are_short(written):
    lines = (written / "steps.jsonl").read_text().splitlines()
    assert lines[0] == '{"structure":0,"samples":4}'
    assert lines[1] == '{"step":1,"metrics":{"loss":1.0}}'


def test_every_cut_of_the_log_loads_with_the_lines_that_are_whole(written):
    path = written / "steps.jsonl"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert TrainingRun.load(written).steps == whole[:length].count(b'samples":4}\n') + whole[:length].count(
            b'samples":3}\n'
        )


def test_metrics_may_diverge(tmp_path):
    writer = log.LogWriter(tmp_path, HEADER)
    writer.metrics({"loss": float("inf")})
    writer.close()
    assert TrainingRun.load(tmp_path).metrics == {"loss": ((0, float("inf")),)}


def test_metrics_must_be_numbers(tmp_path):
    writer = log.LogWriter(tmp_path, HEADER)
    with pytest.raises(InputError, match=r"^loss: metric must be a number, not 'low'$"):
        writer.metrics({"loss": "low"})
    writer.close()


def test_a_step_without_its_structure_is_untraced(written):
    (written / "structures" / "1.json").unlink()
    run = TrainingRun.load(written)
    assert (run.samples, run.steps, run.untraced) == (8, 2, 1)
    assert run.executions == ((workload(4), 2),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not well-formed JSON, not b'{\\n'"),
        ("[1]", "must hold a mapping of fields at its top level, not [1]"),
        ("\xff", "is not well-formed JSON, not b'\\xc3\\xbf\\n'"),
        ('{"structure":0}', "samples: field is required"),
        ('{"structure":-1,"samples":1}', "structure: must be greater than or equal to 0, not -1"),
        ('{"structure":0,"samples":0}', "samples: must be greater than or equal to 1, not 0"),
        ('{"structure":0,"samples":1,"bits":4}', "bits: field is not known here, not 4"),
        ('{"step":0,"metrics":{"a":"b"}}', "metrics.a: must be a valid number, unable to parse string as a number, not 'b'"),
    ],
)  # fmt: skip
def test_damaged_lines_are_named(written, line, message):
    path = written / "steps.jsonl"
    path.write_text(path.read_text() + line + '\n{"structure":0,"samples":4}\n')
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}, line 7: {message}')}$"):
        TrainingRun.load(written)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{}", "schema: field is required"),
        ("no", "is not well-formed: Expecting value: line 1 column 1 (char 0)"),
        ('{"name": "n", "accuracy": 1}', "schema: field is required"),
    ],
)
def test_foreign_headers_are_named(tmp_path, header, message):
    (tmp_path / "run.json").write_text(header)
    with pytest.raises(InputError, match=f"^{re.escape(f'{tmp_path}/run.json: {message}')}$"):
        TrainingRun.load(tmp_path)


def test_newer_schema_is_named(written):
    path = written / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": "hwsim/run/3"}))
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: schema: must be 'hwsim/run/1' or 'hwsim/run/2', not 'hwsim/run/3'$"):
        TrainingRun.load(written)


@pytest.mark.parametrize("name", ["", "missing"])
def test_no_record(tmp_path, name):
    directory = tmp_path / name
    with pytest.raises(InputError, match=rf"^{re.escape(str(directory))}: holds no recorded run \(no run.json\)$"):
        TrainingRun.load(directory)


def test_records_are_never_overwritten(written):
    before = (written / "steps.jsonl").read_bytes()
    message = f"{written}: holds a recorded run already: choose another directory or delete it"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        log.LogWriter(written, HEADER)
    assert (written / "steps.jsonl").read_bytes() == before


def test_a_second_writer_is_refused_while_the_first_one_writes(tmp_path):
    first = log.LogWriter(tmp_path, HEADER)
    first.step(0, 4)
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))}: is being written by another process or recording$"):
        log.LogWriter(tmp_path, HEADER, resume=True)
    first.step(0, 4)
    first.close()
    second = log.LogWriter(tmp_path, HEADER, resume=True)
    second.step(0, 4)
    second.close()
    assert TrainingRun.load(tmp_path).untraced == 3


def test_resuming_drops_a_cut_line_and_appends(written):
    path = written / "steps.jsonl"
    path.write_bytes(path.read_bytes() + b'{"structure":0,"sam')
    writer = log.LogWriter(written, HEADER, resume=True)
    assert writer.steps == 3
    writer.step(1, 3)
    writer.close()
    assert TrainingRun.load(written).executions == ((workload(4), 2), (workload(3), 2))


def test_resuming_where_nothing_is_starts_anew(tmp_path):
    writer = log.LogWriter(tmp_path / "new", HEADER, resume=True)
    writer.step(0, 1)
    writer.close()
    assert TrainingRun.load(tmp_path / "new").untraced == 1


@pytest.mark.parametrize(
    ("change", "have"),
    [({"model": "Other"}, "Other and hwsim/run/2"), ({"schema_": "hwsim/run/1"}, "Net and hwsim/run/1")],
)
def test_another_model_or_schema_cannot_resume(written, change, have):
    rule = f"{written}: can only be resumed with the model Net and schema hwsim/run/2, not '{have}'"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        log.LogWriter(written, HEADER.model_copy(update=change), resume=True)


def test_a_log_of_the_first_schema_loads(written):
    path = written / "run.json"
    path.write_text(path.read_text().replace("run/2", "run/1"))
    assert TrainingRun.load(written).steps == 3


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    directory = tmp_path / "file" / "run"
    with pytest.raises(InputError, match=rf"^{re.escape(str(directory))}: cannot be made: not a directory$"):
        log.LogWriter(directory, HEADER)


def test_unwritable_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(log.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))}: is not writable$"):
        log.LogWriter(tmp_path, HEADER)


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    writer = log.LogWriter(tmp_path, HEADER)
    monkeypatch.setattr(log.os, "write", lambda file, data: len(data) - 1)
    with pytest.raises(HwsimError, match=rf"^cannot write {re.escape(str(tmp_path))}/steps.jsonl: no space left on device$"):
        writer.step(0, 4)
    writer.close()


def test_erase_deletes_the_record_and_nothing_else(written):
    (written / "mine.txt").write_text("")
    log.erase(written)
    assert sorted(path.name for path in written.rglob("*") if path.is_file()) == ["mine.txt"]
