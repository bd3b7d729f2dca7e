"""What the scripts of this package have in common: how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hwsim.errors import HwsimError

INTERRUPTED = 130


@contextmanager
def one_line() -> Iterator[None]:
    """End the program with one line, not a traceback, where its input is wrong or Ctrl-C stops it."""
    try:
        yield
    except HwsimError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was recorded is kept, the same command goes on\n")
        sys.exit(INTERRUPTED)
