"""How many more labels are worth making, and for which lines: read off the learning curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, curve_fit

from outsort.data.values import weights_of
from outsort.errors import DataError
from outsort.labels import LABELS
from outsort.numeric import label_proba, odds_to_proba
from outsort.training.fitting import Settings, count_terms, roll_up
from outsort.training.folds import STRATIFIED, Checks, folds, held_out_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.numeric import Floats
    from outsort.training.folds import Splits

#: Shares of the rows at which the curve is measured, each 1.78 times the one before.
SHARES = (0.1, 0.178, 0.316, 0.562, 1.0)
#: Rows that a model of the curve is trained on, at least.
FEWEST = 20
#: The gain in accuracy is told for so many labels.
PER_LABELS = 100
#: Labels are forecast up to so many times the rows there are: further out the curve is a guess.
FURTHEST = 4


class Curve(NamedTuple):
    """Accuracy as a function of the rows trained on, n: ``limit - scale * n ** -power``.

    The inverse power law that learning curves of text classifiers follow (Figueroa et al., 2012).

    Attributes:
        limit: accuracy with any number of rows, up to 1.
        scale: 0 or above.
        power: above 0; the more, the sooner it bends.
    """

    limit: float
    scale: float
    power: float

    def accuracy(self, n: float) -> float:
        """Return the accuracy of a model of n rows."""
        return float(self.limit - self.scale * n**-self.power)

    def rows_until(self, gain: float) -> float:
        """Return the rows from which `PER_LABELS` more bring less than a gain in accuracy."""
        slope = self.scale * self.power * PER_LABELS
        return float((slope / gain) ** (1 / (1 + self.power)))


def plan(
    dataset: Dataset,
    *,
    min_gain: float = 0.001,
    n_labels: int | None = None,
    settings: Settings | None = None,
    n_folds: int = 5,
    weight_column: str | None = None,
) -> dict[str, Any]:
    """Say how many more labels are worth making, and where.

    Models are trained on growing shares of each fold's rows and answer the rows it holds out. Through
    their accuracy a curve is laid, which tells what more rows like these would bring. The labels to be
    made go to the lines so that the expected error falls most, each line's falling by the curve's power
    as its rows grow; a line with few errors needs none, however few its rows.

    An answer is right when the likeliest of BPO, KPO and, where the data have it, NEITHER is the label.

    Args:
        dataset: the labelled texts.
        min_gain: labels are worth making while 100 of them raise the accuracy by as much.
        n_labels: labels to be made; as many as are worth making when None.
        settings: as in `training.train`.
        n_folds: folds, 2 or more.
        weight_column: a column of how much each row counts: spend, headcount.

    Returns:
        A dict:

        - `rows`, those there are, and `accuracy`, what the curve says of a model of all of them;
        - `curve`: for each size `rows` trained on and `accuracy`, mean over the folds;
        - `fit`: `limit`, `scale` and `power` of `Curve`, or None where accuracy does not rise;
        - `worth`: labels worth making; `is_more` tells that they may be more: the forecast ends at
          `FURTHEST` times the rows;
        - `forecast`: `labels` more, `accuracy` with them and its `range` over the curves of single folds;
        - `lines`: of each service line (or label) `label`, `rows`, `accuracy` on held-out rows and
          `labels`, how many of those to be made; most first.

    Raises:
        ValueError: `min_gain` is not above 0, or `n_folds` is below 2.
        DataError: there are too few rows for a curve; a weight is no number of 0 or above.
    """
    if min_gain <= 0 or n_folds < 2:
        raise ValueError(f"min_gain is {min_gain}, n_folds {n_folds}: choose above 0, and 2 or more")
    settings = settings or Settings()
    weights = weights_of(dataset, weight_column) if weight_column else np.ones(len(dataset.texts))
    splits = folds(dataset, Checks(folds=n_folds), settings.seed)[STRATIFIED]
    sizes, is_right = _learn(dataset, splits, settings)
    by_fold = np.array(
        [[np.average(right[out], weights=weights[out]) for right in is_right] for _, out in splits]
    )
    mean = by_fold.mean(axis=0)
    curve = _curve_through(sizes, mean)
    n_rows = len(dataset.texts)
    # To two digits: the curve knows no better.
    worth = 0 if curve is None else int(float(f"{max(0, curve.rows_until(min_gain) - n_rows):.2g}"))
    furthest = (FURTHEST - 1) * n_rows
    worth, is_more = min(worth, furthest), worth > furthest
    n_made = worth if n_labels is None else n_labels
    lines = np.array(dataset.lines or dataset.labels)
    return {
        "source": dataset.source,
        "rows": n_rows,
        "accuracy": float(mean[-1]) if curve is None else curve.accuracy(n_rows),
        "curve": [{"rows": n, "accuracy": a} for n, a in zip(sizes, mean.tolist(), strict=True)],
        "fit": curve and curve._asdict(),
        "min_gain": min_gain,
        "worth": worth,
        "is_more": is_more,
        "to_make": n_made,
        "forecast": _forecast(curve, sizes, by_fold, n_rows, n_made),
        "lines": _needs(lines, roll_up(dataset), is_right[-1], weights, n_made, curve.power if curve else 1),
    }


def _learn(dataset: Dataset, splits: Splits, settings: Settings) -> tuple[list[int], list[NDArray[np.bool_]]]:
    """Return the rows trained on, mean of the folds, and bool (n_rows,) of right answers, for each size."""
    terms, counts = count_terms(dataset.texts)
    labels = np.array(dataset.labels)
    rng = np.random.default_rng(settings.seed)
    orders = [rng.permutation(rows) for rows, _ in splits]
    sizes, is_right = [], []
    for share in SHARES:
        kept = [order[: round(share * len(order))] for order in orders]
        if any(len(rows) < FEWEST or set(labels[rows]) != set(labels) for rows in kept):
            continue
        log_odds, neither = held_out_answers(
            dataset.lines or dataset.labels,
            roll_up(dataset),
            terms,
            counts,
            [(np.sort(rows), out) for rows, (_, out) in zip(kept, splits, strict=True)],
            settings,
        )
        proba = label_proba(log_odds, odds_to_proba(neither)[:, 1])
        sizes.append(round(float(np.mean([len(rows) for rows in kept]))))
        is_right.append(np.array(LABELS)[proba.argmax(axis=1)] == labels)
    if len(sizes) < 3:
        raise DataError(
            f"{dataset.source}: {len(labels):,} rows are too few for a learning curve. Add rows to each of "
            f"{', '.join(sorted(set(labels)))}; a few hundred in all will do."
        )
    return sizes, is_right


def _curve_through(sizes: list[int], accuracies: Floats) -> Curve | None:
    """Lay a curve through points by least squares; None where accuracy does not rise."""
    if accuracies[-1] <= accuracies[0]:
        return None
    found, _ = curve_fit(
        lambda n, limit, scale, power: limit - scale * n**-power,
        np.array(sizes, dtype=np.float64),
        accuracies,
        p0=(min(accuracies[-1] + 0.02, 0.99), 1.0, 0.5),
        bounds=([0, 0, 0.05], [1, np.inf, 2]),
        max_nfev=10_000,
    )
    return Curve(*map(float, found))


def _forecast(
    curve: Curve | None, sizes: list[int], by_fold: Floats, n_rows: int, n_made: int
) -> list[dict[str, Any]]:
    if curve is None:
        return []
    of_folds = [c for c in (_curve_through(sizes, accuracies) for accuracies in by_fold) if c]
    steps = {100, 300, 1_000, 3_000, 10_000, 30_000, n_made} - {0}
    result = []
    for more in sorted(n for n in steps if n <= max(n_rows, n_made)):
        accuracies = [c.accuracy(n_rows + more) for c in of_folds] or [curve.accuracy(n_rows + more)]
        result.append(
            {
                "labels": more,
                "accuracy": curve.accuracy(n_rows + more),
                "range": [min(accuracies), max(accuracies)],
            }
        )
    return result


def _needs(
    lines: NDArray[np.str_],
    line_labels: dict[str, str],
    is_right: NDArray[np.bool_],
    weights: Floats,
    n_made: int,
    power: float,
) -> list[dict[str, Any]]:
    names, of_line = np.unique(lines, return_inverse=True)
    n = np.bincount(of_line)
    wrong = np.bincount(of_line, ~is_right)
    share = np.bincount(of_line, weights) / weights.sum()
    # One wrong of two is added: a line of three rows without an error may still have some.
    more = allot(n, share * (wrong + 1) / (n + 2), n_made, power)
    rows = [
        {
            "service_line": str(name),
            "label": line_labels[str(name)],
            "rows": int(n[i]),
            "accuracy": float(1 - wrong[i] / n[i]),
            "labels": int(more[i]),
        }
        for i, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: (-row["labels"], row["accuracy"]))


def allot(n: NDArray[np.int64], errors: Floats, n_made: int, power: float) -> NDArray[np.int64]:
    """Share labels out so that the error that is left is least.

    A line of n rows and error e has e * (n / (n + m)) ** power left when m rows more are made. The sum is
    least where one more row takes the same away from every line that gets any: water is filled in up to
    one level.

    Args:
        n: int64 (n_lines,), rows there are, 1 or more each.
        errors: float64 (n_lines,), above 0: each line's share of the expected error.
        n_made: labels to share out.
        power: of the learning curve.

    Returns:
        int64 (n_lines,), which add up to `n_made`.

    >>> allot(np.array([10, 10]), np.array([0.1, 0.4]), 20, 1.0).tolist()
    [3, 17]
    """

    def filled(log_level: float) -> Floats:
        grown = n * np.exp((np.log(errors * power / n) - log_level) / (1 + power))
        added: Floats = np.maximum(grown - n, 0)
        return added

    if not n_made:
        return np.zeros(len(n), dtype=np.int64)
    highest = float(np.log(errors * power / n).max())
    lowest = highest - (1 + power) * np.log(1 + n_made / n.min()) - 1
    while filled(lowest).sum() < n_made:
        lowest -= 1
    exact = filled(brentq(lambda level: filled(level).sum() - n_made, lowest, highest))
    whole = np.floor(exact).astype(np.int64)
    # The labels that rounding down left over go to those it took most from.
    left = n_made - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return whole
