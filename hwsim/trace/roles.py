"""Roles of tensors in the step, and the modules that optimizer operators work for."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.trace import dataflow
from hwsim.trace.fixed import fixed
from hwsim.trace.persistent import Persistent
from hwsim.trace.phases import Phases
from hwsim.trace.records import Record, TensorRef
from hwsim.workload.operator import Role


class Roles:
    """Role of every storage; ``owners`` extends those of persistent tensors to gradients and temporaries."""

    def __init__(self, records: Sequence[Record], persistent: Persistent, phases: Phases) -> None:
        self._role: dict[int, Role] = {}
        self.owners: dict[int, str] = dict(persistent.owners)
        self._role |= dict.fromkeys(phases.gradients, "gradient")
        self._role |= dict.fromkeys([*persistent.buffers, *persistent.states], "state")
        self._role |= dict.fromkeys(persistent.parameters, "parameter")
        self._fixed = fixed(records, persistent)
        for record in records:
            self._visit(record, persistent, phases)

    def of(self, ref: TensorRef) -> Role:
        """Return the role of a tensor."""
        role = self._role.get(ref.storage, "activation")
        integer = not ref.dtype.is_floating_point and not ref.dtype.is_complex and ref.dtype.itemsize > 1
        return "index" if integer and role in {"activation", "gradient"} else role

    def owner(self, record: Record) -> str | None:
        """Return the path of the module whose parameter an optimizer operator works on."""
        touched = [*dataflow.reads(record), *dataflow.writes(record)]
        return next((self.owners[ref.storage] for _, ref in touched if ref.storage in self.owners), None)

    def _visit(self, record: Record, persistent: Persistent, phases: Phases) -> None:
        if record.parameter is not None and record.parameter in persistent.parameters:
            for _, ref in dataflow.inputs(record):
                self.owners.setdefault(ref.storage, persistent.owners[record.parameter])
        for _, ref in dataflow.reads(record):  # from outside: an input, or a gradient given to ``backward``
            self._role.setdefault(ref.storage, "gradient" if record.backward else "activation")
        written = [ref for _, ref in dataflow.writes(record)]
        if record.operator in dataflow.ALLOCATIONS:  # who writes it first decides
            return
        new = [ref for ref in written if ref.storage not in self._role]
        if not new:
            return
        phase = phases.of(record)
        read = [self._role.get(ref.storage) for _, ref in dataflow.reads(record)]
        role: Role = "activation"
        if phase == "optimizer":
            role = "state"
        elif read and all(r == "parameter" for r in read):
            role = "parameter"
        elif all(ref.storage in self._fixed for ref in new) and not {"parameter", "state"}.isdisjoint(read):
            role = "parameter" if "parameter" in read else "state"  # cast, masked, quantised, gathered ...
        elif phase != "forward":
            role = "gradient"
        self._role |= {ref.storage: role for ref in new}
        if phase == "optimizer" and (owner := self.owner(record)) is not None and len(written) == 1:
            self.owners[written[0].storage] = owner
