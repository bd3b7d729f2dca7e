"""Tools and interrupts: nothing that was started goes on alone."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.verify import tools

LISTENS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
"""
ALONE = """
import sys
from pathlib import Path
from flows.verify import tools
tools.run(["sleep", "100"], Path(sys.argv[1]), "log")
"""
SIDE_BY_SIDE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from flows.verify import tools
with ThreadPoolExecutor(2) as pool, tools.ended_together():
    list(pool.map(lambda n: tools.run(["sleep", "100"], Path(sys.argv[1]), f"log{n}"), range(4)))
"""


@pytest.mark.parametrize(("script", "started"), [(ALONE, 1), (SIDE_BY_SIDE, 2)])
def test_an_interrupt_ends_what_was_started(script, started, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENS + script, str(tmp_path)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    while len(list(tmp_path.iterdir())) < started or _group(process.pid) < 1 + started:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() != 0
    assert _group(process.pid) == 0


def test_a_failed_tool_ends_those_beside_it(tmp_path):
    def both():
        with ThreadPoolExecutor(2) as pool, tools.ended_together():
            list(pool.map(lambda name: tools.run(name.split(), tmp_path, name), ("false", "sleep 100")))

    with pytest.raises(tools.ToolError, match=r"^false ended with status 1"):
        both()


def _group(leader):
    """How many processes of a session still run."""
    found = subprocess.run(["ps", "-o", "stat=", "-s", str(leader)], capture_output=True, text=True, check=False)
    return len([line for line in found.stdout.split() if not line.startswith("Z")])
