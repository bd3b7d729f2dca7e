"""The networks that ShiftAddViT prices, traced from our own modules."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from hwsim.trace import trace
from hwsim.workload import Workload
from models.shiftaddvit import reparametrise, set_shares
from models.shiftaddvit.hardware import multiplied, priced_by_paper
from models.shiftaddvit.reparametrise import Linears
from models.zoo.pvt import pvt_v2_b0

BASELINE, OTHERS = "all multiply", ("add", "shift, add", "50 % shifted, add", "60 % shifted, add")


def traced() -> Workload:
    """Return an image of PVTv2-B0 with attention that adds, whole."""
    return _trace(pvt_v2_b0(), "multiply", None)


def networks(whole: Workload) -> Mapping[str, Workload]:
    """Return what the paper prices of PVTv2-B0, by what does its products; the first is the baseline.

    Parameters
    ----------
    whole
        The network of `traced`.
    """
    baseline, added = pvt_v2_b0(), priced_by_paper(whole)
    shifted = (_trace(baseline, "shift", None), *(_trace(baseline, "mixture", share) for share in (0.5, 0.6)))
    works = (multiplied(added), added, *map(priced_by_paper, shifted))
    return dict(zip((BASELINE, *OTHERS), works, strict=True))


def _trace(baseline: nn.Module, linears: Linears, shifted: float | None) -> Workload:
    network = reparametrise(baseline, attention="hash", linears=linears).eval()
    set_shares(network, shifted)
    return trace(network, torch.zeros(1, 3, 224, 224), name="PVTv2-B0")
