"""Metrics: pure functions of labels and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from outsort.errors import DataError
from outsort.numeric import LEVEL, Floats, wilson
from outsort.results import Result

#: Bins of the calibration error, each with the same number of rows.
N_BINS = 15
#: Bootstrap resamples behind an interval.
N_RESAMPLES = 1000
#: Points of the curve of precision against coverage.
N_POINTS = 20


@dataclass(frozen=True)
class Counts(Result):
    """How many rows the scores cover.

    Attributes:
        n: rows with a label that the model knows.
        n_left_out: all other rows.
    """

    n: int
    n_left_out: int


@dataclass(frozen=True)
class LabelScores(Result):
    """One label against the rest: precision, recall, area under the ROC curve (None if undefined), rows."""

    precision: float
    recall: float
    auc: float | None
    n: int


@dataclass(frozen=True)
class Figures(Result):
    """Scores of answers among some labels; None where the rows do not define a metric.

    Attributes:
        accuracy: share of right answers.
        macro_f1: mean F1 of the labels that are actual or predicted.
        auc: area under the ROC curve of two labels; None for more.
        log_loss: in nats.
        brier: mean over the rows of the sum over the labels of squared errors (Brier, 1950).
        calibration_error: see `calibration_error`.
        confusion: rows are actual labels, columns predicted ones; sums of weights.
    """

    accuracy: float
    macro_f1: float
    auc: float | None
    log_loss: float
    brier: float
    calibration_error: float
    confusion: list[list[float]]


@dataclass(frozen=True)
class Scores(Figures, Counts):
    """Scores over the rows whose label the model knows.

    Attributes:
        labels: the labels, in the order of `confusion`.
        per_class: one label against the rest.
        in_scope: scores of the rows in scope, by the probabilities of the labels in scope alone, whatever the
            answer: BPO against KPO. None if no label is out of scope, a single one is in scope, or no row is.
        out_of_scope_auc: area under the ROC curve of the probability of being out of scope, for telling rows
            in scope from all others.
    """

    labels: list[str]
    per_class: dict[str, LabelScores]
    in_scope: Figures | None
    out_of_scope_auc: float | None


@dataclass(frozen=True)
class Decisions(Result):
    """The effect of accepting some answers; None where the rows do not define a figure.

    Attributes:
        threshold: the confidence from which answers were accepted.
        precision: share of accepted answers that are right; an accepted UNCLEAR row is wrong.
        coverage: share of the rows with a known label that are accepted.
        others_reviewed: share of the other rows that go to review.
        intervals: the low and high ends of these shares: see `share_interval`.
    """

    threshold: float
    precision: float | None
    coverage: float | None
    others_reviewed: float | None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


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


def share_interval(weights: Floats, of: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the interval of `weighted_share`, whose arguments it has; None where there is no such share.

    Wilson's, of as many rows as `effective_rows` counts.
    """
    share = weighted_share(weights, of, among)
    if share is None:
        return None
    return wilson(share, effective_rows(weights[among]))


def effective_rows(weights: Floats) -> float:
    """Return how many rows of equal weight say as much as rows of these weights, not all 0 (Kish, 1965).

    It is the square of the sum of the weights over the sum of their squares.

    >>> effective_rows(np.array([2.0, 2.0])), effective_rows(np.array([2.0, 1.0]))
    (2.0, 1.8)
    """
    # Of the largest, so that no square overflows or vanishes.
    relative = weights / weights.max()
    return float(relative.sum() ** 2 / (relative**2).sum())


