"""Whether one model is better than another, on the same labelled texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from outsort.data.identity import hashes_of
from outsort.data.values import weights_of
from outsort.errors import DataError
from outsort.labels import ANSWERS
from outsort.metrics import LEVEL, N_RESAMPLES, plain, score
from outsort.prediction import predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.model import Model
    from outsort.numeric import Floats

#: A new model is called worse when so small a share of chance would make it look as bad.
ALPHA = 0.05


def compare(
    old: Model, new: Model, dataset: Dataset, *, weight_column: str | None = None, n_flips: int = 10
) -> dict[str, Any]:
    """Compare two models' answers to labelled texts.

    Args:
        old: the model there is.
        new: the model that may replace it.
        dataset: read with ``for_training=False``; neither model should have been trained on it.
        weight_column: a column of how much each row counts: spend, headcount.
        n_flips: how many of the rows whose label flips to list, weightiest first.

    Returns:
        A dict: `n` (rows of BPO and KPO); `old` and `new`, the scores of `evaluation.score`; over the same
        rows `difference` (accuracy of the new less that of the old) with its bootstrap `interval`;
        `got_right` and `got_wrong`, rows on which the new is right where the old was wrong, and the other
        way round; `p_value` of the two being alike (exact McNemar test, two-sided); `worse`, see
        `is_worse`. Over all rows: `flipped`, whose label differs, `weight_moved`, their share of the weight,
        and `decisions`, how many go from accept to review and back. `flips` lists rows; `share_seen` says
        what share of the texts each model was trained on.

    Raises:
        DataError: no row is labelled BPO or KPO; there is no such column; a weight is no number of 0 or
            above.
    """
    labels = np.array(dataset.labels)
    decided = np.isin(labels, ANSWERS)
    weights = weights_of(dataset, weight_column) if weight_column else np.ones(len(labels))
    if not (weights * decided).any():
        raise DataError(f"{dataset.source}: no row is labelled BPO or KPO, so nothing can be compared.")
    answers = {name: list(predictions(dataset.texts, model)) for name, model in (("old", old), ("new", new))}
    said = {name: np.array([a.label for a in rows]) for name, rows in answers.items()}
    gain = np.where(decided, (said["new"] == labels).astype(int) - (said["old"] == labels), 0)
    flipped = np.flatnonzero(said["old"] != said["new"])
    moves = [(a.decision, b.decision) for a, b in zip(answers["old"], answers["new"], strict=True)]
    return {
        **{
            name: score(
                labels,
                np.array([a.p_kpo for a in rows]),
                np.array([a.p_neither for a in rows]),
                weights=weights,
            )
            for name, rows in answers.items()
        },
        **judge(gain[decided], weights[decided]),
        "flipped": len(flipped),
        "weight_moved": float(weights[flipped].sum() / weights.sum()),
        "decisions": {
            "accept_to_review": moves.count(("accept", "review")),
            "review_to_accept": moves.count(("review", "accept")),
        },
        "flips": [
            {
                "row": plain(dataset.frame.index[i]),
                "text": dataset.texts[i],
                "label": str(labels[i]),
                "old": str(said["old"][i]),
                "new": str(said["new"][i]),
                "weight": float(weights[i]),
            }
            for i in sorted(flipped.tolist(), key=lambda i: (-weights[i], gain[i]))[:n_flips]
        ],
        "share_seen": {
            name: float(np.isin(hashes_of(dataset.texts), model.seen).mean())
            for name, model in (("old", old), ("new", new))
        },
    }


def judge(gain: NDArray[np.int64], weights: Floats, groups: NDArray[np.str_] | None = None) -> dict[str, Any]:
    """Say whether a new model is better on some rows.

    Args:
        gain: int64 (n_rows,), 1 where only the new model is right, -1 where only the old, 0 elsewhere.
        weights: float64 (n_rows,), what each row counts.
        groups: (n_rows,), where rows of a group stand or fall together: then the interval is over groups
            drawn, and the test is of the groups that gain and lose.

    Returns:
        `n`, `difference`, `interval`, `got_right`, `got_wrong`, `p_value` and `worse`, as `compare` has them.
    """
    units = np.arange(len(gain)) if groups is None else np.unique(groups, return_inverse=True)[1]
    gains, sizes = (np.bincount(units, of).astype(np.float64) for of in (gain * weights, weights))
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    low, high = _interval(gains, sizes)
    return {
        "n": len(gain),
        "difference": float(np.average(gain, weights=weights)),
        "interval": [low, high],
        "got_right": int((gain > 0).sum()),
        "got_wrong": int((gain < 0).sum()),
        "p_value": mcnemar(better, worse),
        "worse": is_worse(better, worse, high),
    }


def mcnemar(n_better: int, n_worse: int, alternative: str = "two-sided") -> float:
    """Return the p-value of as many rows changing for the better as for the worse.

    The exact test of McNemar (1947): of the rows on which just one of two models is right, each is the
    right one with probability one half.

    Args:
        n_better: rows on which just the new model is right.
        n_worse: rows on which just the old model is right.
        alternative: two-sided, or greater for the new being worse.

    >>> round(mcnemar(3, 9), 4)
    0.146
    """
    return (
        float(binomtest(n_worse, n_better + n_worse, 0.5, alternative).pvalue) if n_better + n_worse else 1.0
    )


def is_worse(n_better: int, n_worse: int, high: float) -> bool:
    """Tell whether a new model is worse than chance can excuse.

    Few labelled rows cannot show that two models are equally good; so the gate asks the question that
    they can answer, and shuts when the one-sided McNemar test finds the new model worse at `ALPHA`, or
    when all of the interval of the (weighted) difference in accuracy lies below 0.

    Args:
        n_better: rows on which just the new model is right.
        n_worse: rows on which just the old model is right.
        high: upper end of the interval of the difference.
    """
    return high < 0 or (n_worse > n_better and mcnemar(n_better, n_worse, "greater") <= ALPHA)


def _interval(gains: Floats, weights: Floats, seed: int = 0) -> tuple[float, float]:
    """Return the percentile bootstrap interval of sum of gains by sum of weights: (n_units,) each."""
    rng = np.random.default_rng(seed)
    both = np.stack([gains, weights], axis=1)
    means = []
    for _ in range(N_RESAMPLES):
        drawn = both[rng.integers(0, len(gains), len(gains))].sum(axis=0)
        means.append(drawn[0] / drawn[1] if drawn[1] else 0.0)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
