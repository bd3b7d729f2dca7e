"""Look-up tables of Liberty, in picofarad, nanosecond and picojoule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from pathlib import Path

from flows.calibrate.liberty import Group
from hwsim.errors import InputError

_AXES = {
    "input_net_transition": "slew",
    "input_transition_time": "slew",
    "constrained_pin_transition": "slew",
    "related_pin_transition": "clock_slew",
    "total_output_net_capacitance": "load",
}


@dataclass(frozen=True)
class Table:
    """A quantity over up to two axes, linear between its points and beyond them.

    Attributes
    ----------
    axes
        ``slew`` (ns, of the pin itself), ``clock_slew`` (ns) or ``load`` (pF), outermost first.
    points
        Increasing points of each axis.
    values
        Row by row.
    """

    axes: tuple[str, ...]
    points: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]

    def within(self, slew: float) -> float:
        """Return the slew or, if the table ends before it, where the table ends."""
        return min(slew, self.points[self.axes.index("slew")][-1]) if "slew" in self.axes else slew

    def at(self, **where: float) -> float:
        """Return the value at a slew, a clock slew and a load; an axis that the table lacks is not looked at."""
        corners = [_between(points, where[axis]) for axis, points in zip(self.axes, self.points, strict=True)]
        total = 0.0
        for corner in product(*corners):
            index, weight = 0, 1.0
            for (position, share), points in zip(corner, self.points, strict=True):
                index, weight = index * len(points) + position, weight * share
            total += weight * self.values[index]
        return total


def _between(points: tuple[float, ...], x: float) -> list[tuple[int, float]]:
    """Return the two neighbours of ``x`` with their weights; outside, the weights extrapolate."""
    if len(points) == 1:
        return [(0, 1.0)]
    low = min(max(bisect_right(points, x) - 1, 0), len(points) - 2)
    share = (x - points[low]) / (points[low + 1] - points[low])
    return [(low, 1 - share), (low + 1, share)]


@dataclass(frozen=True)
class Scale:
    """What one unit of the file is: ns, pF and, for tables of energy or time, the value's own unit."""

    time_ns: float
    capacitance_pf: float


class TableReader:
    """Turns groups such as ``cell_rise (template)`` into tables.

    Parameters
    ----------
    templates
        Groups ``lu_table_template`` and ``power_lut_template`` of the library, by name.
    scale
        Units of the file.
    path
        Names the file in errors.
    """

    def __init__(self, templates: Mapping[str, Group], scale: Scale, path: Path) -> None:
        self.templates, self.scale, self.path = templates, scale, path

    def read(self, group: Group, cell: str, unit: float) -> Table:
        """Return the table, its values multiplied by ``unit``.

        Raises
        ------
        InputError
            If the template is unknown, numbers are missing, or the shape is not that of the axes.
        """
        where = f"cell {cell}: {group.kind}"
        template = self._template(group, where)
        axes, points = [], []
        try:
            for number in (1, 2, 3):
                variable = template.attributes.get(f"variable_{number}")
                if variable is None:
                    break
                axes.append(_AXES[variable])
                holder = group if f"index_{number}" in group.attributes else template
                unit_of_axis = self.scale.capacitance_pf if axes[-1] == "load" else self.scale.time_ns
                points.append(tuple(x * unit_of_axis for x in holder.numbers(f"index_{number}")))
            values = tuple(value * unit for value in group.numbers("values"))
        except (KeyError, ValueError) as error:
            raise InputError(f"table cannot be read: {error}", file=self.path, field=where) from error
        if len(values) != prod(map(len, points)):
            rule = f"must have {' x '.join(str(len(p)) for p in points) or 1} values"
            raise InputError(rule, file=self.path, field=where, value=len(values))
        if any(a >= b for axis in points for a, b in pairwise(axis)):
            raise InputError("indices must increase", file=self.path, field=where)
        return Table(tuple(axes), tuple(points), values)

    def _template(self, group: Group, where: str) -> Group:
        name = group.arguments[0] if group.arguments else "scalar"
        if name == "scalar":
            return Group("lu_table_template", ("scalar",))
        if name not in self.templates:
            raise InputError("must be a template of the library", file=self.path, field=where, value=name)
        return self.templates[name]
