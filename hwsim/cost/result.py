"""What a workload costs on an architecture, down to every coefficient that made a joule."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from hwsim.architecture import Architecture
from hwsim.cost.timeline import Timeline
from hwsim.files import Frozen, read_mapping, validate, write_text
from hwsim.technology import Coefficient
from hwsim.workload.operator import Phase, Primitive

Component = Literal["compute", "register_file", "network", "global_buffer", "dram", "standing"]
COMPONENTS: tuple[Component, ...] = ("compute", "register_file", "network", "global_buffer", "dram", "standing")

Key = Literal["phase", "component", "level", "module", "operator", "primitive"]


class Charge(Frozen):
    """One line of an operator's bill: how often a coefficient was paid in one execution."""

    component: Component
    node: str = ""
    """What the architecture calls the memory or network, where it gives names."""
    operand: str
    coefficient: str
    times: float
    """Operations, accesses of one word, cycles, or seconds."""
    bits: float = 0
    """Width of that word; zero for operations."""
    energy_pj: float

    @property
    def level(self) -> str:
        """The component, with the name of the memory or network where that is another: ``global_buffer.sram``."""
        return f"{self.component}.{self.node}" if self.node not in {"", self.component} else self.component


class OperatorCost(Frozen):
    """Cost of one operator; energies and times are of one execution, ``count`` says how many there are."""

    name: str
    module: str
    source: str
    phase: Phase
    primitive: Primitive | Literal["unknown"]
    count: int
    macs: int
    bits_moved: int
    """Compulsory traffic: each operand once."""
    covered: bool = True
    """False when the accounting convention does not price such operators."""
    energy_pj: float
    latency_s: float
    bound: str = ""
    """What limits the latency: ``compute``, or a memory."""
    charges: tuple[Charge, ...]
    mapping: dict[str, int] = {}
    dram_bits_saved: float = 0.0
    """What layer fusion keeps from the external memory; negative where it costs others' savings more traffic here."""
    note: str = ""

    @property
    def dram_bits(self) -> float:
        """Traffic of the external memory in one execution."""
        return math.fsum(charge.times * charge.bits for charge in self.charges if charge.component == "dram")


class Result(Frozen):
    """Cost of a workload, or of all steps of a training run, on one architecture."""

    schema_: Literal["hwsim/result/1"] = Field(default="hwsim/result/1", alias="schema")
    workload: str
    samples: int
    """Samples processed by everything that is counted here."""
    steps: int = 1
    architecture: Architecture
    accounting: str
    accounting_title: str
    node_nm: float
    voltage_v: float
    coefficients: dict[str, Coefficient]
    """Those that were used."""
    operators: Annotated[tuple[OperatorCost, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    """Assumptions and omissions a reader must know."""
    timeline: Timeline | None = None
    """Of a training run."""

    @property
    def energy_j(self) -> float:
        """Total energy in joules."""
        return math.fsum(cost.energy_pj * cost.count for cost in self.operators) * 1e-12

    @property
    def latency_s(self) -> float:
        """Total time in seconds, operators one after another."""
        return math.fsum(cost.latency_s * cost.count for cost in self.operators)

    @property
    def dram_bytes(self) -> float:
        """Total traffic of the external memory in bytes."""
        return math.fsum(cost.dram_bits * cost.count for cost in self.operators) / 8

    @property
    def dram_bytes_saved(self) -> float:
        """What layer fusion saved of it."""
        return math.fsum(cost.dram_bits_saved * cost.count for cost in self.operators) / 8

    @property
    def uncertainty_j(self) -> float:
        """Standard uncertainty of `energy_j` from the coefficients' own (independent of each other)."""
        spent: dict[str, float] = defaultdict(float)
        for cost in self.operators:
            for charge in cost.charges:
                spent[charge.coefficient] += charge.energy_pj * cost.count
        parts = (energy * self.coefficients[key].uncertainty for key, energy in spent.items())
        return math.sqrt(math.fsum(part**2 for part in parts)) * 1e-12

    @property
    def coverage(self) -> float:
        """Share of the compulsory traffic whose operators are priced."""
        total = sum(cost.bits_moved * cost.count for cost in self.operators)
        covered = sum(cost.bits_moved * cost.count for cost in self.operators if cost.covered)
        return covered / total if total else 1.0

    def energy_j_by(self, *keys: Key) -> dict[tuple[str, ...], float]:
        """Energy in joules grouped by any of phase, component, level, module, operator and primitive."""
        groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for cost in self.operators:
            fields = {"phase": cost.phase, "module": cost.module, "operator": cost.name, "primitive": cost.primitive}
            for charge in cost.charges:
                group = tuple({**fields, "component": charge.component, "level": charge.level}[key] for key in keys)
                groups[group].append(charge.energy_pj * cost.count)
        return {group: math.fsum(parts) * 1e-12 for group, parts in groups.items()}

    def latency_s_by(self, key: Literal["phase", "module", "operator", "primitive"]) -> dict[str, float]:
        """Time in seconds grouped by phase, module, operator or primitive."""
        groups: dict[str, list[float]] = defaultdict(list)
        for cost in self.operators:
            name = cost.name if key == "operator" else getattr(cost, key)
            groups[name].append(cost.latency_s * cost.count)
        return {group: math.fsum(parts) for group, parts in groups.items()}

    def summary(self) -> dict[str, Any]:
        """Totals with their units, as plain data."""
        return {
            "workload": self.workload,
            "architecture": self.architecture.name,
            "accounting": self.accounting,
            "energy_j": self.energy_j,
            "uncertainty_j": self.uncertainty_j,
            "latency_s": self.latency_s,
            "steps": self.steps,
            "samples": self.samples,
            "energy_per_sample_j": self.energy_j / self.samples,
            "coverage": self.coverage,
            "dram_bytes": self.dram_bytes,
            "dram_bytes_saved": self.dram_bytes_saved,
            "energy_j_by_component": {key[0]: value for key, value in self.energy_j_by("component").items()},
            "energy_j_by_level": {key[0]: value for key, value in self.energy_j_by("level").items()},
            "energy_j_by_phase": {key[0]: value for key, value in self.energy_j_by("phase").items()},
            "latency_s_by_phase": self.latency_s_by("phase"),
        }

    def table(self) -> str:
        """The totals as plain text; see `hwsim.report` for comparisons."""
        from hwsim.report import comparison_text

        return comparison_text([self])

    def html(self, path: Path | str) -> Path:
        """Write a self-contained page."""
        from hwsim.report import write_html

        return write_html([self], path)


class Results(Frozen):
    """Results of one workload on several architectures, as stored in a file."""

    schema_: Literal["hwsim/results/1"] = Field(default="hwsim/results/1", alias="schema")
    results: Annotated[tuple[Result, ...], Field(min_length=1)]

    @classmethod
    def load(cls, path: Path | str) -> Results:
        """Read a file written by `save`; `InputError` if it is anything else."""
        data = read_mapping(path)
        for plain in data.get("results", ()) if isinstance(data, dict) else ():
            if isinstance(plain, dict):
                plain.pop("summary", None)  # derived
        return validate(data, cls, file=path)

    def data(self) -> dict[str, Any]:
        """Everything as plain data, each result with its summary."""
        data = self.model_dump(by_alias=True, mode="json")
        for plain, result in zip(data["results"], self.results, strict=True):
            plain["summary"] = result.summary()
        return data

    def save(self, path: Path | str) -> Path:
        """Write as JSON, atomically."""
        return write_text(path, json.dumps(self.data(), indent=1) + "\n")
