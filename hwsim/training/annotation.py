"""The protocol by which techniques report themselves: ``hwsim.annotate(module, weights=4)``.

Reports need no recording and no PyTorch: they are kept beside the module, until changed, and every recording that
meets the module writes them down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from hwsim.errors import InputError
from hwsim.files import validate
from hwsim.training.facts import AS_TRACED, Facts, Mixed, Mixture

_reported: WeakKeyDictionary[Any, Mixture] = WeakKeyDictionary()
_changes = 0
_modules = 0


def annotate(module: Any, *, mixture: Sequence[Mapping[str, Any]] | None = None, **facts: Any) -> None:
    """Report what a technique does to ``module`` and everything in it, from now on and until told otherwise.

    Facts that are not given stay as they were; a call without facts takes all back. They tell what the traced
    operators do not show: a network that runs in float and models 4 bits, a block that is computed and masked.

    A layer can speak for itself: where its class has a method ``hwsim_facts()``, which returns ``facts`` as a dict,
    recordings ask it in every step.

    Parameters
    ----------
    module
        Usually a ``torch.nn.Module`` of the recorded model.
    mixture
        Instead of ``facts``: several, each with its ``share`` of the inputs, such as
        ``[{"share": 0.3, "weights": 4}, {"share": 0.7, "weights": 8}]``.
    facts
        Fields of `hwsim.training.facts.Facts`: ``weights``, ``activations``, ``gradients``, ``reads``, ``errors`` (bits
        of integers, or the name of a format), ``executed`` (false, true, or the share of the inputs), ``density`` and
        ``structure`` of a mask, ``tokens``, ``heads``, ``rows``, ``edges`` (kept, of how many).

    Raises
    ------
    InputError
        If a fact is not known or out of its range.
    """
    global _changes, _modules
    if mixture is not None:
        if facts:
            raise InputError("must be given alone, without other facts", field="mixture", value=sorted(facts))
        new = validate({"parts": list(mixture)}, Mixed).parts
    elif facts:
        new = _updated(_reported.get(module, AS_TRACED), tuple(sorted(facts.items())))
    else:
        new = AS_TRACED
    before = _reported.get(module)
    if before is new or before == new:
        return
    _modules += before is None
    _changes += 1
    _reported[module] = new


def reported() -> Iterator[tuple[Any, Mixture]]:
    """Yield the modules with reported facts."""
    yield from list(_reported.items())


def facts_of(module: Any) -> Mixture:
    """Return the facts that were reported of ``module``."""
    return _reported[module]


def changes() -> int:
    """How often a report has changed, to see at once that none has."""
    return _changes


def modules() -> int:
    """How often a module was reported of for the first time."""
    return _modules


@lru_cache(maxsize=65536)
def _updated(before: Mixture, facts: tuple[tuple[str, Any], ...]) -> Mixture:
    if len(before) > 1:
        raise InputError("must be changed as a whole: give mixture again", field="mixture", value=dict(facts))
    given = {**before[0].model_dump(exclude_defaults=True), **dict(facts)}
    return (validate({name: value for name, value in given.items() if value is not None}, Facts),)
