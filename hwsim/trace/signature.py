"""Binding of ATen calls to their schemas, and what a call really writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hwsim.trace.collectives import WRITES

_RUNNING_STATISTICS = ("running_mean", "running_var")
_CONSTANTS = frozenset({"aten::lift_fresh", "aten::lift_fresh_copy"})
_BATCH_NORMS = frozenset({"aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::miopen_batch_norm"})


@dataclass(frozen=True, slots=True)
class Signature:
    """Names, defaults and annotated writes of one operator overload, and whether it returns a view."""

    operator: str
    names: tuple[str, ...]
    defaults: dict[str, Any]
    annotated: tuple[str, ...]
    view: bool = False

    @classmethod
    def of(cls, function: torch._ops.OpOverload) -> Signature:
        """Read the schema of ``function``; what makes a tensor of Python numbers has no arguments.

        What only turns a tensor into another view of itself, such as ``transpose_``, writes no value.
        """
        schema = function._schema
        in_place_view = torch.Tag.inplace_view in function.tags
        if schema.name in _CONSTANTS:
            return cls(schema.name, (), {}, ())
        return cls(
            operator=schema.name,
            names=tuple(argument.name for argument in schema.arguments),
            defaults={a.name: a.default_value for a in schema.arguments if a.has_default_value()},
            annotated=() if in_place_view else WRITES.get(schema.name) or tuple(
                a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write
            ),
            view=function.is_view,
        )  # fmt: skip

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return every argument by name, in the order of the schema."""
        given = dict(zip(self.names, args, strict=False)) | kwargs
        return {name: given[name] if name in given else self.defaults[name] for name in self.names}

    def writes(self, arguments: dict[str, Any]) -> tuple[str, ...]:
        """Return the names of the arguments that the call writes.

        The schemas are wrong in two places: batch normalisation updates its running statistics unannounced, and
        the fused optimizers announce a write of the gradients that they do only to unscale them.
        """
        if self.operator in _BATCH_NORMS and arguments["training"]:
            return tuple(name for name in _RUNNING_STATISTICS if arguments[name] is not None)
        if self.operator.startswith("aten::_fused_") and arguments.get("grad_scale") is None:
            return tuple(name for name in self.annotated if name != "grads")
        return self.annotated
