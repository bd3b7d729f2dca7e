"""Measure training steps and products of libraries on this machine's GPU.

    python -m benchmarks.measure_steps h200 -o FOLDER

writes ``steps-h200.json``, which `benchmarks.validation` compares with predictions, and ``h200-torch.json``, a part of
the database of measured kernels.

Needs PyTorch with CUDA and NVIDIA's driver. Networks are those of `models.zoo`, fed with random samples; energy is the
board's own counter. ``--budget SECONDS`` leaves out the cases that would begin later.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from flows.kernels.pack_runner import Nvml
from models.zoo import ZOO

WARM_S, MEASURE_S, SAMPLES = 0.5, 2.0, 10
CLASSES = 1000
LARGE, CALLS = 2**32, 200
"""Multiply-adds above which the host is fast enough; calls of smaller products in a graph."""

Precision = Literal["fp32", "tf32", "autocast-bf16", "bf16", "fp16", "int8", "fp8"]
"""fp32: as PyTorch comes, with TF32 in convolutions alone; tf32: in all products."""
Run = Callable[[], Any]


@dataclass(frozen=True)
class Step:
    """A network's training step, or its forward pass without gradients."""

    network: str
    batch: int
    precision: Precision
    channels_last: bool = False
    compiled: bool = False
    training: bool = True


@dataclass(frozen=True)
class Product:
    """A matrix product of a library: ``(m, k)`` and ``(k, n)``."""

    m: int
    k: int
    n: int
    precision: Precision


LARGE_BATCHES = (("resnet50", 256), ("vit_b_16", 64), ("gpt2_small", 16))
SMALL_BATCHES = (("resnet50", 8), ("vit_b_16", 8), ("gpt2_small", 2))
SIZES = ((3136, 64, 512), (3136, 512, 64), (784, 128, 1024), (784, 1024, 128))
"""Those in which `hwsim kernels` packs its own."""
PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "fp16", "bf16", "int8", "fp8")
CASES: tuple[Step | Product, ...] = (
    *(Step(*one, precision) for one in LARGE_BATCHES for precision in ("fp32", "autocast-bf16")),
    Step("resnet50", 256, "autocast-bf16", channels_last=True),
    *(Product(8192, 8192, 8192, precision) for precision in PRECISIONS),
    *(Step(*one, precision) for one in SMALL_BATCHES for precision in ("fp32", "autocast-bf16")),
    *(Step(*one, "bf16") for one in LARGE_BATCHES),
    *(Step(*one, "tf32") for one in LARGE_BATCHES[1:]),
    *(Step(*one, precision, training=False) for one in LARGE_BATCHES for precision in ("fp32", "bf16")),
    *(Step(network, 1, precision, training=False) for network, _ in LARGE_BATCHES for precision in ("fp32", "bf16")),
    Step("resnet50", 8, "autocast-bf16", channels_last=True),
    Step("mobilenet_v2", 128, "fp32"),
    *(Product(*size, precision) for size in SIZES for precision in PRECISIONS),
    *(Step(*one, "autocast-bf16", compiled=True) for one in LARGE_BATCHES[1:]),
    Step("resnet50", 256, "autocast-bf16", channels_last=True, compiled=True),
)


def step(case: Step) -> Run:
    """Return what runs the step once."""
    entry = ZOO[case.network]
    converted = torch.bfloat16 if case.precision == "bf16" else torch.float32
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    model: nn.Module = entry.make().to("cuda", converted, memory_format=layout).train(case.training)
    if case.compiled:
        model.compile()
    inputs = _samples(case, converted, layout)
    autocast = torch.autocast("cuda", torch.bfloat16) if case.precision == "autocast-bf16" else nullcontext()
    if not case.training:
        return torch.inference_mode()(lambda: model(inputs))
    targets = torch.randint(0, CLASSES, inputs.shape if entry.tokens else (case.batch,), device="cuda")
    optimizer = (
        torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        if case.network in {"resnet50", "mobilenet_v2"}
        else torch.optim.AdamW(model.parameters(), 1e-5, fused=True)
    )

    def run() -> None:
        optimizer.zero_grad()
        with autocast:
            scores: Tensor = model(inputs)
            loss = functional.cross_entropy(scores.flatten(0, -2), targets.flatten())
        loss.backward()
        optimizer.step()

    return run


def _samples(case: Step, converted: torch.dtype, layout: torch.memory_format) -> Tensor:
    entry = ZOO[case.network]
    shape = (case.batch, *entry.input_shape)
    if entry.tokens:
        return torch.randint(0, entry.tokens, shape, device="cuda")
    return torch.randn(shape, device="cuda", dtype=converted).to(memory_format=layout)


