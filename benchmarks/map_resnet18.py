"""CPU time to map the twelve distinct layers of ResNet-18 optimally, cold, against pricing mappings one by one."""

import random
import time

from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.objective import EDP, ENERGY, LATENCY
from hwsim.mapping.problem import problem_of
from hwsim.mapping.search import search
from hwsim.workload.contraction import conv2d, matmul

BITS = (16, 16, 16)
EYERISS = Hierarchy(
    "eyeriss",
    (
        Memory("dram", (True,) * 3, BITS, (200.0,) * 3, (200.0,) * 3),
        Memory("buffer", (True,) * 3, BITS, (6.0,) * 3, (6.0,) * 3, bits=108 * 1024 * 8),
        Array("rows", 12, hop_pj=(1.0,) * 3),
        Array("columns", 14, hop_pj=(1.0,) * 3),
        Memory("registers", (True,) * 3, BITS, (1.0,) * 3, (1.0,) * 3, words=(12, 224, 24)),
    ),
    1.0,
)
LAYERS = [
    (3, 64, 224, 7, 2, 3), (64, 64, 56, 3, 1, 1), (64, 128, 56, 3, 2, 1), (64, 128, 56, 1, 2, 0),
    (128, 128, 28, 3, 1, 1), (128, 256, 28, 3, 2, 1), (128, 256, 28, 1, 2, 0), (256, 256, 14, 3, 1, 1),
    (256, 512, 14, 3, 2, 1), (256, 512, 14, 1, 2, 0), (512, 512, 7, 3, 1, 1),
]  # fmt: skip


def operators() -> list:
    """The distinct layers."""
    convolutions = [
        conv2d(f"conv{k}x{k} {c}-{m}", batch=1, in_channels=c, out_channels=m, input_size=(size, size), kernel=(k, k),
               stride=(stride, stride), padding=(pad, pad))
        for c, m, size, k, stride, pad in LAYERS
    ]  # fmt: skip
    return [*convolutions, matmul("fc", rows=1, inner=512, columns=1000)]


def one_by_one(problem, seconds: float) -> float:
    """Mappings per second of the reference model on random orders of one legal mapping."""
    found = search(problem, EYERISS)
    shuffle = random.Random(0)
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        loops = [shuffle.sample(loops, len(loops)) for loops in found.mapping.loops]
        evaluate(Mapping(tuple(map(tuple, loops))), problem, EYERISS)
        count += 1
    return count / (time.process_time() - start)


def main() -> None:
    """Print CPU seconds per objective and the rates."""
    for objective in (ENERGY, EDP, LATENCY):
        start, visited = time.process_time(), 0
        for operator in operators():
            visited += search(problem_of(operator), EYERISS, objective, padding=True).certificate.visited
        spent = time.process_time() - start
        print(f"{objective}: {spent:.2f} CPU s for {len(LAYERS) + 1} layers, {visited / spent:.3g} mappings/s")
    rate = one_by_one(problem_of(operators()[1]), 1.0)
    print(f"one by one: {rate:.3g} mappings/s")


if __name__ == "__main__":
    main()
