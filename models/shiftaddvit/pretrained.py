"""Pretrained weights: state dicts of PVTv2 and DeiT as timm names them, into the networks of `models.zoo`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from models import checkpoint

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
        If the file cannot be read so, or its tensors are not those of the network by name, shape and type.
    """
    given = checkpoint.state_dict(Path(path))
    if "cls_token" in given:
        given = _renamed(given, TIMM_VIT)
    elif any(name.startswith("patch_embed.") for name in given):
        given = _renamed(given, TIMM)
    checkpoint.restore(network, given, Path(path), besides=None if classifier else "head.")


def _renamed(given: Mapping[str, Tensor], rules: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    result = {}
    for name, value in given.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        result[name] = value
    return result
