"""Metrics of binary predictions: pure functions of labels and probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics

from outsort.errors import DataError
from outsort.labels import ANSWERS, KPO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from outsort.numeric import Floats

#: Bins of the calibration error, each with the same number of rows.
N_BINS = 15
#: Bootstrap resamples behind an interval, and its confidence level.
N_RESAMPLES = 1000
LEVEL = 0.95
#: Points of the precision-coverage curve.
N_POINTS = 20


def decisions(
    labels: NDArray[np.str_], predicted: NDArray[np.str_], accepted: NDArray[np.bool_], weights: Floats
) -> dict[str, float | None]:
    """Return precision and coverage of the accepted answers.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        predicted: (n_rows,) of BPO, KPO.
        accepted: bool (n_rows,).
        weights: float64 (n_rows,), row weights.

    Returns:
        A dict: `precision`, the fraction of accepted answers that are right, where accepting a NEITHER or
        UNCLEAR row is wrong; `coverage`, the fraction of BPO and KPO rows that are accepted;
        `others_reviewed`, the fraction of the other rows that are not. Undefined values are None.
    """
    decided = np.isin(labels, ANSWERS)

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
        total = weights[among].sum()
        return float(weights[of & among].sum() / total) if total else None

    return {
        "precision": share(labels == predicted, accepted),
        "coverage": share(accepted, decided),
        "others_reviewed": share(~accepted, ~decided),
    }


def curve(
    correct: NDArray[np.bool_], confidence: Floats, weights: Floats, n_points: int = N_POINTS
) -> list[dict[str, float]]:
    """Return the precision-coverage curve for falling thresholds, at `n_points` even steps of coverage.

    Args:
        correct: bool (n_rows,), whether each answer was right.
        confidence: float64 (n_rows,), compared with the threshold.
        weights: float64 (n_rows,), row weights, not all 0.
        n_points: number of points; fewer if confidences are tied.

    Returns:
        For each point, in order of coverage: `threshold`, `coverage` (fraction of all rows accepted) and
        `precision` (fraction of these that are right). Rows of equal confidence are accepted together.

    >>> curve(np.array([True, False]), np.array([0.9, 0.6]), np.ones(2))[0]
    {'threshold': 0.9, 'coverage': 0.5, 'precision': 1.0}
    """
    order = np.argsort(-confidence, kind="stable")
    falling, w = confidence[order], weights[order]
    covered, right = np.cumsum(w) / w.sum(), np.cumsum(w * correct[order]) / w.sum()
    # The last row of each confidence: rows before it with the same confidence are accepted with it.
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    ends = ends[covered[ends] > 0]
    steps = np.arange(1, n_points + 1) / n_points
    places = np.unique(np.minimum(np.searchsorted(covered[ends], steps - 1e-12), len(ends) - 1))
    return [
        {
            "threshold": float(falling[i]),
            "coverage": float(covered[i]),
            "precision": float(right[i] / covered[i]),
        }
        for i in ends[places]
    ]


def intervals(
    labels: NDArray[np.str_],
    p_kpo: Floats,
    p_neither: Floats,
    *,
    weights: Floats | None = None,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Return confidence intervals, of level `LEVEL`, for metrics of `score`.

    The percentile bootstrap (Efron, 1979) with `N_RESAMPLES` resamples of the rows. The intervals cover the
    variation between samples of the same kind of rows, not a change in the kind of rows.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        p_kpo: float64 (n_rows,), the probability of KPO.
        p_neither: float64 (n_rows,), the probability of NEITHER, or NaN.
        weights: float64 (n_rows,), row weights; all equal if None.
        seed: random seed.

    Returns:
        Lower and upper bound of `accuracy`, `macro_f1`, `auc`, `log_loss`, `brier` and `neither_auc`, where
        defined.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    decided = np.isin(labels, ANSWERS)
    is_kpo, predicted_kpo = labels == KPO, p_kpo > 0.5
    p_right = np.clip(np.where(is_kpo, p_kpo, 1 - p_kpo), np.finfo(np.float64).eps, 1)
    per_row = np.stack(
        [
            decided & (is_kpo == predicted_kpo),
            -np.log(p_right) * decided,
            (p_kpo - is_kpo) ** 2 * decided,
            decided & is_kpo & predicted_kpo,
            decided & ~is_kpo & ~predicted_kpo,
            decided & is_kpo,
            decided & predicted_kpo,
            decided,
        ],
        axis=1,
    ).astype(np.float64)
    rng = np.random.default_rng(seed)
    draws: dict[str, list[Floats]] = {}
    n_rows = len(labels)
    chunk = max(1, 4_000_000 // max(n_rows, 1))
    for start in range(0, N_RESAMPLES, chunk):
        size = min(chunk, N_RESAMPLES - start)
        drawn = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=size) * weights
        right, loss, brier, kpo_right, bpo_right, kpo, kpo_predicted, total = (drawn @ per_row).T
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = [
                2 * kpo_right / (kpo + kpo_predicted),
                2 * bpo_right / ((total - kpo) + (total - kpo_predicted)),
            ]
            found = {
                "accuracy": right / total,
                "macro_f1": np.mean(np.nan_to_num(f1), axis=0),
                "auc": _resampled_auc(drawn[:, decided], is_kpo[decided], p_kpo[decided]),
                "log_loss": loss / total,
                "brier": brier / total,
            }
            if not np.isnan(p_neither).any():
                found["neither_auc"] = _resampled_auc(drawn, ~decided, p_neither)
        for name, values in found.items():
            draws.setdefault(name, []).append(values)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    result = {}
    for name, parts in draws.items():
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        # If most resamples have one class only, the AUC is undefined in them: give no interval.
        if len(values) > N_RESAMPLES / 2:
            result[name] = np.quantile(values, tails).tolist()
    return result


def _resampled_auc(drawn: Floats, positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Return the area under the ROC curve for each resample, given as row weights (n_resamples, n_rows)."""
    if not len(scores):
        return np.full(len(drawn), np.nan)
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    of_positive, of_negative = (
        np.add.reduceat(np.where(rows[order], drawn[:, order], 0.0), starts, axis=1)
        for rows in (positive, ~positive)
    )
    below = np.cumsum(of_negative, axis=1) - of_negative
    pairs = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    area: Floats = (of_positive * (below + of_negative / 2)).sum(axis=1) / pairs
    return area


