"""Pretrained weights: state dicts of PVTv2 and DeiT as timm names them, into the networks of `models.zoo`."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hwsim.errors import InputError

TIMM = (
    (r"^patch_embed\.(proj|norm)\.", r"stages.0.patch_embed.\1."),
    (r"\.(?:patch_embed|downsample)\.proj\.", ".patches."),
    (r"\.(?:patch_embed|downsample)\.norm\.", ".patch_norm."),
    (r"\.attn\.q\.", ".attention.query."),
    (r"\.attn\.kv\.", ".attention.key_value."),
    (r"\.attn\.sr\.", ".attention.shrink."),
    (r"\.attn\.proj\.", ".attention.out."),
    (r"\.attn\.", ".attention."),
    (r"\.dwconv\.", ".depthwise."),
)
"""What to replace in timm's names of PVTv2, in turn."""

TIMM_VIT = (
    (r"^cls_token$", "class_token"),
    (r"^pos_embed$", "positions"),
    (r"^patch_embed\.proj\.", "patches."),
    (r"\.attn\.proj\.", ".attention.out."),
    (r"\.attn\.", ".attention."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
)
"""The same of DeiT."""

WRAPPERS = ("model", "state_dict")
"""Entries of a checkpoint that hold the state dict, beside the state dict itself."""


def load_pretrained(network: nn.Module, path: str | Path, *, classifier: bool = True) -> None:
    """Give ``network`` the weights of a checkpoint with timm's names, or its own.

    Parameters
    ----------
    network
        A PVTv2 or VisionTransformer of `models.zoo`, or what `reparametrise` has made of one and saved.
    path
        A file of `torch.save`; it is read with ``weights_only``.
    classifier
        False: leave the network's own classifier, for other classes.

    Raises
    ------
    InputError
        If the file cannot be read so, or its tensors are not those of the network by name and shape.
    """
    given = _state_dict(Path(path))
    if "cls_token" in given:
        given = _renamed(given, TIMM_VIT)
    elif any(name.startswith("patch_embed.") for name in given):
        given = _renamed(given, TIMM)
    own = network.state_dict()
    if not classifier:
        given = {name: value for name, value in given.items() if not name.startswith("head.")}
        own = {name: value for name, value in own.items() if not name.startswith("head.")}
    for name in sorted(own.keys() | given.keys()):
        if name not in own or name not in given:
            rule = "must be in the network" if name in given else "must be in the file"
            raise InputError(rule, file=str(path), field=name)
        if given[name].shape != own[name].shape:
            rule = f"must have the shape {tuple(own[name].shape)}"
            raise InputError(rule, file=str(path), field=name, value=tuple(given[name].shape))
    network.load_state_dict(given, strict=False)


def _state_dict(path: Path) -> Mapping[str, Tensor]:
    rule = "must be a file of torch.save that holds tensors alone"
    try:
        if not zipfile.is_zipfile(path) and path.stat():
            raise InputError(rule, file=str(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise InputError(rule, file=str(path)) from error
    for wrapper in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError("must hold a state dict", file=str(path), value=type(loaded).__name__)
    return loaded


def _renamed(given: Mapping[str, Tensor], rules: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    result = {}
    for name, value in given.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        result[name] = value
    return result
