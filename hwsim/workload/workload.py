"""A workload: the operators of one step or one inference, in execution order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen, parse_yaml, read_mapping, validate, write_text
from hwsim.workload.forms import OperatorForm, expand
from hwsim.workload.memory import Memory
from hwsim.workload.operator import Operator, Phase

SCHEMA = "hwsim/workload/1"


class SkippedOperator(Frozen):
    """An operator that was met in a trace and left out because nothing is known about it."""

    name: str = Field(min_length=1)
    source: str
    phase: Phase = "forward"
    module: str = ""
    bits: Annotated[int, Field(ge=0)]
    """Everything it read and wrote."""


class Workload(Frozen):
    """The operators of one execution, in order, each with a repeat count."""

    schema_: Literal["hwsim/workload/1"] = Field(default="hwsim/workload/1", alias="schema")
    name: str = Field(min_length=1)
    source: str = ""
    samples: PositiveInt = 1
    """Samples that one execution processes, for energy per sample."""
    operators: tuple[Operator, ...] = Field(min_length=1)
    skipped: tuple[SkippedOperator, ...] = ()
    """What the trace could not cover."""
    memory: Memory | None = None
    """What a traced step needs at its peak."""

    @property
    def macs(self) -> int:
        """Primitive operations of all contractions."""
        return sum(operator.macs * operator.count for operator in self.operators)

    def dependences(self) -> list[set[int]]:
        """For each operator, the indices of those whose results it reads (true dependences only)."""
        producer: dict[str, int] = {}
        edges: list[set[int]] = []
        for index, operator in enumerate(self.operators):
            read = [o.tensor for o in operator.operands if o.tensor and o.access == "read"]
            edges.append({producer[tensor] for tensor in read if tensor in producer})
            producer |= {o.tensor: index for o in operator.operands if o.tensor and o.access == "write"}
        return edges

    @classmethod
    def load(cls, path: Path | str) -> Workload:
        """Read a ``.yaml`` or ``.json`` workload; `InputError` names file, field, rule and value."""
        return cls.parse(read_mapping(path), path)

    @classmethod
    def parse(cls, data: Any, path: Path | str) -> Workload:
        """Return the workload that ``data``, the contents of the file ``path``, holds; errors as `load`."""
        return validate(data, _WorkloadFile, file=path).workload(path)

    @classmethod
    def of_operator(cls, text: str) -> Workload:
        """Return the workload of one operator written as in a file: ``{kind: linear, batch: 30, ...}``.

        Raises
        ------
        InputError
            As `load`, in the name of the operator; a name of its own it need not have.
        """
        given = "operator"
        form = parse_yaml(text, file=given)
        if not isinstance(form, dict):
            raise InputError("must be one operator, {kind: ..., ...}", file=given, value=text)
        named = {"schema": SCHEMA, "name": given, "operators": [{"name": given, **form}]}
        return cls.parse(named, given)

    def save(self, path: Path | str) -> Path:
        """Write the workload as JSON (which is YAML too), atomically."""
        data = self.model_dump(by_alias=True, exclude_defaults=True)
        return write_text(path, json.dumps({"schema": SCHEMA, **data}, separators=(",", ":")) + "\n")


class _WorkloadFile(Frozen):
    """A workload as written by people: operators in any of the short forms."""

    schema_: Literal["hwsim/workload/1"] = Field(alias="schema")
    name: str = Field(min_length=1)
    source: str = ""
    samples: PositiveInt = 1
    operators: tuple[OperatorForm, ...] = Field(min_length=1)
    skipped: tuple[SkippedOperator, ...] = ()
    memory: Memory | None = None

    def workload(self, path: Path | str) -> Workload:
        operators = []
        for index, form in enumerate(self.operators):
            try:
                operators.append(expand(form))
            except InputError as error:  # geometry that only the expansion can check
                field = f"operators[{index}]"
                raise InputError(error.rule, file=path, field=field, value=error.value) from error
        return Workload(
            name=self.name, source=self.source, samples=self.samples, operators=tuple(operators),
            skipped=self.skipped, memory=self.memory,
        )
