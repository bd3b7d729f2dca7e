"""Made-up but plausible results: a small convolutional network's training on any number of architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from hwsim.architecture import Architecture, load_architecture
from hwsim.cost.result import Charge, OperatorCost, Result
from hwsim.report import write_html
from hwsim.technology import load_technology
from tests.report.browser import CHROMIUM, NEEDED, started, visited

LAYERS = {"conv1": 9 * 16 * 64, "conv2": 16 * 9 * 32 * 64, "block.0.conv": 32 * 9 * 32 * 16, "fc": 512 * 10}
STEPS, BATCH = 300, 64
OPERATIONS = {
    "eyeriss-45nm": {"mult.fp32": 1, "add.fp32": 1},
    "eyeriss-45nm-int8": {"mult.int8": 1, "add.int32": 1},
    "eyeriss-45nm-shiftadd": {"shift.int8": 1, "add.int32": 1},
}
ACCESSES = {  # words per MAC, about what a row-stationary array needs
    "register_file": 3.0, "register_file_weight": 1.0, "network": 0.25, "network_psum": 0.1,
    "global_buffer": 0.08, "dram": 0.004,
}  # fmt: skip
TECHNOLOGY = load_technology("shiftaddnet-45nm")


def charges(operations: dict[str, float], macs: float, bits: int, words: dict[str, float]) -> Iterator[Charge]:
    for key, times in operations.items():
        energy = TECHNOLOGY.coefficient(key).energy_pj() * times * macs
        yield Charge(component="compute", operand="", coefficient=key, times=times * macs, energy_pj=energy)
    for key, per_mac in words.items():
        component: Any = key.removesuffix("_psum").removesuffix("_weight")
        energy = TECHNOLOGY.coefficient(key).energy_pj(bits) * per_mac * macs
        yield Charge(
            component=component, operand="input", coefficient=key, times=per_mac * macs, bits=bits, energy_pj=energy
        )


def contraction(module: str, phase: Any, macs: int, architecture: Architecture) -> OperatorCost:
    operations = OPERATIONS[architecture.name]
    bits = 32 if architecture.name == "eyeriss-45nm" else 8
    bill = tuple(charges(operations, macs, bits, ACCESSES))
    rate = architecture.peak_operations_per_s * (0.7 if bits == 32 else 2.1)
    dram_s = bill[-1].times * bits / 8 / architecture.dram_bytes_per_s
    return OperatorCost(
        name=f"{module}.{phase}", module=module, source="aten.convolution", phase=phase,
        primitive="shift" if "shift" in str(operations) else "mac", count=STEPS, macs=macs,
        bits_moved=int(macs * 0.003) * bits, energy_pj=sum(c.energy_pj for c in bill),
        latency_s=max(macs / rate, dram_s), bound="compute" if macs / rate > dram_s else "dram", charges=bill,
        mapping={"m0": 4, "n0": 2, "c1": 3, "e": 14}, note="im2col" if phase == "grad_weight" else "",
    )  # fmt: skip


def streamed(module: str, name: str, phase: Any, elements: int, covered: bool = True) -> OperatorCost:
    bill = tuple(charges({"add.fp32": 1}, elements, 32, {"global_buffer": 3.0, "dram": 3.0})) if covered else ()
    return OperatorCost(
        name=f"{module}.{name}", module=module, source=f"aten.{name}", phase=phase, primitive="elementwise",
        count=STEPS, macs=0, bits_moved=elements * 96, covered=covered,
        energy_pj=sum(c.energy_pj for c in bill), latency_s=elements * 12 / 12.8e9 if covered else 0.0,
        bound="dram" if covered else "", charges=bill,
    )  # fmt: skip


def operators(architecture: Architecture, layers: dict[str, int], covered: bool) -> Iterator[OperatorCost]:
    for module, per_sample in layers.items():
        for phase in ("forward", "grad_input", "grad_weight"):
            yield contraction(module, phase, per_sample * BATCH, architecture)
        yield streamed(module, "relu", "forward", per_sample // 4, covered)
        yield streamed(module, "threshold_backward", "grad_input", per_sample // 4, covered)
        yield streamed(module, "_foreach_add_", "optimizer", per_sample // 8, covered)


def training(
    on: str = "eyeriss-45nm",
    *,
    name: str = "",
    layers: dict[str, int] = LAYERS,
    covered: bool = True,
    **changes: Any,
) -> Result:
    architecture = load_architecture(on)[0]
    costs = tuple(operators(architecture, layers, covered))
    used = {charge.coefficient for cost in costs for charge in cost.charges}
    fields = {
        "workload": "digits-cnn, SGD with momentum", "samples": STEPS * BATCH, "steps": STEPS, "operators": costs,
        "architecture": architecture.model_copy(update={"name": name or on}),
        "accounting": "operator", "accounting_title": "Operators with their accumulation, no registers or clock",
        "node_nm": TECHNOLOGY.node_nm, "voltage_v": TECHNOLOGY.voltage_v,
        "coefficients": {key: TECHNOLOGY.coefficient(key) for key in sorted(used)},
        "notes": ("Operators are priced alone.", "Nothing is fused."),
    }  # fmt: skip
    return Result(**{**fields, **changes})


@pytest.fixture(scope="session")
def make() -> Callable[..., Result]:
    """Build the result of a training run; see `training` for what can be chosen."""
    return training


@pytest.fixture(scope="session")
def three() -> list[Result]:
    return [training(on) for on in OPERATIONS]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(NEEDED)
    with started() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[[list[Result]], Page]]:
    """Write results as a page and open it; a test fails if the page complains or asks for anything."""
    with ExitStack() as pages:
        yield lambda results: pages.enter_context(visited(browser, write_html(results, tmp_path / "page.html")))
