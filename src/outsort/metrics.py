"""Metrics of BPO against KPO: pure functions of labels and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from outsort.errors import DataError
from outsort.labels import ANSWERS, KPO
from outsort.numeric import Floats
from outsort.results import Result

#: Bins of the calibration error, each with the same number of rows.
N_BINS = 15
#: Bootstrap resamples behind an interval, and its confidence level.
N_RESAMPLES = 1000
LEVEL = 0.95
#: Points of the curve of precision against coverage.
N_POINTS = 20


@dataclass(frozen=True)
class Counts(Result):
    """How many rows the scores cover.

    Attributes:
        n: rows labelled BPO or KPO.
        n_left_out: all other rows.
    """

    n: int
    n_left_out: int


@dataclass(frozen=True)
class LabelScores(Result):
    """Precision, recall and number of rows of one label."""

    precision: float
    recall: float
    n: int


@dataclass(frozen=True)
class Scores(Counts):
    """Scores over the rows labelled BPO or KPO; None where the rows do not define a metric.

    Attributes:
        accuracy: share of right answers.
        macro_f1: mean F1 of the two labels.
        auc: area under the ROC curve of the probability of KPO.
        log_loss: in nats.
        brier: mean squared error of the probability of KPO.
        calibration_error: see `calibration_error`.
        per_class: precision, recall and rows of each label.
        confusion: rows actual BPO, KPO; columns predicted BPO, KPO; sums of weights.
        neither_auc: area under the ROC curve of the probability of NEITHER, over all rows.
    """

    accuracy: float
    macro_f1: float
    auc: float | None
    log_loss: float
    brier: float
    calibration_error: float
    per_class: dict[str, LabelScores]
    confusion: list[list[float]]
    neither_auc: float | None


@dataclass(frozen=True)
class Decisions(Result):
    """The effect of accepting some answers; None where the rows do not define a figure.

    Attributes:
        threshold: the confidence from which answers were accepted.
        precision: share of accepted answers that are right; an accepted NEITHER or UNCLEAR row is wrong.
        coverage: share of BPO and KPO rows that are accepted.
        others_reviewed: share of the other rows that go to review.
    """

    threshold: float
    precision: float | None
    coverage: float | None
    others_reviewed: float | None


@dataclass(frozen=True)
class CurvePoint(Result):
    """A point of the curve of precision against coverage: see `curve`."""

    threshold: float
    coverage: float
    precision: float


def weighted_share(weights: Floats, of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    """Return the share by weight of some rows among others; None where the others have no weight.

    Args:
        weights: float64 (n_rows,), row weights.
        of: bool (n_rows,), the rows to count.
        among: bool (n_rows,), the rows to count them among.

    >>> weighted_share(np.array([1.0, 3.0]), np.array([False, True]), np.array([True, True]))
    0.75
    """
    total = weights[among].sum()
    return float(weights[of & among].sum() / total) if total else None


def decisions(
    labels: NDArray[np.str_],
    predicted: NDArray[np.str_],
    accepted: NDArray[np.bool_],
    weights: Floats,
    threshold: float,
) -> Decisions:
    """Measure the effect of accepting some answers.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        predicted: (n_rows,) of BPO, KPO.
        accepted: bool (n_rows,).
        weights: float64 (n_rows,), row weights.
        threshold: the confidence from which answers were accepted.
    """
    decided = np.isin(labels, ANSWERS)
    return Decisions(
        threshold,
        precision=weighted_share(weights, labels == predicted, accepted),
        coverage=weighted_share(weights, accepted, decided),
        others_reviewed=weighted_share(weights, ~accepted, ~decided),
    )


def curve(
    correct: NDArray[np.bool_], confidence: Floats, weights: Floats, n_points: int = N_POINTS
) -> list[CurvePoint]:
    """Return precision against coverage at up to `n_points` even steps of coverage, ascending.

    Args:
        correct: bool (n_rows,), whether each answer was right.
        confidence: float64 (n_rows,), compared with the threshold.
        weights: float64 (n_rows,), row weights, not all 0.
        n_points: the number of steps.

    Returns:
        For each point the threshold, the share of all rows accepted (rows of equal confidence together) and
        the share of these that are right.

    >>> curve(np.array([True, False]), np.array([0.9, 0.6]), np.ones(2))[0]
    CurvePoint(threshold=0.9, coverage=0.5, precision=1.0)
    """
    order = np.argsort(-confidence, kind="stable")
    falling, w = confidence[order], weights[order]
    covered, right = np.cumsum(w) / w.sum(), np.cumsum(w * correct[order]) / w.sum()
    # The last row of each confidence: those before it are accepted with it.
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    ends = ends[covered[ends] > 0]
    steps = np.arange(1, n_points + 1) / n_points
    places = ends[np.unique(np.minimum(np.searchsorted(covered[ends], steps - 1e-12), len(ends) - 1))]
    columns = (falling[places], covered[places], right[places] / covered[places])
    return [CurvePoint(*point) for point in zip(*(column.tolist() for column in columns), strict=True)]


def intervals(
    labels: NDArray[np.str_], p_kpo: Floats, p_neither: Floats, *, weights: Floats | None = None, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return `LEVEL` bootstrap intervals of the scores.

    The percentile bootstrap (Efron, 1979): rows are drawn with replacement, as many as there are, and
    scored again, `N_RESAMPLES` times. The interval covers other rows of the same kind, not rows of
    another kind.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        p_kpo: float64 (n_rows,), the probability of KPO.
        p_neither: float64 (n_rows,), the probability of NEITHER, or NaN.
        weights: float64 (n_rows,), row weights; all equal when None.
        seed: random seed.

    Returns:
        The low and high ends of `accuracy`, `macro_f1`, `auc`, `log_loss`, `brier` and `neither_auc`,
        where the rows define them.
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
            f1 = [2 * kpo_right / (kpo + kpo_predicted), 2 * bpo_right / ((total - kpo) + (total - kpo_predicted))]
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
        # With one class in most resamples the area is undefined, and so is its interval.
        if len(values) > N_RESAMPLES / 2:
            low, high = np.quantile(values, tails).tolist()
            result[name] = (low, high)
    return result


def _resampled_auc(drawn: Floats, positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Return the area under the ROC curve of each row of weights: (n_resamples, n_rows) to (n_resamples,)."""
    if not len(scores):
        return np.full(len(drawn), np.nan)
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    of_positive, of_negative = (
        np.add.reduceat(np.where(rows[order], drawn[:, order], 0.0), starts, axis=1) for rows in (positive, ~positive)
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
    source: str = "the data",
) -> Scores:
    """Score probabilities against labels.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        p_kpo: float64 (n_rows,), the probability of KPO, given that the work is BPO or KPO.
        p_neither: float64 (n_rows,), the probability of NEITHER, or NaN.
        weights: float64 (n_rows,), row weights; all equal when None.
        source: the name of the data in messages.

    Raises:
        DataError: no row with a weight is labelled BPO or KPO.
    """
    decided = np.isin(labels, ANSWERS)
    weights = np.ones(len(labels)) if weights is None else weights
    w = weights[decided]
    if not w.any():
        raise DataError(f"{source}: no row is labelled BPO or KPO, so there is nothing to score.")
    is_kpo, p = labels[decided] == KPO, p_kpo[decided]
    answer = p > 0.5
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        is_kpo, answer, labels=[False, True], zero_division=0, sample_weight=w
    )
    both = w[is_kpo].any() and w[~is_kpo].any()
    apart = weights[~decided].any() and not np.isnan(p_neither).any()
    confusion = metrics.confusion_matrix(is_kpo, answer, labels=[False, True], sample_weight=w)
    return Scores(
        n=int(decided.sum()),
        n_left_out=int((~decided).sum()),
        accuracy=float(metrics.accuracy_score(is_kpo, answer, sample_weight=w)),
        macro_f1=float(metrics.f1_score(is_kpo, answer, average="macro", zero_division=0, sample_weight=w)),
        auc=float(metrics.roc_auc_score(is_kpo, p, sample_weight=w)) if both else None,
        log_loss=float(metrics.log_loss(is_kpo, p, labels=[False, True], sample_weight=w)),
        brier=float(np.average((p - is_kpo) ** 2, weights=w)),
        calibration_error=calibration_error(answer == is_kpo, np.maximum(p, 1 - p), weights=w),
        per_class={
            label: LabelScores(float(precision[i]), float(recall[i]), int((is_kpo == bool(i)).sum()))
            for i, label in enumerate(ANSWERS)
        },
        confusion=confusion.tolist(),
        neither_auc=(float(metrics.roc_auc_score(~decided, p_neither, sample_weight=weights)) if apart else None),
    )


