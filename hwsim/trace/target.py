"""What ``hwsim trace`` traces: a function in a user's file that says what a step is."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from hwsim.errors import InputError

_ARGUMENTS = ("model", "inputs", "loss", "optimizer")
_RETURN = "must return a dict or a tuple of model and inputs and, if it trains, loss and optimizer"


def load_target(target: str) -> dict[str, Any]:
    """Call the function that ``target`` names and return what it returned as arguments of `hwsim.trace`.

    Parameters
    ----------
    target
        ``FILE.py:FUNCTION``. The function takes no arguments and returns a dict with ``model`` and ``inputs`` and, for
        a training step, ``loss`` and ``optimizer``, or a tuple of two to four of them in this order. The file's
        folder is importable while it runs.

    Raises
    ------
    InputError
        If there is no such file or function, or the function returns anything else. Errors of the user's code pass.
    """
    name, _, function = target.rpartition(":")
    if not name.endswith(".py") or not function:
        raise InputError("must be FILE.py:FUNCTION", field="target", value=target)
    path = Path(name)
    if not path.is_file():
        raise InputError("does not exist" if not path.exists() else "is not a file", file=path)
    with _imported(path) as module:
        return _checked(_function(module, function, path)(), path, f"{function}()")


@contextmanager
def _imported(path: Path) -> Iterator[ModuleType]:
    """Import a file; its folder comes first in the search path, and its module is known by its name, until the end."""
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise InputError("cannot be imported", file=path)
    module = importlib.util.module_from_spec(spec)
    before, search = sys.modules.get(name), list(sys.path)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path[:] = search
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def _function(module: ModuleType, name: str, path: Path) -> Any:
    own = sorted(key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_"))
    function = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"has no function {name}; it has {', '.join(own) or 'none'}", file=path)
    needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.kind < 2]
    if needed:
        raise InputError(f"must not need arguments; it needs {', '.join(needed)}", file=path, field=name)
    return function


def _checked(returned: Any, path: Path, field: str) -> dict[str, Any]:
    if isinstance(returned, tuple) and 2 <= len(returned) <= len(_ARGUMENTS):
        returned = dict(zip(_ARGUMENTS, returned, strict=False))
    if not isinstance(returned, dict) or not {"model", "inputs"} <= returned.keys() <= set(_ARGUMENTS):
        value = sorted(map(str, returned)) if isinstance(returned, dict) else returned
        raise InputError(_RETURN, file=path, field=field, value=value)
    if not isinstance(returned["model"], nn.Module):
        raise InputError("model must be a torch.nn.Module", file=path, field=field, value=returned["model"])
    return returned
