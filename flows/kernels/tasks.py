"""What runs in the process that has TVM: ``python -m flows.kernels.tasks FOLDER``, called by `flows.kernels.worker`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from flows.kernels import cpu, cuda, search
from flows.kernels.kernel import Array, Kernel, Shape
from flows.kernels.product import symbol
from flows.kernels.registry import find
from flows.kernels.run import operands
from flows.kernels.worker import ARRAYS, REPLY, REQUEST, RESULTS, save

Arrays = dict[str, Array]
Task = Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays]]

_WARM_UP = 5


def build(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Compile for a CPU; return the TensorIR and the assembly."""
    kernel, _, module, target = _scheduled(request)
    import tvm

    compiled = tvm.compile(module, target=target)
    return {"symbol": symbol(kernel), "tir": module.script(), "assembly": compiled.mod.inspect_source("asm")}, {}


def run(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Compile for this CPU and run on the arrays ``A``, ``W0``, ...; return ``C``."""
    function, tensors, _ = _ready(request, arrays)
    function(*tensors)
    return {}, {"C": tensors[-1].numpy()}


def measure(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Compile for this CPU and time ``repetitions`` calls; return ``seconds`` and ``C``."""
    import tvm

    function, tensors, compiled = _ready(request, arrays)
    function(*tensors)
    timer = compiled.mod.time_evaluator(
        symbol(find(request["kernel"])), tvm.cpu(), number=1, repeat=request["repetitions"]
    )
    return {}, {"C": tensors[-1].numpy(), "seconds": np.array(timer(*tensors).results)}


def measure_torch(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Time PyTorch's fp32 product into a result that exists, with one thread; return ``seconds``."""
    import torch

    torch.set_num_threads(1)
    shape = Shape.model_validate(request["shape"])
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(shape.batch, shape.m, shape.k, generator=generator)
    w = torch.randn(shape.batch, shape.n, shape.k, generator=generator).transpose(1, 2)
    c = torch.empty(shape.batch, shape.m, shape.n)
    seconds = []
    for _ in range(_WARM_UP + request["repetitions"]):
        start = time.perf_counter()
        torch.bmm(a, w, out=c)
        seconds.append(time.perf_counter() - start)
    return {}, {"seconds": np.array(seconds[_WARM_UP:])}


def cuda_source(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return CUDA ``source``, its ``symbol``, and operands of its ``parameters``."""
    kernel, shape = find(request["kernel"]), Shape.model_validate(request["shape"])
    code = cuda.source(kernel, shape)
    return {"source": code, "symbol": f"{symbol(kernel)}_kernel", "parameters": cuda.parameters(code)}, {}


def tune(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Draw and time ``trials`` schedules; return the ``trace`` of the best with its time, and that by hand."""
    kernel, shape, by_hand, target = _scheduled(request)
    a, stored = kernel.random(shape, seed=0)
    tensors = _tensors(kernel, shape, operands(a, stored))
    by_hand_s = search.seconds(by_hand, symbol(kernel), target, tensors)
    seeds = range(request["seed"], request["seed"] + request["trials"])
    best, failed = search.best(kernel, shape, target, tensors, seeds)
    found = {"best_s": best[0], "trace": best[1]} if best else {"trace": None}
    return {**found, "by_hand_s": by_hand_s, "failed": failed}, {}


def _scheduled(request: dict[str, Any]) -> tuple[Kernel, Shape, Any, Any]:
    kernel, shape = find(request["kernel"]), Shape.model_validate(request["shape"])
    target = cpu.target(request["cpu"])
    if request.get("trace"):
        return kernel, shape, search.applied(kernel, shape, request["trace"]), target
    return kernel, shape, cpu.schedule(kernel, shape, target), target


def _ready(request: dict[str, Any], arrays: Arrays) -> tuple[Any, list[Any], Any]:
    import tvm

    kernel, shape, module, target = _scheduled(request)
    compiled = tvm.compile(module, target=target)
    return compiled[symbol(kernel)], _tensors(kernel, shape, arrays), compiled


def _tensors(kernel: Kernel, shape: Shape, arrays: Arrays) -> list[Any]:
    import tvm

    result = np.zeros((shape.batch, shape.m, shape.n), kernel.result)
    names = ["A", *(f"W{index}" for index in range(len(kernel.weights)))]
    return [tvm.runtime.tensor(array) for array in (*(arrays[name] for name in names), result)]


TASKS: dict[str, Task] = {
    "build": build, "run": run, "measure": measure, "measure_torch": measure_torch, "cuda_source": cuda_source,
    "tune": tune,
}  # fmt: skip


_WITH_TORCH = {"measure_torch"}


def main(folder: Path) -> None:
    """Do the task that ``folder`` asks for, and leave the reply there."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    if request["task"] not in _WITH_TORCH:
        sys.modules["torch"] = None  # type: ignore[assignment]  # or TVM imports it, which takes seconds
    with np.load(folder / ARRAYS) as stored:
        data, arrays = TASKS[request["task"]](request, dict(stored))
    (folder / REPLY).write_text(json.dumps(data), encoding="utf-8")
    save(folder / RESULTS, arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
