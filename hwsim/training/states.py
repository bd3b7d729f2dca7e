"""From the facts that techniques report to the states that the log stores."""

from __future__ import annotations

from typing import NamedTuple

import torch

from hwsim.training import annotation, lines
from hwsim.training.detection import Detection
from hwsim.training.facts import Mixed, Mixture, mixed_within
from hwsim.training.log import LogWriter
from hwsim.training.paths import enclosing


class _Annotated(NamedTuple):
    """A module with reported facts."""

    module: torch.nn.Module
    path: str
    place: int
    """In states."""
    outer: int
    """Place of the innermost annotated module around it; -1 if there is none."""


class States:
    """The annotated modules of ``model``, and their facts as of now.

    A look costs next to nothing while no report changes, and little for each annotated module when one does.
    """

    def __init__(self, model: torch.nn.Module, log: LogWriter) -> None:
        self._model, self._log = model, log
        self._detection = Detection()
        self._mixtures = list(log.before.mixtures)
        self._numbers = {mixture: number for number, mixture in enumerate(self._mixtures)}
        self._resolved: dict[tuple[int, int], tuple[int, Mixture]] = {}  # by identity and number of the outer facts
        self._places = {path: place for place, path in enumerate(log.before.modules)}
        self._annotated: list[_Annotated] = []
        self._changes = self._modules_changes = -1
        self._state = ""
        self._skipped: frozenset[str] | None = None
        self._facts: list[int] = []
        self._named: dict[torch.nn.Module, str] = {}
        self._list: list[torch.nn.Module] = []
        self._find()

    def detect(self) -> None:
        """Look for masks and quantisers that PyTorch has put on modules."""
        self._detection.look(self._list)

    def now(self) -> str:
        """Return the state of now; modules and facts that are new are written to the log before."""
        if annotation.changes() != self._changes:
            self._changes = annotation.changes()
            if annotation.modules() != self._modules_changes:
                self._modules_changes = annotation.modules()
                self._order()
            self._state = self._encoded()
            self._skipped = None
        return self._state

    @property
    def skipped(self) -> frozenset[str]:
        """Modules that ran for no input, as of the last look."""
        if self._skipped is None:
            never = {n for n in set(self._facts) if not any(part.executed for part in self._mixtures[n])}
            self._skipped = frozenset(one.path for one in self._annotated if self._facts[one.place] in never)
        return self._skipped

    def _find(self) -> None:
        self._named = {module: name for name, module in self._model.named_modules()}
        self._list = list(self._named)

    def _order(self) -> None:
        """Give every annotated module of the model its place, outer ones first."""
        if any(module not in self._named for module, _ in annotation.reported()):
            self._find()  # modules may have been replaced; others belong to another model
        paths = {self._named[module]: module for module, _ in annotation.reported() if module in self._named}
        new = tuple(path for path in sorted(paths) if path not in self._places)
        if new:
            self._log.line(lines.ModulesLine(modules=new))
            self._places |= {path: len(self._places) + place for place, path in enumerate(new)}
        self._annotated = []
        for path in sorted(paths):
            outer = enclosing(path, paths)
            place = -1 if outer is None else self._places[outer]
            self._annotated.append(_Annotated(paths[path], path, self._places[path], place))

    def _encoded(self) -> str:
        facts = self._facts = [0] * len(self._places)
        reported = annotation.facts_of
        for module, _, place, outer in self._annotated:
            facts[place] = self._number(reported(module), facts[outer] if outer >= 0 else 0)
        return lines.digits(facts)

    def _number(self, mixture: Mixture, outer: int) -> int:
        """Return the number of facts within those with the number ``outer``."""
        key = id(mixture), outer
        known = self._resolved.get(key)
        if known is None:
            resolved = mixed_within(mixture, self._mixtures[outer])
            number = self._numbers.get(resolved)
            if number is None:
                self._log.line(lines.FactsLine(facts=Mixed(parts=resolved)))
                number = self._numbers[resolved] = len(self._mixtures)
                self._mixtures.append(resolved)
            known = self._resolved[key] = number, mixture  # kept, so that its identity stays its own
        return known[0]
