"""CPU time and memory to map every distinct contraction of training steps: ``map_networks.py [NETWORK[:BATCH] ...]``.

Each network is mapped in a process of its own for energy, latency and energy-delay product, cold and then from the
cache, and the mappings found are costed once more one by one. Ratios are to the targets in ``TARGETS``.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from hwsim.architecture import FreeDataflow, load_architecture
from hwsim.cost.accounting import load_convention
from hwsim.cost.hierarchy import map_contraction
from hwsim.mapping.mapping import evaluate
from hwsim.mapping.objective import EDP, ENERGY, LATENCY, Objective
from hwsim.mapping.search import Found, optimum
from hwsim.technology import load_technology
from hwsim.workload import Operator, Workload

ARCHITECTURE = "free-dataflow-45nm"
TARGETS = {"resnet50:1": 5.0, "resnet50:32": 5.0, "mobilenet_v2:1": 10.0, "vit_b_16:8": 10.0, "gpt2_small:8": 10.0}
"""CPU seconds, cold, on one core."""
WARM_S, GIVEN_S, PEAK_MB = 0.2, 0.05, 500


def step(name: str, batch: int) -> Workload:
    """Trace a training step without data; torch is imported here, so that the peak of a measurement is the mapper's."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.nn import functional as F

    from hwsim.trace import trace
    from models.zoo import ZOO

    entry = ZOO[name]
    target = torch.zeros(batch, *(entry.input_shape if entry.tokens else ()), dtype=torch.long)
    with FakeTensorMode():
        model = entry.make()
    return trace(
        model, entry.inputs(batch), optimizer=partial(torch.optim.SGD, lr=0.1),
        loss=lambda scores: F.cross_entropy(scores.flatten(0, -2), target.flatten()),
    )  # fmt: skip


def mapped(operators: list[Operator], objective: Objective) -> tuple[float, list[Found]]:
    """CPU seconds to map ``operators``, and the mappings."""
    architecture, folder = load_architecture(ARCHITECTURE)
    assert isinstance(architecture, FreeDataflow)
    technology, convention = load_technology(architecture.technology, beside=folder), load_convention("operator")
    optimum.cache_clear()
    start = time.process_time()
    found = [map_contraction(operator, architecture, technology, convention, objective) for operator in operators]
    return time.process_time() - start, found


def measure(workload: Path, target_s: float) -> None:
    """Print a row for each objective."""
    operators = {one.signature: one for one in Workload.load(workload).operators if one.is_contraction}
    for objective in (ENERGY, LATENCY, EDP):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["HWSIM_CACHE"] = folder
            cold_s, found = mapped(list(operators.values()), objective)
            warm_s, _ = mapped(list(operators.values()), objective)
        start = time.process_time()
        for one in found:
            evaluate(one.mapping, one.problem, one.hierarchy)
        given_s = time.process_time() - start
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        visited = sum(one.certificate.visited for one in found if one.certificate)
        print(
            f"{workload.stem:16} {objective!s:8} {len(operators):3} operators: cold {cold_s:6.2f} s "
            f"({cold_s / target_s:.2f} of target), warm {warm_s:.3f} s ({warm_s / WARM_S:.2f}), "
            f"given {given_s * 1e3:.1f} ms ({given_s / GIVEN_S:.2f}), peak {peak_mb:.0f} MB ({peak_mb / PEAK_MB:.2f}), "
            f"{visited:,} priced", flush=True,
        )  # fmt: skip


def main(names: list[str]) -> None:
    """Trace each network, then measure it in a fresh process."""
    if names[:1] == ["--measure"]:
        measure(Path(names[1]), float(names[2]))
        return
    for name in names or TARGETS:
        network, _, batch = name.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{network}-{batch or 1}.json"
            step(network, int(batch or 1)).save(path)
            subprocess.run([sys.executable, __file__, "--measure", path, str(TARGETS.get(name, 10.0))], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
