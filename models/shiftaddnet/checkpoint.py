"""Checkpoints: tensors and numbers alone, so that loading one runs no code of its author."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hwsim.errors import InputError
from hwsim.files import write_bytes

FORMAT = "hwsim/checkpoint/1"


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, wholly or not at all."""
    stream = io.BytesIO()
    torch.save({"format": FORMAT, **content}, stream)
    write_bytes(path, stream.getvalue())


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises
    ------
    InputError
        If the file is missing, is no checkpoint of tensors, or of another format.
    """
    if not path.is_file():
        raise InputError("cannot be read: no such file", file=path)
    rule = "must be a checkpoint that holds tensors and numbers alone"
    if not zipfile.is_zipfile(path):
        raise InputError(rule, file=path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise InputError(rule, file=path) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"must be {FORMAT}", file=path, field="format", value=found)
    return content


def restore(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a network.

    Raises
    ------
    InputError
        If a weight is missing, not the network's, or of another shape or type.
    """
    own = model.state_dict()
    for name in own.keys() | weights.keys():
        if name not in weights:
            raise InputError("weight is required", file=path, field=name)
        if name not in own:
            raise InputError("weight is not the network's", file=path, field=name)
        for rule in ("shape", "dtype"):
            found, wanted = getattr(weights[name], rule), getattr(own[name], rule)
            if found != wanted:
                raise InputError(f"must have the {rule} {_plain(wanted)}", file=path, field=name, value=_plain(found))
    model.load_state_dict(weights)


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, torch.Size) else str(value)
