"""How many instances of its arrays a problem can keep busy with factors of its bounds."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

from hwsim.mapping.hierarchy import Array, Hierarchy

Fans = tuple[tuple[int, tuple[bool, ...]], ...]
"""Size of every array, and which dimensions may spread over it."""


def fans_of(hierarchy: Hierarchy, names: tuple[str, ...]) -> Fans:
    """Arrays of ``hierarchy`` as dimensions ``names`` see them."""
    arrays = (node for node in hierarchy.nodes if isinstance(node, Array))
    return tuple((array.size, tuple(array.accepts(name) for name in names)) for array in arrays)


def most_instances(bounds: tuple[int, ...], fans: Fans) -> int:
    """Most instances of all arrays together that perfect factors of ``bounds`` can fill."""
    products: dict[tuple[bool, ...], int] = defaultdict(lambda: 1)
    for dimension, bound in enumerate(bounds):  # dimensions that the same arrays accept are as good as one
        products[tuple(accepted[dimension] for _, accepted in fans)] *= bound
    keys = sorted(key for key in products if any(key))
    arrays = tuple((size, tuple(key[k] for key in keys)) for k, (size, _) in enumerate(fans))
    return _most(tuple(products[key] for key in keys), arrays)


@lru_cache(maxsize=1 << 16)
def _most(products: tuple[int, ...], arrays: Fans) -> int:
    if not arrays:
        return 1
    (size, accepted), *inner = arrays
    best = 0
    for used, left in sorted(_spread(products, size, accepted), reverse=True):
        if used * math.prod(most for most, _ in inner) <= best:
            break
        best = max(best, used * _most(left, tuple(inner)))
    return best


def _spread(products: tuple[int, ...], size: int, accepted: tuple[bool, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Instances of one array that factors of ``products`` fill, with what is left of these."""
    choices = [
        [factor for factor in range(1, min(size, product) + 1) if product % factor == 0] if yes else [1]
        for product, yes in zip(products, accepted, strict=True)
    ]
    for factors in itertools.product(*choices):
        used = math.prod(factors)
        if used <= size:
            yield used, tuple(product // factor for product, factor in zip(products, factors, strict=True))
