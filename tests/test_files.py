"""Atomic writing: either the old or the whole new content, never a part."""

import os

import pytest

from hwsim import HwsimError
from hwsim.files import write_text


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "deep" / "a.json"
    assert write_text(path, "one") == path
    write_text(path, "two")
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["a.json"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        assert write_text(tmp_path / "a", "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HwsimError, match=r"^cannot write .*/file/a\.json: (not a directory|file exists)$"):
        write_text(tmp_path / "file" / "a.json", "x")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_keeps_the_old_content(tmp_path, monkeypatch, error):
    path = write_text(tmp_path / "a.json", "old")

    def interrupted(*_):
        raise error

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises((KeyboardInterrupt, HwsimError)):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]
