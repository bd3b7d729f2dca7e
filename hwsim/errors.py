"""Errors a user can act on: each names the thing, the rule and the value.

The command line prints these in one line and exits with status 1; anything else is a defect of hwsim.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class HwsimError(Exception):
    """Base of every error that hwsim raises on purpose."""


class InputError(HwsimError):
    """A file, argument or value that breaks a rule.

    Parameters
    ----------
    rule
        What must hold, as a sentence fragment (``"must be at least 1"``).
    file
        The file that holds the value, where there is one.
    field
        Dotted path of the field inside the file (``operators[3].batch``).
    value
        The offending value; shown with ``repr``.
    """

    _ABSENT = object()

    def __init__(
        self, rule: str, *, file: Path | str | None = None, field: str = "", value: Any = _ABSENT
    ) -> None:
        self.rule, self.file, self.field, self.value = rule, file, field, value
        where = ": ".join(str(part) for part in (file, field) if part)
        shown = "" if value is self._ABSENT else f", not {_short(value)}"
        super().__init__(f"{where}: {rule}{shown}" if where else f"{rule}{shown}")


class UnknownOperatorError(HwsimError):
    """The tracer or a cost model met an operator it has no model for."""


class MissingCoefficientError(HwsimError):
    """A technology has no coefficient of an operation in a number format."""


class NoMappingError(HwsimError):
    """No mapping of an operator fits the memories of an architecture."""


class MissingPackageError(HwsimError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'hwsim[{extra}]'")


def _short(value: Any, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
