"""The threshold from which accepted answers have a certified precision, if there is one."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from outsort.numeric import Floats
from outsort.results import Result

#: Most searches, each with an equal share of the permitted error: from the strictest threshold, which succeeds with
#: few rows, and from further down, which an unlucky mistake among the most confident answers cannot stop.
_MAX_SEARCHES = 4
#: Each candidate threshold accepts this many times the rows of the one before.
_STEP = 1.02


@dataclass(frozen=True)
class Certificate(Result):
    """What held-out rows certify about accepted answers.

    Attributes:
        target: the promised precision of accepted answers.
        level: the confidence level of the promise: the probability, over draws of such rows, that it holds.
        n_rows: held-out rows.
        n_more: about how many more such rows would certify a threshold, if answers were as good as on these;
            0 with a threshold, -1 where no number would: no candidate reached the target.
        threshold: the least confidence to accept; NaN if the rows certify none.
        precision: share of accepted answers that are right; NaN without a threshold.
        bound: lower confidence bound of the precision; NaN without a threshold.
        coverage: share of all rows accepted; 0 without a threshold.
    """

    target: float
    level: float
    n_rows: int
    n_more: int
    threshold: float = math.nan
    precision: float = math.nan
    bound: float = math.nan
    coverage: float = 0.0


def certify(
    confidence: Floats,
    correct: NDArray[np.bool_],
    target: float,
    level: float,
    weights: Floats | None = None,
    seed: int = 0,
) -> Certificate:
    """Find the lowest threshold whose accepted answers have the target precision.

    Up to four searches (see `_searches`) try candidates in order, one from the strictest and the others from evenly
    further down, each until a candidate fails; a candidate passes when the exact lower bound (Clopper and Pearson,
    1934) of its precision, at the search's share of the error, reaches the target. A fixed order that does not depend
    on `correct` keeps the error of the whole search at 1 - level (Learn then Test; Angelopoulos, Bates, Candès,
    Jordan and Lei, 2021).

    Args:
        confidence: float64 (n_rows,), of answers to held-out rows; 0 for those that are never accepted.
        correct: bool (n_rows,), whether each answer was right.
        target: precision that accepted answers must have, above 0 and under 1.
        level: probability that they have it, above 0 and under 1.
        weights: float64 (n_rows,), 0 or above. Rows are kept at random in proportion to their weight; those
            kept count equally, so the bound is exact again.
        seed: random seed.

    Raises:
        ValueError: `target` or `level` is not between 0 and 1.
    """
    if not (0 < target < 1 and 0 < level < 1):
        raise ValueError(f"target is {target}, level {level}: choose between 0 and 1")
    if weights is not None:
        kept = np.random.default_rng(seed).random(len(weights)) * weights.max(initial=0) < weights
        confidence, correct = confidence[kept], correct[kept]
    n_rows = len(confidence)
    n_searches = _searches(n_rows, target, level)
    error = (1 - level) / n_searches
    thresholds, sizes, n_right = _candidates(confidence, correct, _fewest(target, error))
    best, bound = -1, math.nan
    for start in (len(sizes) * search // n_searches for search in range(n_searches)):
        bounds = lower_bound(n_right[start:], sizes[start:], error)
        n_passed = int(np.argmin(np.append(bounds >= target, False)))
        if n_passed and start + n_passed - 1 > best:
            best, bound = start + n_passed - 1, float(bounds[n_passed - 1])
    if best < 0:
        n_more = _rows_wanted(n_right, sizes, n_rows, target, error) - n_rows
        return Certificate(target, level, n_rows, n_more=_about(max(n_more, -1)))
    return Certificate(
        target,
        level,
        n_rows,
        n_more=0,
        threshold=float(thresholds[best]),
        precision=float(n_right[best] / sizes[best]),
        bound=bound,
        coverage=float(sizes[best] / n_rows),
    )


def rows_to_accept(confidence: Floats, correct: NDArray[np.bool_], target: float, level: float) -> tuple[float, int]:
    """Return how much could be accepted, and about how many such rows would certify it.

    The arguments are those of `certify`.

    Returns:
        The largest share of rows whose answers were right often enough, 0 if there is none; and the number of rows,
        in all, that would certify its threshold at that precision, -1 if no number would.
    """
    _, sizes, n_right = _candidates(confidence, correct, 1)
    hopeful = np.flatnonzero(n_right > target * (sizes + 1))
    if not len(hopeful):
        return 0.0, -1
    widest = slice(hopeful[-1], hopeful[-1] + 1)
    error = (1 - level) / _MAX_SEARCHES
    n_rows = _rows_wanted(n_right[widest], sizes[widest], len(confidence), target, error)
    return float(sizes[hopeful[-1]] / len(confidence)), _about(n_rows)


def lower_bound(n_right: NDArray[np.int64], n: NDArray[np.int64], error: float) -> Floats:
    """Return the exact lower confidence bound of a share, observed as `n_right` of `n`.

    The bound of Clopper and Pearson (1934): the true share is below it with a probability of no more than
    `error`.

    Args:
        n_right: int64 (k,), 0 to n.
        n: int64 (k,), 1 or above.
        error: 1 - confidence level.

    >>> lower_bound(np.array([10]), np.array([10]), 0.05).round(4)  # 0.05 ** (1 / 10)
    array([0.7411])
    """
    return np.where(n_right > 0, beta.ppf(error, np.maximum(n_right, 1), n - n_right + 1), 0.0)


def _searches(n_rows: int, target: float, level: float) -> int:
    """Return how many searches so many rows bear: a share of the error is more than few rows can spare.

    >>> _searches(200, 0.95, 0.9), _searches(200, 0.9, 0.9), _searches(40_000, 0.95, 0.9)
    (1, 2, 4)
    """
    return min(_MAX_SEARCHES, max(1, n_rows // (4 * _fewest(target, 1 - level))))


def _about(n: int) -> int:
    """Round up to two digits: the estimate is no more accurate.

    >>> _about(1_922_356), _about(70), _about(-1)
    (2000000, 70, -1)
    """
    unit: int = 10 ** max(len(str(n)) - 2, 0)
    return -(-n // unit) * unit


def _fewest(target: float, error: float) -> int:
    """Return how many right answers, and none wrong, certify the target."""
    return math.ceil(math.log(error) / math.log(target))


def _candidates(
    confidence: Floats, correct: NDArray[np.bool_], fewest: int
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return thresholds, strictest first, the rows that each accepts, and how many of those are right."""
    n_rows = len(confidence)
    if n_rows == 0:
        return np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    n_steps = max(0, math.ceil(math.log(max(n_rows / fewest, 1), _STEP)))
    places = np.minimum((fewest * _STEP ** np.arange(n_steps + 1)).astype(int), n_rows) - 1
    thresholds = np.unique(falling[places][falling[places] > 0])[::-1]
    # Rows of equal confidence are accepted together.
    sizes = np.searchsorted(-falling, -thresholds, side="right").astype(np.int64)
    return thresholds, sizes, np.cumsum(correct[order], dtype=np.int64)[sizes - 1]


def _rows_wanted(n_right: NDArray[np.int64], sizes: NDArray[np.int64], n_rows: int, target: float, error: float) -> int:
    """Return how many rows would certify a threshold at the observed precision; -1 if no number would."""
    # The best of many shares is optimistic by selection: one more wrong answer corrects for it.
    share = n_right / (sizes + 1)
    hopeful = share > target
    if not hopeful.any():
        return -1
    share, coverage = share[hopeful, None], (sizes / n_rows)[hopeful, None]
    n = (_fewest(target, error) * 1.2 ** np.arange(60)).astype(np.int64)[None, :]
    enough = lower_bound((share * n).astype(np.int64), n, error) >= target
    wanted = np.where(enough, n / coverage, np.inf).min()
    return math.ceil(wanted) if np.isfinite(wanted) else -1
