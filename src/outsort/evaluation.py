"""How good answers are: small pure functions over labels and probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics

from outsort.errors import DataError
from outsort.model import ANSWERS, odds_to_proba

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from outsort.dataset import Dataset
    from outsort.model import Floats, Model

#: Bins of the calibration error, each with the same number of rows.
N_BINS = 15


def evaluate(model: Model, dataset: Dataset, *, n_mistakes: int = 10) -> dict[str, Any]:
    """Score a model's answers to labelled texts.

    Args:
        model: the model to ask.
        dataset: read with ``for_training=False``; rows that are NEITHER or UNCLEAR are counted, and
            used only for how well they are told from the rest.
        n_mistakes: how many of the worst mistakes to list.

    Returns:
        The scores of `score`, with `mistakes`: the wrong rows the model was surest of, as dicts with
        row, text, label, predicted and probability.

    Raises:
        DataError: no row is labelled BPO or KPO.
    """
    scores = model.line_scores(dataset.texts)
    p_kpo = odds_to_proba(model.log_odds(scores))[:, 1]
    labels = np.array(dataset.labels)
    result = score(labels, p_kpo, model.neither(scores), source=dataset.source)
    wrong = [
        i
        for i in np.argsort(-np.abs(p_kpo - 0.5), kind="stable")
        if labels[i] in ANSWERS and labels[i] != ANSWERS[int(p_kpo[i] > 0.5)]
    ]
    result["mistakes"] = [
        {
            "row": _plain(dataset.frame.index[i]),
            "text": dataset.texts[i],
            "label": str(labels[i]),
            "predicted": ANSWERS[int(p_kpo[i] > 0.5)],
            "probability": float(max(p_kpo[i], 1 - p_kpo[i])),
        }
        for i in wrong[:n_mistakes]
    ]
    return result


def evaluate_by(model: Model, dataset: Dataset, column: str) -> dict[str, dict[str, Any]]:
    """Score a model's answers apart for each value of a column, in the order of the values.

    A group without a row of BPO or KPO has its counts only.

    Raises:
        DataError: the data have no such column.
    """
    if column not in dataset.frame.columns:
        has = ", ".join(repr(str(c)) for c in dataset.frame.columns)
        raise DataError(f"{dataset.source}: no column {column!r} to score by; it has {has}.")
    scores = model.line_scores(dataset.texts)
    p_kpo, p_neither = odds_to_proba(model.log_odds(scores))[:, 1], model.neither(scores)
    labels = np.array(dataset.labels)
    groups = dataset.frame[column].astype(str).to_numpy()
    return {
        str(group): score(
            labels[groups == group],
            p_kpo[groups == group],
            p_neither[groups == group],
            source=None,
        )
        for group in sorted(set(groups))
    }


def score(
    labels: NDArray[np.str_],
    p_kpo: Floats,
    p_neither: Floats,
    *,
    weights: Floats | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Score probabilities against labels.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        p_kpo: float64 (n_rows,), the probability of KPO, given that the work is BPO or KPO.
        p_neither: float64 (n_rows,), the probability of NEITHER, or NaN.
        weights: float64 (n_rows,), how much each row counts; alike when None.
        source: the name of the data; when given, data without a BPO or KPO row are an error.

    Returns:
        A dict: `n` (rows of BPO and KPO), `n_left_out` (the others), and over the rows of BPO and
        KPO: `accuracy`, `macro_f1`, `auc`, `log_loss` (nats), `brier` (mean squared error of the
        probability of KPO), `calibration_error`, `per_class` (precision, recall, n), `confusion`
        (rows: true BPO, KPO; columns: predicted BPO, KPO; with weights, their sums); `neither_auc`, over
        all rows, for the probability of NEITHER. What the rows cannot tell is None.

    Raises:
        DataError: no row is labelled BPO or KPO, or none of them weighs anything (and `source` is given).
    """
    decided = np.isin(labels, ANSWERS)
    weights = np.ones(len(labels)) if weights is None else weights
    w = weights[decided]
    result: dict[str, Any] = {"n": int(decided.sum()), "n_left_out": int((~decided).sum())}
    if not w.any():
        if source is not None:
            raise DataError(f"{source}: no row is labelled BPO or KPO, so nothing can be scored.")
        return result
    is_kpo, p = labels[decided] == ANSWERS[1], p_kpo[decided]
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
    """Return the expected calibration error over bins of equal mass.

    The rows are sorted by confidence and cut into `n_bins` bins as even as can be; the error is the
    mean over rows of the gap between accuracy and mean confidence of a row's bin (Naeini, Cooper and
    Hauskrecht, 2015, with the equal-mass bins of Nixon et al., 2019).

    Args:
        correct: bool (n_rows,), whether each answer was right.
        confidence: float64 (n_rows,), the probability each answer was given.
        n_bins: how many bins; at most one a row is used.
        weights: float64 (n_rows,), how much each row counts; alike when None.

    >>> calibration_error([True, False], np.array([0.75, 0.75]), n_bins=1)
    0.25
    """
    order = np.argsort(confidence, kind="stable")
    w = np.ones(len(order)) if weights is None else weights[order]
    gaps = w * (np.asarray(correct, dtype=np.float64)[order] - confidence[order])
    # A row belongs to the bin that its middle falls into.
    middle = (np.cumsum(w) - w / 2) / w.sum()
    bins = np.minimum((middle * min(n_bins, len(w))).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, weights=gaps)).sum() / w.sum())


def _plain(value: object) -> object:
    """Return a NumPy number as Python's own, for JSON."""
    return value.item() if isinstance(value, np.generic) else value
