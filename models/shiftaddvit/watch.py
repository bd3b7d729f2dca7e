"""What the modules of a network are given when it is in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def watch(network: nn.Module, images: Tensor, before: Callable[[nn.Module, tuple[Any, ...]], None]) -> None:
    """Pass ``images`` through ``network`` in evaluation mode; ``before`` sees what each module is given."""
    hooks = [module.register_forward_pre_hook(before) for module in network.modules()]
    training = network.training
    network.eval()
    try:
        network(images)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
