"""Expected values of random zeros: widths of compressed words, and the time of units that wait for each other.

Each word is zero with the same probability, independently of all others.
"""

from __future__ import annotations

import numpy as np

from hwsim.architecture.sparsity import Bitmap, Compression, Csr, RunLength


def compressed_bits(compression: Compression, bits: float, density: float) -> float:
    """Return the mean bits that a word of ``bits`` bits takes in a stored format, metadata included.

    Exact for bitmap and csr. For run_length it is that of a long tensor: a pair covers up to 2**run_bits - 1 zeros and
    the word after them, on average (1 - (1 - density)**(2**run_bits)) / density words.
    """
    match compression:
        case Bitmap():
            return density * bits + 1
        case RunLength(run_bits=run_bits):
            longest = 2**run_bits
            covered = (1 - (1 - density) ** longest) / density
            return float((bits + run_bits) / covered)
        case Csr(index_bits=index_bits, pointer_bits=pointer_bits, row_words=row_words):
            return density * (bits + index_bits) + pointer_bits / row_words


def skipped_time(density: float, lanes: int, window: int) -> float:
    """Return the share of time that is left when zeros are skipped.

    Of ``window`` points every one of ``lanes`` independent units computes those that are not zero; all wait for the
    slowest. The number of a unit is binomial, so that the mean of the largest of all is the sum over k < window of
    1 - P(X <= k)**lanes.
    """
    if density == 1:
        return 1.0
    points = np.arange(window)
    # P(X = k) by its logarithm, because windows may be long
    steps = np.log((window - points[:-1]) / (points[:-1] + 1.0)) + np.log(density / (1 - density))
    logarithms = window * np.log1p(-density) + np.concatenate([[0.0], np.cumsum(steps)])
    at_most = np.minimum(np.cumsum(np.exp(logarithms)), 1.0)
    return float(np.sum(1 - at_most**lanes) / window)
