"""Networks and data as the command line names them: ``FILE.py:FUNCTION``, ``PACKAGE.MODULE:FUNCTION``, or files."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from hwsim.errors import InputError
from models.checkpoint import restore, state_dict


def load_model(source: str, checkpoint: str | Path | None = None) -> nn.Module | ExportedProgram:
    """Return what a function makes, or the exported program in a ``.pt2`` file.

    Parameters
    ----------
    checkpoint
        File of weights: a state dict, or a training's checkpoint with one as ``model`` or ``state_dict``.

    Raises
    ------
    InputError
        If there is no such thing, or a weight in the file is missing, unknown, or of another shape or type.
    """
    if source.endswith(".pt2"):
        if checkpoint is not None:
            raise InputError("must be absent for an exported program", field="--checkpoint", value=str(checkpoint))
        return _exported(Path(source))
    model = _called(source, "MODEL")
    if not isinstance(model, nn.Module):
        raise InputError("must make a torch.nn.Module", field=source, value=type(model).__name__)
    if checkpoint is not None:
        restore(model, state_dict(Path(checkpoint)), Path(checkpoint))
    return model


def load_images(source: str) -> Tensor:
    """Return the array in a ``.npy`` file, or the tensor that a function makes, in float32.

    Raises
    ------
    InputError
        If there is no such thing.
    """
    if source.endswith(".npy"):
        _check_file(Path(source))
        try:
            images = torch.from_numpy(np.load(source, allow_pickle=False))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"cannot be read: {' '.join(str(error).split())}", file=source) from error
    else:
        images = _called(source, "--data")
    if not isinstance(images, Tensor) or images.ndim < 2:
        raise InputError("must be samples of images", field=source, value=type(images).__name__)
    return images.float()


def _called(source: str, field: str) -> Any:
    place, colon, name = source.rpartition(":")
    if not colon or not place:
        raise InputError("must be FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION", field=field, value=source)
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    function = getattr(module, name, None)
    if not callable(function):
        raise InputError("must name a function", field=field, value=source)
    return function()


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError("cannot be read: no such file", file=path)


def _file(path: Path) -> ModuleType:
    _check_file(path)
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise InputError("must be Python", file=path)
    module = importlib.util.module_from_spec(specification)
    sys.path.insert(0, str(path.resolve().parent))  # as `python FILE.py` does
    try:
        specification.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"cannot be imported: {error}", field="MODEL", value=name) from error


def _exported(path: Path) -> ExportedProgram:
    import torch.ao.quantization.fx._decomposed

    import models.layers  # noqa: F401 (they define the operators that the file may use)

    _check_file(path)
    try:
        return torch.export.load(path)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise InputError(f"cannot be read as an exported program: {' '.join(str(error).split())}", file=path) from error