def product(case: Product) -> Run:
    """Return what runs the product once."""
    a = torch.randn(case.m, case.k, device="cuda")
    b = torch.randn(case.n, case.k, device="cuda")
    if case.precision == "int8":
        a, b = ((one * 32).round().clamp(-127, 127).to(torch.int8) for one in (a, b))
        return lambda: torch._int_mm(a, b.t())
    if case.precision == "fp8":
        a, b = (one.to(torch.float8_e4m3fn) for one in (a, b))
        scale = torch.ones((), device="cuda")
        return lambda: torch._scaled_mm(a, b.t(), scale, scale, out_dtype=torch.bfloat16)
    kinds = {"fp16": torch.float16, "bf16": torch.bfloat16}
    a, b = (one.to(kinds.get(case.precision, torch.float32)) for one in (a, b))
    return lambda: a @ b.t()


def graph(run: Run, times: int) -> Run:
    """Return what runs ``times`` times without the host between."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        for _ in range(times):
            run()
    return recorded.replay


def timed(run: Run, nvml: Nvml, within: int = 1) -> dict[str, float]:
    """Warm up, then time batches of runs, each ``within`` of what is measured, while the energy counter runs."""
    start, times = time.perf_counter(), 0
    while time.perf_counter() - start < WARM_S or times < 3:
        run()
        torch.cuda.synchronize()
        times += 1
    start = time.perf_counter()
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    each_s = (time.perf_counter() - start) / 3
    times = max(1, round(MEASURE_S / SAMPLES / each_s))
    seconds, clocks, start_j = [], [], nvml.energy_j()
    whole = time.perf_counter()
    while len(seconds) < SAMPLES or time.perf_counter() - whole < MEASURE_S:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            run()
        end.record()
        clocks.append(nvml.clock_mhz())
        end.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3 / times / within)
    energy_j = nvml.energy_j() - start_j
    in_all = times * len(seconds) * within
    lower, median, upper = statistics.quantiles(seconds, n=4)
    return {
        "repetitions": in_all, "best_s": min(seconds), "lower_quartile_s": lower, "median_s": median,
        "upper_quartile_s": upper, "energy_j": energy_j / in_all, "clock_mhz": statistics.median(clocks),
    }  # fmt: skip


def described(case: Step | Product) -> dict[str, Any]:
    """Return what identifies a row."""
    if isinstance(case, Step):
        return asdict(case)
    format_ = {"fp8": "fp8_e4m3"}.get(case.precision, case.precision)
    sizes = {"batch": 1, "m": case.m, "k": case.k, "n": case.n}
    return {"kernel": f"torch-{case.precision}", "primitive": "mac", "formats": [format_, format_], **sizes}


def measure(case: Step | Product, nvml: Nvml) -> dict[str, Any]:
    """Return the row of a case; one that does not run says why, and is not written."""
    torch.backends.cuda.matmul.allow_tf32 = case.precision == "tf32"
    row = described(case)
    try:
        if isinstance(case, Step):
            return {**row, "status": "ok", **timed(step(case), nvml)}
        within = 1 if case.m * case.k * case.n > LARGE else CALLS
        run = product(case)
        return {**row, "status": "ok", **timed(graph(run, within) if within > 1 else run, nvml, within)}
    except RuntimeError as error:  # what CUDA and its libraries raise: an unsupported size, too little memory
        return {**row, "status": "failed", "detail": str(error).strip().splitlines()[0]}
    finally:
        torch.cuda.empty_cache()


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON."""
    path.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device", help="hwsim's name of this GPU, such as h100-sxm")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    given = parser.parse_args()
    torch.manual_seed(0)
    nvml, start = Nvml(), time.perf_counter()
    steps: list[dict[str, Any]] = []
    products: list[dict[str, Any]] = []
    common = {
        "device": given.device, "device_name": torch.cuda.get_device_name(), "date": time.strftime("%Y-%m-%d"),
        "versions": {
            "torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version()),
            "driver": nvml.driver(),
        },
        "conditions": f"limit {nvml.limit_w():g} W; {SAMPLES} samples, {MEASURE_S} s or more; clocks as they are",
    }  # fmt: skip
    for case in CASES:
        if time.perf_counter() - start > given.budget:
            break
        row = measure(case, nvml)
        print(json.dumps(row), flush=True)
        if row["status"] != "ok":
            continue
        (steps if isinstance(case, Step) else products).append(row)
        write(given.output / f"steps-{given.device}.json", {**common, "rows": steps})
        kernels = {"schema": "hwsim/kernels/1", **common, "timings": products}
        write(given.output / f"{given.device}-torch.json", kernels)


if __name__ == "__main__":
    main()
