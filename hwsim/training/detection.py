"""Facts that PyTorch's own techniques leave on modules: masks of ``torch.nn.utils.prune``, bits of ``torch.ao``."""

from __future__ import annotations

import math
from typing import Any

import torch

from hwsim.training.annotation import annotate

_QUANTIZERS = (("weight_fake_quant", "weights"), ("activation_post_process", "activations"))


class Detection:
    """Looks for masks and fake quantisers on modules, and annotates what has changed since the last look."""

    def __init__(self) -> None:
        self._seen: dict[tuple[torch.nn.Module, str], object] = {}
        self._masked: set[torch.nn.Module] = set()

    def look(self, modules: list[torch.nn.Module]) -> None:
        """Annotate masked and quantised ``modules``; costs a look at two dictionaries for all others."""
        for module in modules:
            if module._buffers and (mask := module._buffers.get("weight_mask")) is not None:
                self._masked.add(module)
                self._once(module, "density", (id(mask), mask._version), lambda mask=mask: _density(mask))
            if module._modules:
                self._quantized(module)
        for module in [one for one in self._masked if "weight_mask" not in one._buffers]:
            self._masked.remove(module)  # prune.remove: nothing holds the zeros now
            self._seen.pop((module, "density"))
            annotate(module, density=None)

    def _quantized(self, module: torch.nn.Module) -> None:
        for child, fact in _QUANTIZERS:
            quantizer = module._modules.get(child)
            if quantizer is not None and hasattr(quantizer, "fake_quant_enabled"):
                enabled = quantizer.fake_quant_enabled
                state = (quantizer.quant_min, quantizer.quant_max, id(enabled), enabled._version)
                self._once(module, fact, state, lambda quantizer=quantizer: _bits(quantizer))

    def _once(self, module: torch.nn.Module, fact: str, state: object, value: Any) -> None:
        if self._seen.get((module, fact)) != state:
            self._seen[module, fact] = state
            annotate(module, **{fact: value()})


def _density(words: Any) -> float:
    """Share of non-zeros; one word where there is none, since a density is more than zero."""
    return max(int(torch.count_nonzero(words)), 1) / max(int(words.numel()), 1)


def _bits(quantizer: Any) -> int | None:
    """Bits that hold the codes; None while the quantiser is switched off."""
    if not bool(quantizer.fake_quant_enabled.any()):
        return None
    return max(1, math.ceil(math.log2(quantizer.quant_max - quantizer.quant_min + 1)))
