"""Compare two models on the same labelled texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from outsort.data.dataset import Dataset
from outsort.data.identity import hashes_of
from outsort.data.values import column_of, weights_of
from outsort.data.weighing import Weighing, Weights
from outsort.decision import ACCEPT
from outsort.errors import DataError
from outsort.metrics import N_RESAMPLES, Scores, score
from outsort.model import Model
from outsort.numeric import LEVEL, Floats
from outsort.prediction import Prediction, predictions
from outsort.progress import each
from outsort.results import Result, plain

#: Significance level at which a new model counts as worse.
ALPHA = 0.05


@dataclass(frozen=True)
class Judgement(Result):
    """Whether a new model is better than an old one on some rows.

    Attributes:
        n: rows with a label that both models know.
        difference: accuracy of the new model minus that of the old one.
        interval: its bootstrap interval.
        got_right: rows where only the new model is right.
        got_wrong: rows where only the old model is right.
        p_value: of the exact two-sided McNemar test.
        worse: see `is_worse`.
    """

    n: int
    difference: float
    interval: tuple[float, float]
    got_right: int
    got_wrong: int
    p_value: float
    worse: bool


@dataclass(frozen=True)
class Moves(Result):
    """How many rows change from accept to review, and from review to accept, and their weight."""

    accept_to_review: int
    review_to_accept: int
    weight_to_review: float
    weight_to_accept: float


@dataclass(frozen=True)
class Flip(Result):
    """A row whose predicted label changes.

    Attributes:
        row: its number in the file.
        text: the text.
        label: the actual label; "" if the rows have none.
        old: the label that the old model predicts.
        new: the label that the new model predicts.
        weight: the weight of the row.
    """

    row: object
    text: str
    label: str
    old: str
    new: str
    weight: float


@dataclass(frozen=True)
class Changes(Result):
    """What moves from label to label between two models' answers to some rows.

    Attributes:
        n_rows: how many rows there are.
        labels: the labels of both models.
        rows: n_labels lists of n_labels: rows that the old model answers with one label and the new with another.
        weight: their weight likewise.
        flipped: rows whose predicted label changes.
        weight_moved: their share of the weight.
        decisions: rows whose decision changes.
        flips: the changed rows, highest weight first.
        share_seen: the share of the texts that each model was trained on.
        weights: how a column of weights was read; None without one, and where each had to be a number.
    """

    n_rows: int
    labels: list[str]
    rows: list[list[int]]
    weight: list[list[float]]
    flipped: int
    weight_moved: float
    decisions: Moves
    flips: list[Flip]
    share_seen: dict[str, float]
    weights: Weights | None


@dataclass(frozen=True)
class Comparison(Changes, Judgement):
    """Two models on the same labelled texts.

    Attributes:
        old: scores of the old model.
        new: scores of the new model.
    """

    old: Scores
    new: Scores


def compare(
    old: Model, new: Model, dataset: Dataset, *, weight_column: str | None = None, n_flips: int = 10
) -> Comparison:
    """Compare two models' answers to labelled texts.

    Args:
        old: the current model.
        new: the candidate.
        dataset: read with ``for_training=False``; neither model should have been trained on it.
        weight_column: a column of weights: spend, headcount.
        n_flips: changed rows to list.

    Raises:
        DataError: the models have different labels; no row has one of them; there is no such
            column; a weight is not a number of 0 or above.
    """
    require_same_labels(old.labels, new.labels)
    labels = np.array(dataset.labels)
    decided = np.isin(labels, new.labels)
    weights = weights_of(dataset, weight_column)
    by_old, by_new = answers = _answers(old, new, dataset)

    def scores(answers: Sequence[Prediction]) -> Scores:
        proba = np.array([list(a.probabilities.values()) for a in answers])
        return score(labels, proba, new.labels, new.out_of_scope, weights=weights, source=dataset.source)

    scores_old, scores_new = scores(by_old), scores(by_new)
    before, after = (np.array([a.label for a in of_model]) for of_model in answers)
    gain = np.where(decided, (after == labels).astype(int) - (before == labels), 0)
    changed = _changes((old, new), answers, dataset, weights, gain, n_flips)
    return Comparison(**vars(judge(gain[decided], weights[decided])), **vars(changed), old=scores_old, new=scores_new)


def changes(
    old: Model, new: Model, dataset: Dataset, *, weight_column: str | None = None, n_flips: int = 10
) -> Changes:
    """Return what moves between two models' answers to texts, which need no labels.

    Args:
        old: the current model.
        new: the candidate.
        dataset: the texts.
        weight_column: a column of weights, such as spend; what is no amount weighs nothing.
        n_flips: changed rows to list.

    Raises:
        DataError: the models have different labels, or there is no such column.
    """
    require_same_labels(old.labels, new.labels)
    n = len(dataset.texts)
    weighing = Weighing(weight_column) if weight_column else None
    weights = weighing.weights(column_of(dataset, weighing.column)) if weighing else np.ones(n)
    answers = _answers(old, new, dataset)
    found = _changes((old, new), answers, dataset, weights, np.zeros(n, np.int64), n_flips)
    return replace(found, weights=weighing.result() if weighing else None)


def _answers(old: Model, new: Model, dataset: Dataset) -> tuple[list[Prediction], list[Prediction]]:
    by_old, by_new = (
        list(each(f"row by the {name} model", predictions(dataset.texts, model), len(dataset.texts)))
        for name, model in (("old", old), ("new", new))
    )
    return by_old, by_new


def _changes(
    models: tuple[Model, Model],
    answers: tuple[list[Prediction], list[Prediction]],
    dataset: Dataset,
    weights: Floats,
    gain: NDArray[np.int64],
    n_flips: int,
) -> Changes:
    """Return what moves from the answers of the first model to those of the second; rows of equal weight by gain."""
    labels = list(models[1].labels)
    n_labels, n = len(labels), len(weights)
    before, after = (np.array([labels.index(a.label) for a in of_model], np.int64) for of_model in answers)
    cells = before * n_labels + after
    shape = n_labels, n_labels
    rows = np.bincount(cells, minlength=n_labels**2).reshape(shape)
    weight = np.bincount(cells, weights, n_labels**2).astype(np.float64).reshape(shape)
    flipped = np.flatnonzero(before != after)
    was, now = (np.array([a.decision == ACCEPT for a in of_model], np.bool_) for of_model in answers)
    to_review, to_accept = was & ~now, now & ~was
    hashes = hashes_of(dataset.texts)
    return Changes(
        n_rows=n,
        labels=labels,
        rows=rows.tolist(),
        weight=weight.tolist(),
        flipped=len(flipped),
        weight_moved=float(weights[flipped].sum() / (weights.sum() or 1)),
        decisions=Moves(
            *(int(to_review.sum()), int(to_accept.sum())),
            *(float(weights[to_review].sum()), float(weights[to_accept].sum())),
        ),
        flips=[
            Flip(
                *(plain(dataset.frame.index[i]), dataset.texts[i], dataset.labels[i]),
                *(labels[before[i]], labels[after[i]], float(weights[i])),
            )
            for i in sorted(flipped.tolist(), key=lambda i: (-weights[i], gain[i]))[:n_flips]
        ],
        share_seen={
            name: float(np.isin(hashes, model.seen).mean()) for name, model in zip(("old", "new"), models, strict=True)
        },
        weights=None,
    )


def require_same_labels(old: Sequence[str], new: Sequence[str]) -> None:
    """Raise DataError if two models, given their labels, cannot be compared on the same rows."""
    if set(old) != set(new):
        raise DataError(
            f"The old model's labels are {', '.join(old)}, the new one's {', '.join(new)}: they answer different "
            "questions. Evaluate each on data with its own labels."
        )


def judge(gain: NDArray[np.int64], weights: Floats, groups: NDArray[np.str_] | None = None) -> Judgement:
    """Judge whether a new model is better on some rows.

    Args:
        gain: int64 (n_rows,), 1 where only the new model is right, -1 where only the old, 0 elsewhere.
        weights: float64 (n_rows,), the weight of each row.
        groups: (n_rows,), the group of each row, if rows of a group are not independent: then the interval
            resamples groups, and the test counts groups that gain and lose.
    """
    units = np.arange(len(gain)) if groups is None else np.unique(groups, return_inverse=True)[1]
    gains, sizes = (np.bincount(units, of).astype(np.float64) for of in (gain * weights, weights))
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    interval = _interval(gains, sizes)
    return Judgement(
        n=len(gain),
        difference=float(np.average(gain, weights=weights)),
        interval=interval,
        got_right=int((gain > 0).sum()),
        got_wrong=int((gain < 0).sum()),
        p_value=mcnemar(better, worse),
        worse=is_worse(better, worse, interval[1]),
    )


def mcnemar(n_better: int, n_worse: int, alternative: str = "two-sided") -> float:
    """Return the p-value of the exact McNemar test (1947) of two models.

    Under the null hypothesis, of the rows where exactly one model is right, each model is right with
    probability one half.

    Args:
        n_better: rows where only the new model is right.
        n_worse: rows where only the old model is right.
        alternative: two-sided, or greater: the new model is worse.

    >>> round(mcnemar(3, 9), 4)
    0.146
    """
    return float(binomtest(n_worse, n_better + n_worse, 0.5, alternative).pvalue) if n_better + n_worse else 1.0


def is_worse(n_better: int, n_worse: int, high: float) -> bool:
    """Return whether a new model is significantly worse.

    Few labelled rows cannot show that two models are equally good, so the gate asks what they can show: the
    new model is worse when the one-sided McNemar test says so at `ALPHA`, or when the whole interval of the
    (weighted) difference in accuracy lies below 0.

    Args:
        n_better: rows where only the new model is right.
        n_worse: rows where only the old model is right.
        high: upper end of the interval of the difference.
    """
    return high < 0 or (n_worse > n_better and mcnemar(n_better, n_worse, "greater") <= ALPHA)


def _interval(gains: Floats, weights: Floats, seed: int = 0) -> tuple[float, float]:
    """Return the percentile bootstrap interval of sum(gains) / sum(weights): (n_units,) each."""
    rng = np.random.default_rng(seed)
    both = np.stack([gains, weights], axis=1)
    means = []
    for _ in range(N_RESAMPLES):
        drawn = both[rng.integers(0, len(gains), len(gains))].sum(axis=0)
        means.append(drawn[0] / drawn[1] if drawn[1] else 0.0)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