def calibration_error(
    correct: Sequence[bool] | NDArray[np.bool_],
    confidence: Floats,
    n_bins: int = N_BINS,
    *,
    weights: Floats | None = None,
) -> float:
    """Return the expected calibration error over bins of equal mass.

    The rows are sorted by confidence and split into `n_bins` bins as evenly as possible; the error is the
    mean over rows of the gap between accuracy and mean confidence of a row's bin (Naeini, Cooper and
    Hauskrecht, 2015, with the equal-mass bins of Nixon et al., 2019).

    Args:
        correct: bool (n_rows,), whether each answer was right.
        confidence: float64 (n_rows,), the probability of each answer.
        n_bins: number of bins, no more than rows.
        weights: float64 (n_rows,), row weights; all equal when None.

    >>> calibration_error([True, False], np.array([0.75, 0.75]), n_bins=1)
    0.25
    """
    order = np.argsort(confidence, kind="stable")
    w = np.ones(len(order)) if weights is None else weights[order]
    gaps = w * (np.asarray(correct, dtype=np.float64)[order] - confidence[order])
    # A row belongs to the bin that contains its middle.
    middle = (np.cumsum(w) - w / 2) / w.sum()
    bins = np.minimum((middle * min(n_bins, len(w))).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, weights=gaps)).sum() / w.sum())
