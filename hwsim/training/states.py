"""From the facts that techniques report to the states that the log stores."""

from __future__ import annotations

import torch

from hwsim.training import annotation, lines
from hwsim.training.detection import Detection
from hwsim.training.facts import Mixed, Mixture, mixed_within
from hwsim.training.log import LogWriter
from hwsim.training.paths import enclosing


class States:
    """The annotated modules of ``model``, and their facts as of now."""

    def __init__(self, model: torch.nn.Module, log: LogWriter) -> None:
        self._model, self._log = model, log
        self._names: dict[torch.nn.Module, str] = {}
        self._foreign: set[int] = set()
        self._detection = Detection()
        self._places = {path: place for place, path in enumerate(log.before.modules)}
        self._numbers = {mixture: number for number, mixture in enumerate(log.before.mixtures)}
        self._changes = -1
        self._state = ""
        self._skipped: frozenset[str] = frozenset()
        self._named()

    def look(self) -> str:
        """Return the state of now; modules and facts that are new are written to the log before."""
        self._detection.look(list(self._names))
        if annotation.changes() != self._changes:
            self._changes = annotation.changes()
            self._state = self._encoded(self._resolved())
        return self._state

    @property
    def skipped(self) -> frozenset[str]:
        """Modules that ran for no input, as of the last look."""
        return self._skipped

    def _named(self) -> None:
        self._names = {module: name for name, module in self._model.named_modules()}

    def _resolved(self) -> dict[str, Mixture]:
        """Return the facts of each annotated module, with those of the modules around it."""
        found: dict[str, Mixture] = {}
        for module, mixture in annotation.reported():
            if module not in self._names and id(module) not in self._foreign:
                self._named()  # modules may have been replaced
            if module in self._names:
                found[self._names[module]] = mixture
            else:
                self._foreign.add(id(module))
        resolved: dict[str, Mixture] = {}
        for path in sorted(found):  # outer before inner
            outer = enclosing(path, resolved)
            resolved[path] = found[path] if outer is None else mixed_within(found[path], resolved[outer])
        self._skipped = frozenset(path for path, parts in resolved.items() if not any(p.executed for p in parts))
        return resolved

    def _encoded(self, resolved: dict[str, Mixture]) -> str:
        new = tuple(path for path in resolved if path not in self._places)
        if new:
            self._log.line(lines.ModulesLine(modules=new))
            self._places |= {path: len(self._places) + place for place, path in enumerate(new)}
        numbers = [0] * len(self._places)
        for path, mixture in resolved.items():
            if mixture not in self._numbers:
                self._log.line(lines.FactsLine(facts=Mixed(parts=mixture)))
                self._numbers[mixture] = len(self._numbers)
            numbers[self._places[path]] = self._numbers[mixture]
        return lines.digits(numbers)
