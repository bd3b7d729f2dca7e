"""Every page of the documentation runs: files are written, commands and Python blocks are executed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command, folder, stated):
    """Run a command of a page; if the page states an error, that is what must come out."""
    environment = os.environ | {"COLUMNS": "120"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if stated and stated[0].startswith("error:"):
        assert done.returncode == 1
        assert done.stderr.splitlines() == stated
    else:
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        for line in stated:
            assert line in done.stdout.splitlines(), f"{command} does not print {line!r}:\n{done.stdout}"


def commands(text):
    """Lines that start with ``$ `` with the output that follows each."""
    for part in text.split("$ ")[1:]:
        first, *stated = part.rstrip("\n").split("\n")
        yield shlex.split(first), stated


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_page_runs(page, tmp_path):
    blocks = BLOCK.findall(page.read_text())
    for language, text in blocks:
        if language == "yaml" or (language == "python" and text.startswith("# file: ")):
            (tmp_path / re.match(r"# file: (\S+)", text)[1]).write_text(text)
        elif language == "csv":  # a table has no comments
            name, _, table = text.partition("\n")
            (tmp_path / name.removeprefix("# file: ")).write_text(table)
    for language, text in blocks:
        if language == "console":
            for command, stated in commands(text):
                assert command[0] in {"hwsim", "make"}, command
                if command[0] == "hwsim":
                    run([sys.executable, "-m", "hwsim.cli.main", *command[1:]], tmp_path, stated)
        elif language == "python" and not text.startswith("# file: "):
            run([sys.executable, "-W", "error", "-c", text], tmp_path, [])
        else:
            assert language in {"yaml", "csv", "python"}, f"{page.name}: {language} blocks are not run"
