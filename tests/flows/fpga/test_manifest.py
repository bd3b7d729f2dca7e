"""A build directory is whole or absent."""

import pytest

from flows.fpga import manifest
from hwsim.errors import HwsimError, InputError

FILES = {"a": b"1", "b": b"2"}


def test_equal_files_have_equal_digests(tmp_path):
    first = manifest.save(tmp_path / "x", "icebreaker", FILES)
    assert manifest.save(tmp_path / "y", "icebreaker", dict(reversed(FILES.items()))) == first
    assert manifest.save(tmp_path / "z", "icebreaker", FILES | {"b": b"3"}) != first
    assert manifest.load(tmp_path / "x").digest == first
    assert (tmp_path / "x" / "manifest.json").read_bytes() == (tmp_path / "y" / "manifest.json").read_bytes()


def test_an_interrupted_build_leaves_what_was_there(tmp_path, monkeypatch):
    old = manifest.save(tmp_path / "x", "icebreaker", FILES)
    write = manifest.write_bytes

    def interrupted(path, content):
        if path.name == "b":
            raise KeyboardInterrupt
        return write(path, content)

    monkeypatch.setattr(manifest, "write_bytes", interrupted)
    for name in ("x", "y"):
        with pytest.raises(KeyboardInterrupt):
            manifest.save(tmp_path / name, "icebreaker", FILES | {"a": b"5"})
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert manifest.load(tmp_path / "x").digest == old


def test_a_directory_without_its_manifest_is_no_build(tmp_path):
    manifest.save(tmp_path / "x", "icebreaker", FILES)
    (tmp_path / "x" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"x: must be a complete build: it has no manifest.json$"):
        manifest.load(tmp_path / "x")
    with pytest.raises(InputError, match=r"x: must be empty, absent or an earlier build$"):
        manifest.save(tmp_path / "x", "icebreaker", FILES)


@pytest.mark.parametrize(("change", "message"), [("alter", "is not as it was built"), ("remove", "is missing")])
def test_a_changed_file_is_found(tmp_path, change, message):
    manifest.save(tmp_path, "icebreaker", FILES)
    if change == "alter":
        (tmp_path / "a").write_bytes(b"9")
    else:
        (tmp_path / "a").unlink()
    with pytest.raises(InputError, match=message):
        manifest.load(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HwsimError, match=r"^cannot write .*file/x: (not a directory|file exists)$"):
        manifest.save(tmp_path / "file" / "x", "icebreaker", FILES)
