"""Optimizer steps: operators on lists of tensors, one operator per tensor.

The foreach forms are elementwise operators on lists. The fused forms are counted from their formulas; a loop over
parameters makes the same elementwise operators one by one.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Cost, Rule, aligned, cost, function
from hwsim.trace.records import Record, refs

_FOREACH = "aten::_foreach_"
_FUSED = "aten::_fused_"
_SCALED = "aten::_amp_foreach_"


def elements(record: Record) -> list[Record]:
    """Split an operator on lists into one record per tensor, named like the operator on one tensor."""
    count = _length(record) if record.operator.startswith((_FOREACH, _FUSED, _SCALED)) else 0
    if not count:
        return [record]
    operator = record.operator.replace(_FOREACH, "aten::").replace(_SCALED, "aten::_amp_")
    return [record.part(index, operator, count) for index in range(count)]


def _length(record: Record) -> int:
    lists = (value for value in record.arguments.values() if isinstance(value, tuple))
    return max((len(list(refs(value))) for value in lists), default=0)


def _adam(call: Call) -> Cost:
    """First moment: 2 sums, 1 product. Second: 1, 3. Root, scaled, plus epsilon. Scaled ratio, subtracted."""
    decay = 1 if call["weight_decay"] else 0
    coupled = decay if call.record.operator == "aten::_fused_adam_" else 0  # added to the gradient
    largest = 1 if call["amsgrad"] else 0
    return function(2, add=5 + coupled + largest, mult=7 + decay)


def _sgd(call: Call) -> Cost:
    decay, momentum, dampening, nesterov = (
        1 if call[name] else 0 for name in ("weight_decay", "momentum", "dampening", "nesterov")
    )
    return cost(add=1 + decay + momentum + nesterov, mult=1 + decay + momentum + dampening + nesterov)


def _adagrad(call: Call) -> Cost:
    """Square, summed. Root, plus epsilon. Scaled ratio, subtracted."""
    decay = 1 if call["weight_decay"] else 0
    return function(2, add=3 + decay, mult=3 + decay)


RULES: Mapping[str, Rule] = {
    "aten::_fused_adam": aligned(_adam),
    "aten::_fused_adamw": aligned(_adam),
    "aten::_fused_sgd": aligned(_sgd),
    "aten::_fused_adagrad": aligned(_adagrad),
    "aten::_amp_non_finite_check_and_unscale": aligned(cost(add=1, mult=1)),
    "aten::_amp_update_scale": aligned(cost(add=1, mult=1)),
}
