"""What a training run costs as it goes: one point for every epoch and stage."""

from __future__ import annotations

from hwsim.files import Frozen


class Point(Frozen):
    """Cost of successive steps of a run on one architecture."""

    epoch: int | None
    """None where the run was not divided into epochs."""
    stage: str
    first_step: int
    steps: int
    samples: int
    energy_j: float
    uncertainty_j: float
    """Standard uncertainty of `energy_j` from the coefficients' own."""
    latency_s: float
    dram_bytes: float
    peak_memory_bytes: int
    """The most that one of the steps needs, as traced."""
    energy_j_by_phase: dict[str, float]
    energy_j_by_component: dict[str, float]
    energy_j_by_module: dict[str, float]
    energy_j_by_level: dict[str, float]
    """Of components, and of each memory and network where the architecture gives them names."""
    latency_s_by_phase: dict[str, float]
    latency_s_by_module: dict[str, float]


class Timeline(Frozen):
    """The points of a run in order, and what the run logged."""

    points: tuple[Point, ...]
    metrics: dict[str, tuple[tuple[int, float], ...]] = {}
    """Series of (steps finished before, value)."""

    def energy_until(self, step: int) -> float:
        """Energy in joules of the first ``step`` steps; within a point it grows evenly."""
        return sum(point.energy_j * _part(point, step) for point in self.points)

    def best(self, metric: str) -> tuple[int, float]:
        """Return the step after which the largest value of ``metric`` was logged first, and that value."""
        return max(self.metrics[metric], key=lambda logged: logged[1])


def _part(point: Point, step: int) -> float:
    if not point.steps:
        return 0.0
    return min(max((step - point.first_step) / point.steps, 0.0), 1.0)