def decisions(
    labels: NDArray[np.str_],
    known: Sequence[str],
    predicted: NDArray[np.str_],
    accepted: NDArray[np.bool_],
    weights: Floats,
    threshold: float,
) -> Decisions:
    """Measure the effect of accepting some answers.

    Args:
        labels: str (n_rows,).
        known: the labels that the model knows.
        predicted: str (n_rows,) of those.
        accepted: bool (n_rows,).
        weights: float64 (n_rows,), row weights.
        threshold: the confidence from which answers were accepted.
    """
    decided = np.isin(labels, known)
    shares = {
        "precision": (labels == predicted, accepted),
        "coverage": (accepted, decided),
        "others_reviewed": (~accepted, ~decided),
    }
    ends = {name: share_interval(weights, *rows) for name, rows in shares.items()}
    return Decisions(
        threshold,
        **{name: weighted_share(weights, *rows) for name, rows in shares.items()},
        intervals={name: found for name, found in ends.items() if found},
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
    labels: NDArray[np.str_],
    proba: Floats,
    names: Sequence[str],
    out_of_scope: str = "",
    *,
    weights: Floats | None = None,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return `LEVEL` intervals of the scores.

    Accuracy, a share, has that of `share_interval`. The others have that of the percentile bootstrap (Efron, 1979):
    rows are drawn with replacement, as many as there are, and scored again, `N_RESAMPLES` times. The interval covers
    other rows of the same kind, not rows of another kind.

    Args:
        labels: as in `score`, like `proba`, `names`, `out_of_scope` and `weights`.
        proba: float64 (n_rows, n_labels).
        names: the n_labels labels.
        out_of_scope: one of them, or "".
        weights: float64 (n_rows,).
        seed: random seed.

    Returns:
        The low and high ends of `accuracy`, `macro_f1`, `log_loss` and `brier`, of the same of `in_scope`, with
        `auc`, under names such as "in_scope.accuracy", and of `auc` and `out_of_scope_auc`, where the rows define
        them.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    parts = {"": (np.isin(labels, names), list(names), proba)}
    in_scope = [name for name in names if name != out_of_scope]
    if len(in_scope) in range(2, len(names)):
        parts["in_scope."] = (np.isin(labels, in_scope), in_scope, _among(proba, names, in_scope))
    statistics = {prefix: _per_row(labels, *part) for prefix, part in parts.items()}
    rng = np.random.default_rng(seed)
    draws: dict[str, list[Floats]] = {}
    n_rows = len(labels)
    chunk = max(1, 4_000_000 // max(n_rows, 1))
    for start in range(0, N_RESAMPLES, chunk):
        size = min(chunk, N_RESAMPLES - start)
        drawn = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=size) * weights
        found: dict[str, Floats] = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for prefix, (rows, inside, p) in parts.items():
                loss, brier, total, *of_labels = (drawn @ statistics[prefix]).T
                hits, actual, predicted = np.reshape(of_labels, (3, len(inside), size))
                f1 = 2 * hits / (actual + predicted)
                is_there = actual + predicted > 0
                found[f"{prefix}macro_f1"] = np.where(is_there, f1, 0).sum(axis=0) / is_there.sum(axis=0)
                found[f"{prefix}log_loss"], found[f"{prefix}brier"] = loss / total, brier / total
                if len(inside) == 2:
                    is_second = labels[rows] == inside[1]
                    found[f"{prefix}auc"] = _resampled_auc(drawn[:, rows], is_second, p[rows, 1])
            if out_of_scope:
                p_out = proba[:, list(names).index(out_of_scope)]
                found["out_of_scope_auc"] = _resampled_auc(drawn, ~np.isin(labels, in_scope), p_out)
        for name, values in found.items():
            draws.setdefault(name, []).append(values)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    of_accuracy = {
        f"{prefix}accuracy": share_interval(weights, np.array(inside)[p.argmax(axis=1)] == labels, rows)
        for prefix, (rows, inside, p) in parts.items()
    }
    result = {name: ends for name, ends in of_accuracy.items() if ends}
    for name, of_name in draws.items():
        values = np.concatenate(of_name)
        values = values[np.isfinite(values)]
        # With one class in most resamples the area is undefined, and so is its interval.
        if len(values) > N_RESAMPLES / 2:
            low, high = np.quantile(values, tails).tolist()
            result[name] = (low, high)
    return result


def _per_row(labels: NDArray[np.str_], rows: NDArray[np.bool_], names: Sequence[str], proba: Floats) -> Floats:
    """Return what sums of rows make scores of: float64 (n_rows, 3 + 3 * n_labels), 0 for rows not scored.

    Log loss, Brier score, and 1; and for each label whether it was hit, is the
    actual one, and was predicted.
    """
    actual = labels[:, None] == np.array(names)
    predicted = np.arange(len(names)) == proba.argmax(axis=1)[:, None]
    p_right = np.clip((proba * actual).sum(axis=1), np.finfo(np.float64).eps, 1)
    per_row = [-np.log(p_right), ((proba - actual) ** 2).sum(axis=1), rows]
    together = np.column_stack([*per_row, actual & predicted, actual, predicted]).astype(np.float64)
    return np.asarray(together * rows[:, None])


def _among(proba: Floats, names: Sequence[str], inside: Sequence[str]) -> Floats:
    """Return the probabilities of some labels, given that one of them is right."""
    part = proba[:, [list(names).index(name) for name in inside]]
    # All of them can be 0 in double precision, when the text is surely out of scope.
    part = np.maximum(part, np.finfo(np.float64).tiny)
    return np.asarray(part / part.sum(axis=1, keepdims=True))


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
    proba: Floats,
    names: Sequence[str],
    out_of_scope: str = "",
    *,
    weights: Floats | None = None,
    source: str = "the data",
) -> Scores:
    """Score probabilities against labels.

    Args:
        labels: str (n_rows,); rows with a label that is not in `names` count in `out_of_scope_auc` only.
        proba: float64 (n_rows, n_labels), the probability of each label.
        names: the n_labels labels that the model knows.
        out_of_scope: one of them, or "".
        weights: float64 (n_rows,), row weights; all equal when None.
        source: the name of the data in messages.

    Raises:
        DataError: no row with a weight has a label that the model knows.
    """
    names = list(names)
    decided = np.isin(labels, names)
    weights = np.ones(len(labels)) if weights is None else weights
    if not weights[decided].any():
        raise DataError(f"{source}: no row is labelled {' or '.join(names)}, so there is nothing to score.")
    w, actual, p = weights[decided], labels[decided], proba[decided]
    predicted = np.array(names)[p.argmax(axis=1)]
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        actual, predicted, labels=names, zero_division=0, sample_weight=w
    )
    in_scope, out_auc = None, None
    if out_of_scope:
        inside = [name for name in names if name != out_of_scope]
        rows = np.isin(labels, inside)
        if len(inside) > 1 and weights[rows].any():
            in_scope = _figures(labels[rows], _among(proba[rows], names, inside), inside, weights[rows])
        out_auc = _auc(~rows, proba[:, names.index(out_of_scope)], weights)
    return Scores(
        **vars(_figures(actual, p, names, w)),
        n=int(decided.sum()),
        n_left_out=int((~decided).sum()),
        labels=names,
        per_class={
            label: LabelScores(
                float(precision[i]), float(recall[i]), _auc(actual == label, p[:, i], w), int((actual == label).sum())
            )
            for i, label in enumerate(names)
        },
        in_scope=in_scope,
        out_of_scope_auc=out_auc,
    )


