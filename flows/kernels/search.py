"""MetaSchedule's space of a kernel, sampled and timed, in the process that has TVM."""

from __future__ import annotations

import json
from typing import Any

from flows.kernels.kernel import Kernel, Shape
from flows.kernels.product import plain

REPEATS = 10


def applied(kernel: Kernel, shape: Shape, trace: list[Any]) -> Any:
    """Return the module that a trace schedules."""
    from tvm import s_tir

    sch = s_tir.Schedule(plain(kernel, shape))
    s_tir.schedule.Trace.apply_json_to_schedule(trace, sch)
    return sch.mod


def drawn(kernel: Kernel, shape: Shape, target: Any, seed: int) -> Any:
    """Return one schedule of the space, or None if it does not pass MetaSchedule's own checks."""
    from tvm import IRModule
    from tvm.s_tir import meta_schedule as ms
    from tvm.target import Target

    context = ms.TuneContext(
        IRModule({"main": plain(kernel, shape)}), target=Target({**dict(target.export()), "num-cores": 1}),
        space_generator="post-order-apply", search_strategy="replay-trace", rand_state=seed + 1, num_threads=1,
    )  # fmt: skip
    sketches = context.generate_design_space()
    sch = sketches[seed % len(sketches)]
    passed = all(step.apply(sch) for step in context.space_generator.postprocs)
    return sch if passed else None


def seconds(module: Any, symbol: str, target: Any, tensors: list[Any]) -> float:
    """Return the least time of a call."""
    import tvm

    compiled = tvm.compile(module, target=target)
    compiled[symbol](*tensors)
    return float(min(compiled.mod.time_evaluator(symbol, tvm.cpu(), number=1, repeat=REPEATS)(*tensors).results))


def best(
    kernel: Kernel, shape: Shape, target: Any, tensors: list[Any], seeds: range
) -> tuple[tuple[float, str] | None, int]:
    """Return the least time among schedules of ``seeds`` with the trace as JSON, and how many could not be drawn."""
    found: tuple[float, str] | None = None
    failed = 0
    for seed in seeds:
        sch = drawn(kernel, shape, target, seed)
        if sch is None:
            failed += 1
            continue
        time_s = seconds(sch.mod, "main", target, tensors)
        if found is None or time_s < found[0]:
            found = time_s, json.dumps(sch.trace.as_json(), default=_plain)
    return found, failed


def _plain(value: Any) -> Any:
    """Return TVM's integers and arrays as JSON has them."""
    return value.value if hasattr(value, "value") else list(value)
