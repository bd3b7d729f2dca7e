"""Time to price Transformer-base over all integer tilings, against a plain loop over the same tilings."""

import importlib.resources
import time

import hwsim
from hwsim.cost.row_stationary import TRAFFIC, accesses, best_tiling, cycles
from hwsim.mapping.row_stationary import Limits, Nest, factorizations, tilings

LIMITS = Limits(168, 12, 960, 16, 65536, strict=True, spread_rows=True, unfiltered_outputs_above=16)
ENERGY_PJ = (400.0,) * 3 + (44.4,) * 2 + (14.8, 14.8, 7.4, 7.4, 14.8, 7.4)
NEST = Nest(240, 30, 64)  # the smallest product of the model


def plain_loop() -> int:
    """Price every tiling of `NEST` one at a time; return how many there are."""
    count = 0
    for n0, n3 in factorizations(NEST.n, 2).tolist():
        for m0, m1, m2, m3 in factorizations(NEST.m, 4).tolist():
            for c0, c1, c2 in factorizations(NEST.c, 3).tolist():
                if m0 > 16 or m1 * c1 >= 168 or c0 >= 12 or m0 * c0 >= 960 or n0 * (c1 * c0 + m2 * m1 * m0) >= 65536:
                    continue
                size = NEST.sizes
                words = [
                    m3 * size["input"], n3 * size["weight"], size["output"], m3 * m2 * size["input"],
                    max(2 * (c2 - 1), 1) * size["output"], m3 * m2 * m1 * size["input"], n3 * size["weight"],
                    max(c2 * (c1 - 1), 1) * size["output"], m3 * m2 * m1 * m0 * size["input"],
                    n3 * n0 * size["weight"], max(2 * c2 * c1 * (c0 - 1), 1) * size["output"],
                ]  # fmt: skip
                sum(word * energy for word, energy in zip(words, ENERGY_PJ, strict=True))
                count += 1
    return count


def main() -> None:
    """Print both speeds and their ratio."""
    start = time.perf_counter()
    count = plain_loop()
    loop_s = time.perf_counter() - start
    start = time.perf_counter()
    legal = tilings(NEST, LIMITS)
    accesses(NEST, legal)
    cycles(NEST, legal)
    arrays_s = time.perf_counter() - start
    assert len(legal) == count
    assert len(TRAFFIC) == len(ENERGY_PJ)
    print(f"{count} tilings a second: loop {count / loop_s:.3g}, arrays {count / arrays_s:.3g}")
    print(f"ratio {loop_s / arrays_s:.0f}")
    best_tiling.cache_clear()
    path = importlib.resources.files("hwsim.examples") / "transformer_base.yaml"
    start = time.perf_counter()
    result = hwsim.score(str(path), accounting="shiftaddnas")
    print(f"Transformer-base: {time.perf_counter() - start:.3f} s for {result.energy_j * 1e3:.2f} mJ")


if __name__ == "__main__":
    main()
