"""Convert between scores, log-odds and probabilities."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def odds_to_proba(log_odds: Floats) -> Floats:
    """Convert log-odds (n,) of the second of two classes to the probabilities of both (n, 2).

    >>> odds_to_proba(np.array([0.0]))
    array([[0.5, 0.5]])
    """
    both = np.stack([-log_odds, log_odds], axis=1)
    # Use each of the two forms of the logistic function where its exponential cannot overflow.
    small = np.exp(-np.abs(both))
    return np.where(both >= 0, 1 / (1 + small), small / (1 + small))


def label_proba(log_odds: Floats, p_neither: Floats) -> Floats:
    """Return the probabilities of `LABELS`: float64 (n, 3).

    Args:
        log_odds: float64 (n,), of KPO against BPO.
        p_neither: float64 (n,), the probability of NEITHER; NaN (unknown) counts as 0.
    """
    neither = np.nan_to_num(p_neither)[:, None]
    return np.hstack([odds_to_proba(log_odds) * (1 - neither), neither])


def logsumexp(scores: Floats) -> Floats:
    """Return log(sum(exp(scores))) of each row: float64 (n, k) to float64 (n,), for k > 0.

    `scipy.special.logsumexp` does the same, but importing it would double the time to the first answer.
    """
    highest = scores.max(axis=1)
    total: Floats = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return total