def _figures(labels: NDArray[np.str_], proba: Floats, names: Sequence[str], weights: Floats) -> Figures:
    predicted = np.array(names)[proba.argmax(axis=1)]
    actual = labels[:, None] == np.array(names)
    p_right = np.clip(proba[actual], np.finfo(np.float64).eps, 1)
    counted = weights > 0
    present = sorted({*labels[counted], *predicted[counted]})
    return Figures(
        accuracy=float(metrics.accuracy_score(labels, predicted, sample_weight=weights)),
        macro_f1=float(
            metrics.f1_score(labels, predicted, labels=present, average="macro", zero_division=0, sample_weight=weights)
        ),
        auc=_auc(labels == names[1], proba[:, 1], weights) if len(names) == 2 else None,
        log_loss=float(np.average(-np.log(p_right), weights=weights)),
        brier=float(np.average(((proba - actual) ** 2).sum(axis=1), weights=weights)),
        calibration_error=calibration_error(labels == predicted, proba.max(axis=1), weights=weights),
        confusion=metrics.confusion_matrix(labels, predicted, labels=list(names), sample_weight=weights).tolist(),
    )


def _auc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> float | None:
    """Return the area under the ROC curve; None without weight on either side."""
    if not (weights[positive].any() and weights[~positive].any()):
        return None
    return float(metrics.roc_auc_score(positive, scores, sample_weight=weights))


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