def score(
    labels: NDArray[np.str_],
    p_kpo: Floats,
    p_neither: Floats,
    *,
    weights: Floats | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Compute metrics of predicted probabilities.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        p_kpo: float64 (n_rows,), the probability of KPO, given that the work is BPO or KPO.
        p_neither: float64 (n_rows,), the probability of NEITHER, or NaN.
        weights: float64 (n_rows,), row weights; all equal if None.
        source: name of the data; if given, raise an error for data without BPO or KPO rows.

    Returns:
        A dict: `n` (number of BPO and KPO rows), `n_left_out` (the others); for the BPO and KPO rows
        `accuracy`, `macro_f1`, `auc`, `log_loss` (nats), `brier` (mean squared error of the probability of
        KPO), `calibration_error`, `per_class` (precision, recall, n) and `confusion` (rows: actual BPO, KPO;
        columns: predicted BPO, KPO; with weights, their sums); for all rows `neither_auc`, of the probability
        of NEITHER. Undefined values are None.

    Raises:
        DataError: no row is labelled BPO or KPO, or all of these have weight 0 (and `source` is given).
    """
    decided = np.isin(labels, ANSWERS)
    weights = np.ones(len(labels)) if weights is None else weights
    w = weights[decided]
    result: dict[str, Any] = {"n": int(decided.sum()), "n_left_out": int((~decided).sum())}
    if not w.any():
        if source is not None:
            raise DataError(f"{source}: no row is labelled BPO or KPO, so there is nothing to evaluate.")
        return result
    is_kpo, p = labels[decided] == KPO, p_kpo[decided]
    answer = p > 0.5
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        is_kpo, answer, labels=[False, True], zero_division=0, sample_weight=w
    )
    both = w[is_kpo].any() and w[~is_kpo].any()
    confusion = metrics.confusion_matrix(is_kpo, answer, labels=[False, True], sample_weight=w)
    result |= {
        "accuracy": float(metrics.accuracy_score(is_kpo, answer, sample_weight=w)),
        "macro_f1": float(
            metrics.f1_score(is_kpo, answer, average="macro", zero_division=0, sample_weight=w)
        ),
        "auc": float(metrics.roc_auc_score(is_kpo, p, sample_weight=w)) if both else None,
        "log_loss": float(metrics.log_loss(is_kpo, p, labels=[False, True], sample_weight=w)),
        "brier": float(np.average((p - is_kpo) ** 2, weights=w)),
        "calibration_error": calibration_error(answer == is_kpo, np.maximum(p, 1 - p), weights=w),
        "per_class": {
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "n": int((is_kpo == bool(i)).sum()),
            }
            for i, label in enumerate(ANSWERS)
        },
        "confusion": confusion.tolist(),
    }
    apart = weights[~decided].any() and not np.isnan(p_neither).any()
    result["neither_auc"] = (
        float(metrics.roc_auc_score(~decided, p_neither, sample_weight=weights)) if apart else None
    )
    return result


def calibration_error(
    correct: Sequence[bool] | NDArray[np.bool_],
    confidence: Floats,
    n_bins: int = N_BINS,
    *,
    weights: Floats | None = None,
) -> float:
    """Return the expected calibration error with equal-mass bins.

    The rows are sorted by confidence and divided into `n_bins` bins of equal mass, or nearly so; the error is
    the mean over rows of the gap between accuracy and mean confidence in a row's bin (Naeini, Cooper and
    Hauskrecht, 2015, with the equal-mass bins of Nixon et al., 2019).

    Args:
        correct: bool (n_rows,), whether each answer was right.
        confidence: float64 (n_rows,), the predicted probability of each answer.
        n_bins: number of bins, capped at one per row.
        weights: float64 (n_rows,), row weights; all equal if None.

    >>> calibration_error([True, False], np.array([0.75, 0.75]), n_bins=1)
    0.25
    """
    order = np.argsort(confidence, kind="stable")
    w = np.ones(len(order)) if weights is None else weights[order]
    gaps = w * (np.asarray(correct, dtype=np.float64)[order] - confidence[order])
    # A row belongs to the bin that the middle of its mass falls into.
    middle = (np.cumsum(w) - w / 2) / w.sum()
    bins = np.minimum((middle * min(n_bins, len(w))).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, weights=gaps)).sum() / w.sum())


def plain(value: object) -> object:
    """Convert a NumPy scalar to a Python one, for JSON."""
    return value.item() if isinstance(value, np.generic) else value
