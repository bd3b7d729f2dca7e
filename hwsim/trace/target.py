"""What ``hwsim trace`` traces: a user's function that says what a step is, or a network by name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from hwsim.errors import InputError

NETWORKS = "hwsim.networks"
"""Group of entry points in which packages offer networks."""
_ARGUMENTS = ("model", "inputs", "loss", "optimizer")
_RETURN = "must return a dict or a tuple of model and inputs and, if it trains, loss and optimizer"


def load_target(target: str, *, batch: int | None = None, folder: Path = Path()) -> dict[str, Any]:
    """Return what ``target`` says a step is, as arguments of `hwsim.trace`.

    Parameters
    ----------
    target
        ``FILE.py:FUNCTION`` or ``PACKAGE.MODULE:FUNCTION``. The function takes no arguments and returns a dict with
        ``model`` and ``inputs`` and, for a training step, ``loss`` and ``optimizer``, or a tuple of two to four of them
        in this order. The file's folder is importable while it runs. Or the name of a network that an installed
        package offers in an entry point of the group ``hwsim.networks``, a mapping of names to functions of ``batch``.
    batch
        Samples, for a network by name; 1 unless given.
    folder
        Where files and packages are looked for first.

    Raises
    ------
    InputError
        If there is no such file, module, function or network, or the function returns anything else. Errors of the
        user's code pass.
    """
    name, colon, function = target.rpartition(":")
    if not colon:
        return _network(target, 1 if batch is None else batch)
    if not name or not function:
        rule = "must be FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION or a network's name"
        raise InputError(rule, field="target", value=target)
    if batch is not None:
        raise InputError("is for networks by name: others have inputs of their own", field="batch", value=batch)
    if not name.endswith(".py"):
        with _first_in_path(folder):
            module = _module(name)
            return _checked(_function(module, function, Path(name)), Path(name), f"{function}()")
    path = folder / name
    if not path.is_file():
        raise InputError("does not exist" if not path.exists() else "is not a file", file=path)
    with _imported(path) as module:
        return _checked(_function(module, function, path), path, f"{function}()")


def _network(name: str, batch: int) -> dict[str, Any]:
    offered = {key: make for point in entry_points(group=NETWORKS) for key, make in point.load().items()}
    if name not in offered:
        known = ", ".join(sorted(offered)) or "none"
        rule = f"must be FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION or one of the networks, which are {known}"
        raise InputError(rule, field="target", value=name)
    return _checked(partial(offered[name], batch), Path(name), f"of {batch}")


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise InputError("must be a module that can be imported", field="target", value=name) from error
        raise


@contextmanager
def _first_in_path(folder: Path) -> Iterator[None]:
    search = list(sys.path)
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path[:] = search


@contextmanager
def _imported(path: Path) -> Iterator[ModuleType]:
    """Import a file; its folder comes first in the search path, and its module is known by its name, until the end."""
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise InputError("cannot be imported", file=path)
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        with _first_in_path(path.parent):
            spec.loader.exec_module(module)
            yield module
    finally:
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


def _checked(function: Callable[[], Any], path: Path, field: str) -> dict[str, Any]:
    returned = function()
    if isinstance(returned, tuple) and 2 <= len(returned) <= len(_ARGUMENTS):
        returned = dict(zip(_ARGUMENTS, returned, strict=False))
    if not isinstance(returned, dict) or not {"model", "inputs"} <= returned.keys() <= set(_ARGUMENTS):
        value = sorted(map(str, returned)) if isinstance(returned, dict) else returned
        raise InputError(_RETURN, file=path, field=field, value=value)
    if not isinstance(returned["model"], nn.Module):
        raise InputError("model must be a torch.nn.Module", file=path, field=field, value=returned["model"])
    return returned
