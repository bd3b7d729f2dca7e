"""Scoring of long runs whose precision changes at every step: ``python benchmarks/score_run.py [--steps N]``.

A step of ResNet-74 on CIFAR is traced, and a log is written in which every block chooses its bits, and whether it runs,
anew at each step. Loading and scoring are timed (CPU) in a process of their own, when mappings were found once before;
so is the memory at its peak.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hwsim.training import lines
from hwsim.training.facts import Facts, Mixed
from hwsim.training.log import Header, LogWriter

LIMITS = {64_000: (2.0, 2048.0), 1_000_000: (20.0, 2048.0)}
"""CPU seconds and megabytes, by steps."""
BITS = (3, 4, 6, 8)
BATCH, STEPS_PER_EPOCH = 128, 400


def write_log(directory: Path, steps: int) -> None:
    """Write a run of ResNet-74 with random bits and skips of its 36 blocks."""
    import torch

    import hwsim
    from models.zoo.resnet_cifar import CifarResNet

    step = hwsim.trace(
        CifarResNet(74), torch.empty(BATCH, 3, 32, 32), loss=lambda y: y.sum(), name="resnet74",
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    )  # fmt: skip
    header = Header(
        schema="hwsim/run/2", name="resnet74", model="CifarResNet", hwsim=hwsim.__version__, torch=torch.__version__,
        created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    log = LogWriter(directory, header)
    log.structure(0, step)
    blocks = tuple(dict.fromkeys(o.module.rpartition(".")[0] for o in step.operators if ".conv1" in o.module))
    log.line(lines.ModulesLine(modules=blocks))
    for bits in BITS:
        for executed in (0.0, 1.0):
            facts = Facts(weights=f"int{bits}", activations=f"int{bits}", gradients="int8", executed=executed)
            log.line(lines.FactsLine(facts=Mixed(parts=(facts,))))
    draw = random.Random(0)
    for number in range(steps):
        if number % STEPS_PER_EPOCH == 0:
            log.line(lines.MarkLine(epoch=number // STEPS_PER_EPOCH))
        log.step(0, BATCH, lines.digits([draw.randint(1, 2 * len(BITS)) for _ in blocks]))
    log.close()


def score(directory: Path, on: str) -> None:
    """Load and score twice; print the time of the second and the peak memory."""
    import hwsim

    hwsim.score(hwsim.TrainingRun.load(directory), on=on)
    start = time.process_time()
    run = hwsim.TrainingRun.load(directory)
    loaded = time.process_time()
    result = hwsim.score(run, on=on)
    end = time.process_time()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    steps = run.steps
    times = f"load {loaded - start:.2f} s, score {end - loaded:.2f} s"
    print(f"{steps} steps on {on}: {result.energy_j:.6g} J; {times}, {megabytes:.0f} MB")
    seconds, most = LIMITS.get(steps, (float("inf"), float("inf")))
    assert end - start < seconds, f"must take less than {seconds:g} s"
    assert megabytes < most, f"must take less than {most:g} MB"


def main() -> None:
    """Write the log, then measure in another process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=64_000)
    parser.add_argument("--on", default="bitfusion-16x32")
    parser.add_argument("--directory", type=Path, help="of a log to score, in this process")
    options = parser.parse_args()
    if options.directory:
        score(options.directory, options.on)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder), options.steps)
        size = (Path(folder) / "steps.jsonl").stat().st_size
        print(f"log: {size / options.steps:.0f} bytes a step")
        subprocess.run([sys.executable, __file__, "--on", options.on, "--directory", folder], check=True)


if __name__ == "__main__":
    main()
