"""Boolean expressions of Liberty (``function``, ``when``, ``next_state``)."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*(?:\[\d+\])?)|([01])|([()!'&*|+^]))")
_AND, _OR = ("&", "*"), ("|", "+")


@cache
def parse(text: str) -> tuple[Any, ...]:
    """Return the expression as a tree: ``("pin", name)``, ``("const", 0)``, ``("!", e)``, ``("&", e, e)`` ...

    Liberty's operators, tightest first: ``!`` in front, ``'`` behind, ``^``, and (``*``, ``&``, a space), or
    (``+``, ``|``).

    Raises
    ------
    InputError
        If it is not such an expression.
    """
    tokens, position = [], 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            raise InputError("must be a Boolean expression", field="function", value=text)
        tokens.append(found[0].strip())
        position = found.end()
    parser = _Parser(text, tokens)
    tree = parser.either()
    if parser.tokens:
        raise InputError("must be a Boolean expression", field="function", value=text)
    return tree


class _Parser:
    """Recursive descent over the tokens, which are taken from the end of a reversed list."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text, self.tokens = text, tokens[::-1]

    def either(self) -> tuple[Any, ...]:
        tree = self.both()
        while self._next() in _OR:
            self.tokens.pop()
            tree = ("|", tree, self.both())
        return tree

    def both(self) -> tuple[Any, ...]:
        tree = self.differ()
        while self._next() not in (*_OR, ")", ""):
            if self._next() in _AND:
                self.tokens.pop()
            tree = ("&", tree, self.differ())
        return tree

    def differ(self) -> tuple[Any, ...]:
        tree = self.atom()
        while self._next() == "^":
            self.tokens.pop()
            tree = ("^", tree, self.atom())
        return tree

    def atom(self) -> tuple[Any, ...]:
        word = self.tokens.pop() if self.tokens else ""
        tree: tuple[Any, ...]
        if word == "!":
            return ("!", self.atom())
        if word == "(":
            tree = self.either()
            if self._next() != ")":
                raise InputError("must be a Boolean expression", field="function", value=self.text)
            self.tokens.pop()
        elif word in ("0", "1"):
            tree = ("const", int(word))
        elif word[:1].isalpha() or word[:1] == "_":
            tree = ("pin", word)
        else:
            raise InputError("must be a Boolean expression", field="function", value=self.text)
        while self._next() == "'":
            self.tokens.pop()
            tree = ("!", tree)
        return tree

    def _next(self) -> str:
        return self.tokens[-1] if self.tokens else ""


def pins(text: str) -> list[str]:
    """Return the names in the expression, each once, in order of appearance."""
    return list(dict.fromkeys(_pins(parse(text))))


def _pins(tree: tuple[Any, ...]) -> list[str]:
    if tree[0] == "pin":
        return [tree[1]]
    return [name for part in tree[1:] if isinstance(part, tuple) for name in _pins(part)]


def evaluate(text: str, values: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return the expression on arrays of Booleans that broadcast together."""
    return np.asarray(_evaluate(parse(text), values))


def _evaluate(tree: tuple[Any, ...], values: Mapping[str, Any]) -> Any:
    match tree:
        case ("pin", name):
            return values[name]
        case ("const", value):
            return np.bool_(value)
        case ("!", part):
            return ~_evaluate(part, values)
        case ("&", left, right):
            return _evaluate(left, values) & _evaluate(right, values)
        case ("|", left, right):
            return _evaluate(left, values) | _evaluate(right, values)
    return _evaluate(tree[1], values) ^ _evaluate(tree[2], values)


_OPERATORS = {"&": ast.BitAnd, "|": ast.BitOr, "^": ast.BitXor}


def python(text: str, names: Mapping[str, ast.expr], ones: ast.expr) -> ast.expr:
    """Return the expression as Python on integers whose bits are independent; ``ones`` has all bits set."""
    return _python(parse(text), names, ones)


def _python(tree: tuple[Any, ...], names: Mapping[str, ast.expr], ones: ast.expr) -> ast.expr:
    match tree:
        case ("pin", name):
            return names[name]
        case ("const", value):
            return ones if value else ast.Constant(0)
        case ("!", part):
            return ast.BinOp(_python(part, names, ones), ast.BitXor(), ones)
    left, right = (_python(part, names, ones) for part in tree[1:])
    return ast.BinOp(left, _OPERATORS[tree[0]](), right)


def compiled(name: str, parameters: Sequence[str], body: list[ast.stmt]) -> Any:
    """Return the function of ``parameters`` that a netlist was translated to, as `python` translates expressions."""
    arguments = ast.arguments([], [ast.arg(one) for one in parameters], None, [], [], None, [])
    module = ast.fix_missing_locations(ast.Module([ast.FunctionDef(name, arguments, body, [])], []))
    space: dict[str, Any] = {}
    exec(compile(module, "<netlist>", "exec"), space)  # noqa: S102 (a syntax tree of names and operators)
    return space[name]
