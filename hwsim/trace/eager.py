"""What is compiled runs eagerly while it is traced."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

import torch


def eager() -> AbstractContextManager[object]:
    """Return a context in which modules and functions given to ``torch.compile`` run uncompiled.

    A dispatch mode alone would have the same effect, but for good: what the compiler once had to skip stays so.
    """
    compiles = "torch._dynamo" in sys.modules  # else nothing has been compiled, and importing it takes a second
    return torch.compiler.set_stance("force_eager") if compiles else nullcontext()
