"""Convert between scores, log-odds and probabilities."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Confidence level of intervals.
LEVEL = 0.95


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
