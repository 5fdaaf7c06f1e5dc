"""From which confidence answers can be taken: a threshold that keeps a promise, or none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.numeric import Floats

#: Shares of the permitted error that go to the search from the strictest threshold, which finds one where
#: rows are few, and to that from the middle, which a stroke of bad luck among the surest answers cannot stop.
_ERROR_SHARES = (0.25, 0.75)
#: Each threshold tried accepts so many times the rows of the one before.
_STEP = 1.02


class Certificate(NamedTuple):
    """What held-out rows say of accepting answers from a threshold on.

    Attributes:
        target: the precision promised of accepted answers.
        level: the probability, over draws of such rows, that a promise made is kept.
        threshold: the least confidence to accept; NaN where the rows certify none.
        precision: share of right answers among those accepted; NaN without a threshold.
        bound: lower confidence bound of that share; likewise.
        coverage: share of all rows accepted; 0 without a threshold.
        n_rows: rows judged.
        n_more: about how many more such rows would certify a threshold, were answers as good as on these;
            0 where one is certified, and -1 where none would: no threshold had the precision.
    """

    target: float
    level: float
    threshold: float
    precision: float
    bound: float
    coverage: float
    n_rows: int
    n_more: int


def certify(
    confidence: Floats,
    correct: NDArray[np.bool_],
    target: float,
    level: float,
    weights: Floats | None = None,
    seed: int = 0,
) -> Certificate:
    """Find the least threshold whose accepted answers are right as often as promised.

    Thresholds are tried from the strictest down, and from the middle of them down, until one fails; one
    passes when the exact lower bound (Clopper and Pearson, 1934) of its precision, at the error left to
    its search, reaches the target. Trying in a fixed order that does not look at `correct` keeps the error
    of the whole search at 1 - level (Learn then Test; Angelopoulos, Bates, Candès, Jordan and Lei, 2021).

    Args:
        confidence: float64 (n_rows,), of answers to rows that the model was not trained on.
        correct: bool (n_rows,), whether each answer was right.
        target: precision that accepted answers shall have, above 0 and under 1.
        level: probability that they have it, above 0 and under 1.
        weights: float64 (n_rows,), 0 or above: how much each row counts. Rows are then kept by chance in
            proportion to their weight, after which all count alike and the bound is exact again.
        seed: of that chance.

    Raises:
        ValueError: `target` or `level` is not between 0 and 1.
    """
    if not (0 < target < 1 and 0 < level < 1):
        raise ValueError(f"target {target} and confidence {level} must lie between 0 and 1")
    if weights is not None:
        kept = np.random.default_rng(seed).random(len(weights)) * weights.max(initial=0) < weights
        confidence, correct = confidence[kept], correct[kept]
    n_rows = len(confidence)
    errors = [share * (1 - level) for share in _ERROR_SHARES]
    thresholds, sizes, n_right = _candidates(confidence, correct, _fewest(target, errors[0]))
    best, bound = -1, math.nan
    for start, error in zip((0, len(sizes) // 2), errors, strict=True):
        bounds = lower_bound(n_right[start:], sizes[start:], error)
        n_passed = int(np.argmin(np.append(bounds >= target, False)))
        if n_passed and start + n_passed - 1 > best:
            best, bound = start + n_passed - 1, float(bounds[n_passed - 1])
    if best < 0:
        n_more = _rows_wanted(n_right, sizes, n_rows, target, errors[0]) - n_rows
        return Certificate(target, level, math.nan, math.nan, math.nan, 0.0, n_rows, _about(max(n_more, -1)))
    return Certificate(
        target,
        level,
        float(thresholds[best]),
        float(n_right[best] / sizes[best]),
        bound,
        float(sizes[best] / n_rows),
        n_rows,
        0,
    )


def lower_bound(n_right: NDArray[np.int64], n: NDArray[np.int64], error: float) -> Floats:
    """Return the exact lower bound of a share seen as `n_right` of `n` (Clopper and Pearson, 1934).

    Args:
        n_right: int64 (k,), 0 to n.
        n: int64 (k,), 1 or above.
        error: probability that the true share is below the bound, at most.

    >>> lower_bound(np.array([10]), np.array([10]), 0.05).round(4)  # 0.05 ** (1 / 10)
    array([0.7411])
    """
    return np.where(n_right > 0, beta.ppf(error, np.maximum(n_right, 1), n - n_right + 1), 0.0)


def _about(n: int) -> int:
    """Round up to two digits: an estimate of how many rows is no better than that.

    >>> _about(1_922_356), _about(70), _about(-1)
    (2000000, 70, -1)
    """
    unit: int = 10 ** max(len(str(n)) - 2, 0)
    return -(-n // unit) * unit


def _fewest(target: float, error: float) -> int:
    """Return how many right answers without a wrong one it takes to certify the target."""
    return math.ceil(math.log(error) / math.log(target))


def _candidates(
    confidence: Floats, correct: NDArray[np.bool_], fewest: int
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return thresholds, strictest first, with how many rows each accepts and how many of them are right."""
    n_rows = len(confidence)
    if n_rows == 0:
        return np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    n_steps = max(0, math.ceil(math.log(max(n_rows / fewest, 1), _STEP)))
    places = np.minimum((fewest * _STEP ** np.arange(n_steps + 1)).astype(int), n_rows) - 1
    thresholds = np.unique(falling[places])[::-1]
    # All rows of the same confidence are accepted together.
    sizes = np.searchsorted(-falling, -thresholds, side="right").astype(np.int64)
    return thresholds, sizes, np.cumsum(correct[order], dtype=np.int64)[sizes - 1]


def _rows_wanted(
    n_right: NDArray[np.int64], sizes: NDArray[np.int64], n_rows: int, target: float, error: float
) -> int:
    """Return how many rows would certify a threshold, were its precision as seen; -1 where none would."""
    # The best of many shares is flattered by chance: one more wrong answer makes up for it.
    share = n_right / (sizes + 1)
    hopeful = share > target
    if not hopeful.any():
        return -1
    share, coverage = share[hopeful, None], (sizes / n_rows)[hopeful, None]
    n = (_fewest(target, error) * 1.2 ** np.arange(60)).astype(np.int64)[None, :]
    enough = lower_bound((share * n).astype(np.int64), n, error) >= target
    wanted = np.where(enough, n / coverage, np.inf).min()
    return math.ceil(wanted) if np.isfinite(wanted) else -1
