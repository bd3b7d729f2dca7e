"""How nodes of an exported program are read, by operator."""

from flows.compile.reading import Rule
from flows.compile.rules import pointwise, pooling, products, views

RULES: dict[str, Rule] = {**products.RULES, **pointwise.RULES, **pooling.RULES, **views.RULES}
"""The rule of every known operator, by its name without overload."""

__all__ = ["RULES"]
