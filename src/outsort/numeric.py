"""Convert between scores, log-odds and probabilities, and bound a share."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Confidence level of intervals.
LEVEL = 0.95
#: Standard errors to each side of such an interval.
CRITICAL_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


def log_logistic(log_odds: Floats) -> Floats:
    """Return log(1 / (1 + exp(-x))) of log-odds of any shape, without overflow.

    >>> log_logistic(np.array([0.0, -1000.0])).round(4).tolist()
    [-0.6931, -1000.0]
    """
    return np.minimum(log_odds, 0) - np.log1p(np.exp(-np.abs(log_odds)))


def logsumexp(scores: Floats) -> Floats:
    """Return log(sum(exp(scores))) over the last axis: float64 (..., k) to float64 (...), for k > 0.

    `scipy.special.logsumexp` does the same, but importing it would double the time to the first answer.
    """
    highest = scores.max(axis=-1)
    total: Floats = highest + np.log(np.exp(scores - highest[..., None]).sum(axis=-1))
    return total


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the `LEVEL` interval of a share (Wilson, 1927): within 0 and 1, and wider than a point at either.

    Args:
        share: 0 to 1.
        n: the rows that it is a share of, above 0.

    >>> low, high = wilson(81 / 263, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    z = CRITICAL_Z
    middle, scale = share + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At an end of the scale it is that end, but for rounding.
    return (middle - half) / scale if share > 0 else 0.0, (middle + half) / scale if share < 1 else 1.0
