"""The host's side of a step: a GPU runs behind it, so a step takes as long as the slower of the two."""

from __future__ import annotations

from hwsim.gpu.behaviour import HostWork
from hwsim.gpu.kernels import Kernels, Part

_OVERLAP = 8.0
"""Exponent of the norm that joins device and host; with infinity, the slower of the two."""


def joined_s(device_s: float, host_s: float) -> float:
    """Time of a step whose kernels take ``device_s`` and its host ``host_s``: somewhat more than the slower's."""
    slower, faster = max(device_s, host_s), min(device_s, host_s)
    if not slower:
        return 0.0
    return float(slower * (1 + (faster / slower) ** _OVERLAP) ** (1 / _OVERLAP))


def launch_s(work: HostWork, part: Part, *, training: bool) -> float:
    """Time to launch an operator of ``part`` of a step, which has a backward pass if it is of a ``training``."""
    forward_s = work.forward_s if training else work.inference_s
    return {"forward": forward_s, "backward": work.backward_s, "optimizer": work.optimizer_s}[part]


def step_host_s(work: HostWork, kernels: Kernels) -> float:
    """Time to launch a step of ``kernels``."""
    parts: tuple[Part, ...] = ("forward", "backward", "optimizer")
    launched = kernels.count * (kernels.launched & ~kernels.is_inner)
    training = bool((kernels.part == "backward").any())
    by_part = (launch_s(work, part, training=training) * float(launched[kernels.part == part].sum()) for part in parts)
    return work.step_s + sum(by_part)
