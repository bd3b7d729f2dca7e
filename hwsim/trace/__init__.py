"""PyTorch to workload: one step as operators with phases, module paths and true data dependences.

The module itself can be called: ``hwsim.trace(model, inputs)`` is `hwsim.trace.step.trace`.
"""

import sys
from types import ModuleType
from typing import Any

from hwsim.trace.capture import StepCapture
from hwsim.trace.closure import Closure
from hwsim.trace.step import capture_step, trace
from hwsim.workload import Workload

__all__ = ["Closure", "StepCapture", "capture_step", "trace"]


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Workload:
        return trace(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
