"""Calibration: what turns the scores of held-out answers into probabilities."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from outsort.model import uncalibrated
from outsort.numeric import Floats, logsumexp

#: With fewer rows no slope is fitted, and with fewer rows of a label no effect of that label: it would follow noise.
MIN_ROWS = 30
#: Nearly no penalty: few parameters fitted to many rows need none, but a label without errors has no optimum.
_PENALTY = 1e-6


def calibrate(
    codes: NDArray[np.intp], scores: Floats, later_shares: Floats, weights: Floats, n_in_scope: int
) -> tuple[Floats, Floats]:
    """Fit the calibration of a model to its uncalibrated answers to held-out rows, by maximum likelihood.

    Of the labels in scope: the softmax of intercept + slope * score, with one slope for all (for two labels,
    the curve of Platt, 1999). Of the label out of scope: a curve for its log-odds against all others. Both are
    fitted to texts of one clause if there are enough; longer texts then say by how much the later clauses' scores
    are too high. A slope is taken to be 1 give or take 1 (a Gaussian prior): few rows without a mistake would
    otherwise raise it without end.

    Args:
        codes: intp (n_rows,), the label of each row; those from `n_in_scope` on are out of scope.
        scores: float64 (n_rows, n_labels), of the labels.
        later_shares: float64 (n_rows,), how much the clauses after the first count, 0 to 1.
        weights: float64 (n_rows,), the weight of each row.
        n_in_scope: the number of labels but the one out of scope.

    Returns:
        float64 (n_labels, 2), `Model.calibration`, and float64 (n_labels,), `Model.later`. What has too few rows,
        or a slope that is not positive, stays as it is without calibration.
    """
    n_labels = scores.shape[1]
    calibration, later = uncalibrated(n_labels), np.zeros(n_labels)
    used = weights > 0
    codes, scores, later_shares, weights = codes[used], scores[used], later_shares[used], weights[used]
    inside = codes < n_in_scope
    slope, intercepts, levels = _fit(codes[inside], scores[inside, :n_in_scope], later_shares[inside], weights[inside])
    calibration[:n_in_scope] = np.column_stack([intercepts, np.full(n_in_scope, slope)])
    later[:n_in_scope] = levels
    if n_in_scope < n_labels:
        in_scope = scores[:, :n_in_scope] - later_shares[:, None] * levels
        against = np.column_stack([np.zeros(len(codes)), scores[:, n_in_scope] - logsumexp(in_scope)])
        slope, intercepts, levels = _fit((~inside).astype(np.intp), against, later_shares, weights)
        calibration[n_in_scope] = intercepts[1] - intercepts[0], slope
        later[n_in_scope] = levels[1] - levels[0]
    return calibration, later


def frequencies(codes: NDArray[np.intp], weights: Floats, n_labels: int) -> Floats:
    """Return how often each label comes, as far as rows tell: float64 (n_labels,), all above 0, adding up to 1.

    Args:
        codes: intp (n_rows,), the label of each row.
        weights: float64 (n_rows,), the weight of each row.
        n_labels: the number of labels; each counts as having one row more.

    >>> frequencies(np.array([0, 0, 1]), np.ones(3), 2).tolist()
    [0.6, 0.4]
    """
    counts = np.bincount(codes, weights, n_labels) / weights.mean() + 1
    return np.asarray(counts / counts.sum())


def _fit(
    codes: NDArray[np.intp], scores: Floats, later_shares: Floats, weights: Floats
) -> tuple[float, Floats, Floats]:
    """Return slope, intercepts (n,) and levels (n,) such that softmax(intercept + slope * (score - level)) fits."""
    n = scores.shape[1]
    is_short = later_shares == 0
    base = is_short if is_short.sum() >= MIN_ROWS else np.ones(len(codes), np.bool_)
    ones = np.ones(int(base.sum()))
    slope, intercepts = _maximise(codes[base], weights[base], scores[base], ones)
    if slope <= 0:
        slope, intercepts = 1.0, np.zeros(n)
    long = ~is_short
    _, pushes = _maximise(
        codes[long], weights[long], intercepts + slope * scores[long], -slope * later_shares[long], slope=1.0
    )
    return slope, intercepts, pushes


def _maximise(
    codes: NDArray[np.intp], weights: Floats, scores: Floats, factor: Floats, slope: float | None = None
) -> tuple[float, Floats]:
    """Find the slope and the effects of softmax(slope * score + factor * effect) with the highest likelihood.

    Args:
        codes: intp (n_rows,), the right label of each row.
        weights: float64 (n_rows,).
        scores: float64 (n_rows, n_labels).
        factor: float64 (n_rows,), what the effects are multiplied by.
        slope: the slope, if only the effects are wanted.

    Returns:
        The slope, 1 with fewer than `MIN_ROWS` rows; and float64 (n_labels,): 0 for labels with fewer than
        `MIN_ROWS` rows, and for all if only one label has as many.
    """
    n_labels = scores.shape[1]
    free = np.bincount(codes, minlength=n_labels) >= MIN_ROWS
    free &= free.sum() > 1
    if len(codes) < MIN_ROWS or not (slope is None or free.any()):
        return 1.0, np.zeros(n_labels)
    share = weights / weights.sum()
    right = np.zeros_like(scores)
    right[np.arange(len(codes)), codes] = 1
    # Of the slope and the effects.
    penalty = np.append(0.5 / len(codes), np.full(n_labels, _PENALTY))
    centre = np.append(1.0, np.zeros(n_labels))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        """Return the mean log loss and its gradient, in slope and effects."""
        logits = parameters[0] * scores + factor[:, None] * parameters[1:]
        log_proba = logits - logsumexp(logits)[:, None]
        residual = share[:, None] * (np.exp(log_proba) - right)
        gradient = np.append((residual * scores).sum() * (slope is None), (factor @ residual) * free)
        away = (parameters - centre) * np.append(slope is None, free)
        value = -float(share @ log_proba[np.arange(len(codes)), codes])
        return value + float(penalty @ away**2), gradient + 2 * penalty * away

    start = np.append(slope or 1.0, np.zeros(n_labels))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9}).x
    return float(found[0]), found[1:]
