"""Facts that modules show: their own ``hwsim_facts``, masks of ``torch.nn.utils.prune``, bits of ``torch.ao``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.fx import GraphModule

from hwsim.training.annotation import annotate

_QUANTIZERS = (("weight_fake_quant", "weights"), ("activation_post_process", "activations"))


class Detection:
    """Looks for what modules show, and annotates what has changed since the last look."""

    def __init__(self) -> None:
        self._seen: dict[tuple[torch.nn.Module, str], object] = {}
        self._masked: set[torch.nn.Module] = set()
        self._told: dict[torch.nn.Module, Mapping[str, Any]] = {}
        self._modules: Sequence[torch.nn.Module] = ()
        self._between: list[tuple[torch.nn.Module, torch.nn.Module]] = []

    def look(self, modules: Sequence[torch.nn.Module]) -> None:
        """Annotate ``modules`` that show facts; costs a look at two dictionaries and the class for all others."""
        if modules is not self._modules:
            self._modules = modules
            self._between = [pair for module in modules if isinstance(module, GraphModule) for pair in _between(module)]
        for module in modules:
            if module._buffers and (mask := module._buffers.get("weight_mask")) is not None:
                self._masked.add(module)
                self._once(module, "density", (id(mask), mask._version), lambda mask=mask: _density(mask))
            if module._modules:
                for child, fact in _QUANTIZERS:
                    self._quantized(module, fact, module._modules.get(child))
            if hasattr(type(module), "hwsim_facts"):
                self._asked(module)
        for module, quantizer in self._between:
            self._quantized(module, "activations", quantizer)
        for module in [one for one in self._masked if "weight_mask" not in one._buffers]:
            self._masked.remove(module)  # prune.remove: nothing holds the zeros now
            self._seen.pop((module, "density"))
            annotate(module, density=None)

    def _asked(self, module: Any) -> None:
        facts, before = module.hwsim_facts(), self._told.get(module, {})
        if facts != before:
            self._told[module] = facts
            annotate(module, **{**dict.fromkeys(before), **facts})

    def _quantized(self, module: torch.nn.Module, fact: str, quantizer: Any) -> None:
        if quantizer is not None and hasattr(quantizer, "fake_quant_enabled"):
            enabled = quantizer.fake_quant_enabled
            state = (quantizer.quant_min, quantizer.quant_max, id(enabled), enabled._version)
            self._once(module, fact, state, lambda: _bits(quantizer))

    def _once(self, module: torch.nn.Module, fact: str, state: object, value: Any) -> None:
        if self._seen.get((module, fact)) != state:
            self._seen[module, fact] = state
            annotate(module, **{fact: value()})


def _between(graph: GraphModule) -> Iterator[tuple[torch.nn.Module, torch.nn.Module]]:
    """Yield modules with the fake quantiser that ``prepare_qat_fx`` has put before them."""
    modules = dict(graph.named_modules())
    for node in graph.graph.nodes:
        if node.op == "call_module" and hasattr(modules[node.target], "fake_quant_enabled"):
            for user in node.users:
                if user.op == "call_module":
                    yield modules[user.target], modules[node.target]


def _density(words: Any) -> float:
    """Share of non-zeros; one word where there is none, since a density is more than zero."""
    return max(int(torch.count_nonzero(words)), 1) / max(int(words.numel()), 1)


def _bits(quantizer: Any) -> int | None:
    """Bits of the codes, with the one that ``reduce_range`` leaves unused; None while the quantiser is off."""
    if not bool(quantizer.fake_quant_enabled.any()):
        return None
    codes = quantizer.quant_max - quantizer.quant_min + 1
    unused = bool(getattr(getattr(quantizer, "activation_post_process", None), "reduce_range", False))
    return max(1, math.ceil(math.log2(codes))) + unused
