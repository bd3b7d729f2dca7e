"""hwsim: what a deep-learning workload costs in energy, time and silicon, and why.

The names below load what they need when first used, so that ``import hwsim`` is fast and needs no PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwsim.cost.result import Result, Results
    from hwsim.errors import HwsimError, InputError
    from hwsim.mapper import map_operator as map
    from hwsim.scoring import score
    from hwsim.trace import trace
    from hwsim.training import TrainingRun, annotate, record
    from hwsim.workload import Operator, Workload

__version__ = "0.1.0"

_HOME = {
    "HwsimError": ("hwsim.errors", "HwsimError"),
    "InputError": ("hwsim.errors", "InputError"),
    "Operator": ("hwsim.workload", "Operator"),
    "Result": ("hwsim.cost.result", "Result"),
    "Results": ("hwsim.cost.result", "Results"),
    "TrainingRun": ("hwsim.training", "TrainingRun"),
    "Workload": ("hwsim.workload", "Workload"),
    "annotate": ("hwsim.training.annotation", "annotate"),
    "map": ("hwsim.mapper", "map_operator"),
    "record": ("hwsim.training", "record"),
    "score": ("hwsim.scoring", "score"),
}

__all__ = [
    "HwsimError", "InputError", "Operator", "Result", "Results", "TrainingRun", "Workload", "annotate", "map", "record",
    "score", "trace",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "trace":  # a package that can be called; see hwsim.trace
        return importlib.import_module("hwsim.trace")
    if name in _HOME:
        module, attribute = _HOME[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'hwsim' has no attribute {name!r}")
