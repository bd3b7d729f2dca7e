"""Energy of an operation as a sum over rates of activity, fitted to gates that were simulated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.rounding import rounded
from flows.calibrate.streams import FAMILIES
from hwsim.technology.circuit import NON_ZERO, NON_ZERO_PRODUCTS, OPERATIONS, EnergyModel, HeldOut, Rate

Floats = NDArray[np.float64]
_COUNTED = {OPERATIONS, "cycles", "restarts", "valid edges", *NON_ZERO.values(), NON_ZERO_PRODUCTS}


@dataclass(frozen=True)
class Sample:
    """Streams with their rates of activity, each ``(streams,)``, and what an operation cost on gates."""

    names: tuple[str, ...]
    rates: dict[str, Floats]
    energy_pj: Floats

    @classmethod
    def joined(cls, samples: Iterable[Sample]) -> Sample:
        """Return all streams of several samples."""
        several = list(samples)
        rates = {name: np.concatenate([one.rates[name] for one in several]) for name in several[0].rates}
        names = tuple(name for one in several for name in one.names)
        return cls(names, rates, np.concatenate([one.energy_pj for one in several]))

    def part(self, keep: NDArray[np.bool_]) -> Sample:
        """Return the streams where ``keep`` is true."""
        names = tuple(name for name, kept in zip(self.names, keep, strict=True) if kept)
        return Sample(names, {name: rate[keep] for name, rate in self.rates.items()}, self.energy_pj[keep])


def fit(sample: Sample, held_out: dict[str, Sample]) -> EnergyModel:
    """Return the model with the least mean square of relative errors, no energy being negative.

    Parameters
    ----------
    sample
        What is fitted.
    held_out
        Streams that are not, by name. To these come all streams of ``sample`` with a family of operands that is
        left out of a fit to the others, for each family in turn.
    """
    energies = _solve(sample)
    judged = [_held_out(name, _errors(energies, other)) for name, other in held_out.items()]
    for family in FAMILIES:
        of_family = np.array([family in name.split(",")[0].split(" x ") for name in sample.names])
        if not of_family.any():
            continue
        rest = _solve(sample.part(~of_family))
        judged.append(_held_out(f"{family} operands", _errors(rest, sample.part(of_family))))
    residual = _errors(energies, sample)
    kept = {name: energy for name, energy in energies.items() if energy > 0}
    return EnergyModel(
        rates=[Rate(name=name, unit="1/op" if name in _COUNTED else "bit/op", energy_pj=rounded(energy))
               for name, energy in kept.items()],
        streams=len(sample.names), residual=rounded(float(np.sqrt((residual**2).mean())), 3), held_out=judged,
    )  # fmt: skip


def _errors(energies: dict[str, float], sample: Sample) -> Floats:
    predicted: Floats = np.sum([energies[name] * rate for name, rate in sample.rates.items()], axis=0)
    return predicted / sample.energy_pj - 1


def _held_out(name: str, errors: Floats) -> HeldOut:
    size = np.abs(errors)
    mean, largest = (rounded(float(value), 3) for value in (size.mean(), size.max()))
    return HeldOut(streams=f"{name} ({len(size)})", mean_error=mean, max_error=largest)


def _solve(sample: Sample) -> dict[str, float]:
    matrix = np.stack([rate / sample.energy_pj for rate in sample.rates.values()], axis=1)
    return dict(zip(sample.rates, nonnegative(matrix, np.ones(len(matrix))).tolist(), strict=True))


def nonnegative(matrix: Floats, target: Floats) -> Floats:
    """Return ``x >= 0`` with the least ``|matrix @ x - target|``, by the active sets of Lawson and Hanson (1974)."""
    scale = np.sqrt((matrix**2).sum(axis=0))
    scale[scale == 0] = 1
    gram, moment = (matrix / scale).T @ (matrix / scale), (matrix / scale).T @ target
    x, active = np.zeros(len(gram)), np.zeros(len(gram), bool)
    for _ in range(3 * len(gram)):
        gradient = np.where(active, -np.inf, moment - gram @ x)
        if gradient.max() <= 1e-9 * np.abs(moment).max():
            break
        active[gradient.argmax()] = True
        while True:
            trial = np.zeros(len(gram))
            trial[active] = np.linalg.lstsq(gram[np.ix_(active, active)], moment[active], rcond=1e-12)[0]
            if trial[active].min() > 0:
                break
            back = active & (trial <= 0)
            x += (x[back] / (x[back] - trial[back])).min() * (trial - x)
            active &= x > 1e-12
        x = trial
    solution: Floats = x / scale
    return solution
