"""Files of weights: tensors and numbers alone, so that reading one runs no code of its author."""

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

FORMAT = "hwsim/checkpoint/2"
WRAPPERS = ("model", "state_dict")
"""Entries of a checkpoint that hold the state dict, beside the state dict itself."""


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint of a training, wholly or not at all."""
    stream = io.BytesIO()
    torch.save({"format": FORMAT, **content}, stream)
    write_bytes(path, stream.getvalue())


def load(path: Path, *entries: str) -> dict[str, Any]:
    """Return what `save` has written.

    Parameters
    ----------
    entries
        That must be there.

    Raises
    ------
    InputError
        If the file cannot be read, is of another format, or lacks an entry.
    """
    content = read(path)
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise InputError(f"must be {FORMAT}", file=path, field="format", value=found)
    for entry in entries:
        if entry not in content:
            raise InputError("must be in the file", file=path, field=entry)
    return dict(content)


def read(path: Path) -> Any:
    """Return the content of a file of `torch.save`, on the CPU.

    Raises
    ------
    InputError
        If there is no such file, or it holds anything but tensors, numbers, texts and collections of them.
    """
    if not path.is_file():
        raise InputError("cannot be read: no such file", file=path)
    rule = "must be a file of torch.save that holds tensors and numbers alone"
    if not zipfile.is_zipfile(path):
        raise InputError(rule, file=path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise InputError(rule, file=path) from error


def state_dict(path: Path) -> Mapping[str, Tensor]:
    """Return the weights in a file by name: a state dict, or a checkpoint with one as `WRAPPERS` say.

    Raises
    ------
    InputError
        If the file cannot be read, or holds none.
    """
    content = read(path)
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError("must hold a state dict", file=path, value=type(content).__name__)
    return content


def restore(network: nn.Module, weights: Mapping[str, Tensor], path: Path, *, besides: str | None = None) -> None:
    """Load weights into a network.

    Parameters
    ----------
    path
        Where they come from, for messages.
    besides
        What names of weights begin with that the network keeps.

    Raises
    ------
    InputError
        If a weight is missing, not the network's, or of another shape or type.
    """
    own, given = (
        {name: value for name, value in state.items() if besides is None or not name.startswith(besides)}
        for state in (network.state_dict(), weights)
    )
    for name in sorted(own.keys() | given.keys()):
        if name not in own or name not in given:
            raise InputError(f"must be in the {'network' if name in given else 'file'}", file=path, field=name)
        for rule in ("shape", "dtype"):
            found, wanted = (_plain(getattr(state[name], rule)) for state in (given, own))
            if found != wanted:
                raise InputError(f"must have the {rule} {wanted}", file=path, field=name, value=found)
    network.load_state_dict(given, strict=False)


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, torch.Size) else str(value)
