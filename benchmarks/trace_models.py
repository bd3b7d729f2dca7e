"""Time and memory of fake traces of whole training steps: ``python benchmarks/trace_models.py [MODEL ...]``.

Each model is traced in a process of its own, from building it (fake too) to the validated workload; importing torch is
not counted in the time but is in the peak memory. Llama-7B (4096 tokens, AdamW) must stay below its limits.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from functools import partial

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from hwsim.trace import trace
from models.zoo import ZOO

BATCH = {"resnet50": 32, "vit_b_16": 32, "gpt2_small": 32, "llama_7b": 1}
LIMITS = {"llama_7b": (15.0, 1500.0)}
"""Seconds and megabytes."""
CASES = {
    "resnet50": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "vit_b_16": partial(torch.optim.AdamW, fused=True),
    "gpt2_small": partial(torch.optim.AdamW, fused=True),
    "llama_7b": partial(torch.optim.AdamW, fused=True),
}


def measure(name: str) -> None:
    """Trace one model and print a row."""
    entry, batch = ZOO[name], BATCH[name]
    target = torch.zeros(batch, *(entry.input_shape if entry.tokens else ()), dtype=torch.long)
    start = time.perf_counter()
    with FakeTensorMode():
        model = entry.make()
    workload = trace(
        model, entry.inputs(batch), optimizer=CASES[name],
        loss=lambda scores: F.cross_entropy(scores.flatten(0, -2), target.flatten()),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{name:12} {seconds:6.2f} s {memory_mb:7.0f} MB {len(workload.operators):6} operators "
          f"{workload.macs / batch / 1e9:8.2f} GMAC/sample")  # fmt: skip
    if name in LIMITS:
        most_s, most_mb = LIMITS[name]
        assert seconds < most_s, f"{name} must be traced in {most_s} s"
        assert memory_mb < most_mb, f"{name} must be traced in {most_mb} MB"


def main(names: list[str]) -> None:
    """Measure ``names``, by default all, each in a fresh process."""
    if len(names) == 1:
        measure(names[0])
        return
    for name in names or CASES:
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
