"""What an importer does with an operator that it has no rule for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hwsim.errors import UnknownOperatorError
from hwsim.workload.workload import SkippedOperator

Unknown = Literal["error", "skip"]


@dataclass
class Skips:
    """Collects what is left out, or stops at the first of it.

    Attributes
    ----------
    file
        That is being imported.
    unknown
        ``error`` stops, ``skip`` collects.
    """

    file: Path | str
    unknown: Unknown = "error"
    operators: list[SkippedOperator] = field(default_factory=list)

    def add(self, operator: str, name: str, shapes: Sequence[str], *, why: str, bits: int = 0) -> None:
        """Record one operator; `UnknownOperatorError` names it, its node and its shapes.

        Parameters
        ----------
        operator, name
            Kind of the operator, and what the file calls this one.
        shapes
            Of everything it touches, as text.
        why
            It is left out.
        bits
            Everything it reads and writes, as far as the file tells.
        """
        if self.unknown == "error":
            raise UnknownOperatorError(
                f"{self.file}: {name}: {operator} on {', '.join(shapes) or 'unknown shapes'}: {why}; "
                f"unknown='skip' leaves it out and reports it"
            )
        self.operators.append(SkippedOperator(name=name or operator, source=operator, bits=bits))
