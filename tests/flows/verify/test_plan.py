"""Resuming: what a fingerprint depends on, what a crash or an interrupted build leaves behind."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from flows.verify import baseline, fingerprint, plan
from rtl.pe import find


class Here:
    """A pool that runs at once, in this process, so that tests can change what runs."""

    def __init__(self, **settings: Any) -> None:
        pass

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, function: Any, *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except ZeroDivisionError as error:
            future.set_exception(error)
        return future


def task(folder: Path, check: str = "proof", *, update: bool = False) -> plan.Task:
    return plan.Task("matadd2_sat", check, "quick", ("icarus",), str(folder), update)


def test_a_fingerprint_knows_sources_parameters_effort_and_its_own_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    pe = find("adder8")
    of = fingerprint.of("adder8", pe, "resources-ecp5-25k", "full")
    assert of == fingerprint.of("adder8", pe, "resources-ecp5-25k", "full")
    assert of != fingerprint.of("adder8", find("adder16"), "resources-ecp5-25k", "full")
    assert of == fingerprint.of("adder8", pe, "resources-ecp5-25k", "quick")  # it takes no effort of the tier
    assert fingerprint.of("adder8", pe, "mutation", "full") != fingerprint.of("adder8", pe, "mutation", "quick")
    proof = fingerprint.of("adder8", pe, "proof", "full")
    monkeypatch.setattr(baseline, "accepted", lambda: {"adder8": {"ecp5-25k": {"lut": 1}}})
    assert of != fingerprint.of("adder8", pe, "resources-ecp5-25k", "full")
    assert proof == fingerprint.of("adder8", pe, "proof", "full")


def test_a_fingerprint_counts_what_is_imported_and_nothing_else() -> None:
    names = {path.name for path in fingerprint._sources(["rtl.pe.adder", "flows.verify.fpga"], set())}
    assert {"adder.py", "component.py", "element.py", "fpga.py", "checks.py"} <= names
    assert not names & {"catalog.py", "shift.py", "mutation.py", "formal.py"}


def test_a_fingerprint_leaves_out_what_another_kind_of_pe_is_driven_with(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("adder8", "psg4x6", "e4m3_mac")
    before = {name: fingerprint.of(name, find(name), "gate", "quick") for name in names}
    meaning = fingerprint._meaning
    monkeypatch.setattr(fingerprint, "_meaning", lambda path: meaning(path) + "x" * (path.stem == "sign_stimulus"))
    changed = {name for name in names if fingerprint.of(name, find(name), "gate", "quick") != before[name]}
    assert changed == {"psg4x6"}


def test_comments_and_docstrings_do_not_count(tmp_path: Path) -> None:
    sources = ['"""One."""\n\n\ndef f() -> int:\n    """Two."""\n    return 1\n', "def f() -> int:\n    return 1  # three\n",
               "def f() -> int:\n    return 2\n"]  # fmt: skip
    paths = [tmp_path / f"{index}.py" for index in range(3)]
    for path, source in zip(paths, sources, strict=True):
        path.write_text(source)
    first, second, third = (fingerprint._meaning(path) for path in paths)
    assert first == second != third


def test_what_crashes_has_failed_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(one: plan.Task) -> plan.Result:
        if one.check == "gate":
            raise ZeroDivisionError("division by zero")
        return plan.Result(one.name, one.check, True, "fine", 0, 0, "x")

    monkeypatch.setattr(plan, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(plan, "execute", execute)
    results = list(plan.run([task(tmp_path, "gate"), task(tmp_path)], 1, fresh=False))
    assert {(result.check, result.passed, result.detail) for result in results} == {
        ("gate", False, "ZeroDivisionError: division by zero"), ("proof", True, "fine")}  # fmt: skip


def test_only_a_pass_on_the_same_fingerprint_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = plan.Result("matadd2_sat", "proof", True, "old", 0, 0, "stale")
    plan.seal([task(tmp_path)], [passed])
    monkeypatch.setattr(plan, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(plan, "execute", lambda one: plan.Result(one.name, one.check, True, "new", 0, 0, "x"))

    def seen(**changes: Any) -> list[str]:
        return [result.detail for result in plan.run([task(tmp_path, **changes)], 1, fresh=False)]

    assert seen() == ["old"]
    assert seen(update=True) == ["new"]
    monkeypatch.setattr(fingerprint, "of", lambda *arguments: "other sources")
    assert seen() == ["new"]
