"""How many more labels are worth making, and for which service lines: read off the learning curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, curve_fit

from outsort.data.dataset import Dataset
from outsort.data.values import weights_of
from outsort.errors import DataError
from outsort.numeric import Floats
from outsort.results import Result
from outsort.training.fitting import Settings, count, roll_up
from outsort.training.folds import STRATIFIED, Checks, Splits, folds, held_out_scores

#: Shares of the rows at which the curve is measured, each 1.78 times the one before.
SHARES = (0.1, 0.178, 0.316, 0.562, 1.0)
#: Minimum training rows of a model on the curve.
FEWEST = 20
#: The gain in accuracy is measured per this many labels.
PER_LABELS = 100
#: The forecast ends at this many times the rows: beyond that the curve is a guess.
MAX_FORECAST = 4


@dataclass(frozen=True)
class Curve(Result):
    """Accuracy as a function of the training rows n: ``limit - scale * n ** -power``.

    The inverse power law that learning curves of text classifiers follow (Figueroa et al., 2012).

    Attributes:
        limit: accuracy with any number of rows, up to 1.
        scale: 0 or above.
        power: above 0; the higher, the sooner the curve flattens.
    """

    limit: float
    scale: float
    power: float

    def accuracy(self, n: float) -> float:
        """Return the accuracy of a model of n rows."""
        return float(self.limit - self.scale * n**-self.power)

    def rows_until(self, gain: float) -> float:
        """Return the rows from which `PER_LABELS` more add less accuracy than `gain`."""
        slope = self.scale * self.power * PER_LABELS
        return float((slope / gain) ** (1 / (1 + self.power)))


@dataclass(frozen=True)
class Size(Result):
    """Training rows, and mean accuracy over the folds."""

    rows: int
    accuracy: float


@dataclass(frozen=True)
class Forecast(Result):
    """Accuracy with some labels more, and its range over the curves of single folds."""

    labels: int
    accuracy: float
    range: tuple[float, float]


@dataclass(frozen=True)
class Need(Result):
    """A service line (or label): its rows, accuracy on held-out rows, and labels to make."""

    service_line: str
    label: str
    rows: int
    accuracy: float
    labels: int


@dataclass(frozen=True)
class Plan(Result):
    """How many labels to make, and where.

    Attributes:
        source: the name of the data.
        rows: existing rows.
        accuracy: accuracy of a model of all of them, on the curve.
        curve: the accuracy measured at each size.
        fit: the fitted curve; None if accuracy does not rise.
        min_gain: gain in accuracy per `PER_LABELS` labels that makes them worth making.
        worth: labels worth making.
        is_more: whether there may be more: the forecast ends at `MAX_FORECAST` times the rows.
        to_make: labels to make.
        forecast: accuracy with more labels.
        lines: the service lines, most labels to make first.
    """

    source: str
    rows: int
    accuracy: float
    curve: list[Size]
    fit: Curve | None
    min_gain: float
    worth: int
    is_more: bool
    to_make: int
    forecast: list[Forecast]
    lines: list[Need]


def plan(
    dataset: Dataset,
    *,
    min_gain: float = 0.001,
    n_labels: int | None = None,
    settings: Settings | None = None,
    n_folds: int = 5,
    weight_column: str | None = None,
) -> Plan:
    """Plan how many more labels to make, and for which service lines.

    Models are trained on growing shares of each fold's rows and answer its held-out rows. A curve fitted to
    their accuracy forecasts what more rows would add. Labels go to the lines where they reduce the expected
    error most, each line's falling with the curve's power as its rows grow; a line with few errors needs
    none, however few its rows.

    An answer is right when the most probable label is that of the row.

    Args:
        dataset: the labelled texts.
        min_gain: labels are worth making while `PER_LABELS` of them raise the accuracy by this much.
        n_labels: labels to make; as many as are worth making when None.
        settings: as in `training.train`.
        n_folds: folds, 2 or more.
        weight_column: a column of weights: spend, headcount.

    Raises:
        ValueError: `min_gain` is not above 0, or `n_folds` is below 2.
        DataError: there are too few rows for a curve; a weight is not a number of 0 or above.
    """
    if min_gain <= 0 or n_folds < 2:
        raise ValueError(f"min_gain is {min_gain}, n_folds {n_folds}: choose above 0, and 2 or more")
    settings = settings or Settings()
    weights = weights_of(dataset, weight_column)
    splits = folds(dataset, Checks(folds=n_folds), settings.seed)[STRATIFIED]
    sizes, is_right = _learn(dataset, splits, settings)
    by_fold = np.array([[np.average(right[out], weights=weights[out]) for right in is_right] for _, out in splits])
    mean = by_fold.mean(axis=0)
    curve = _curve_through(sizes, mean)
    n_rows = len(dataset.texts)
    # To two digits: the curve is no more accurate.
    worth = 0 if curve is None else int(float(f"{max(0, curve.rows_until(min_gain) - n_rows):.2g}"))
    furthest = (MAX_FORECAST - 1) * n_rows
    n_made = min(worth, furthest) if n_labels is None else n_labels
    lines = np.array(dataset.lines or dataset.labels)
    return Plan(
        source=dataset.source,
        rows=n_rows,
        accuracy=float(mean[-1]) if curve is None else curve.accuracy(n_rows),
        curve=[Size(n, accuracy) for n, accuracy in zip(sizes, mean.tolist(), strict=True)],
        fit=curve,
        min_gain=min_gain,
        worth=min(worth, furthest),
        is_more=worth > furthest,
        to_make=n_made,
        forecast=_forecast(curve, sizes, by_fold, n_rows, n_made),
        lines=_needs(lines, roll_up(dataset), is_right[-1], weights, n_made, curve.power if curve else 1),
    )


def _learn(dataset: Dataset, splits: Splits, settings: Settings) -> tuple[list[int], list[NDArray[np.bool_]]]:
    """Return the training rows (mean of the folds) and bool (n_rows,) of right answers for each size."""
    counted = count(dataset.texts, dataset.labels, dataset.lines, out_of_scope=dataset.out_of_scope)
    labels = np.array(dataset.labels)
    rng = np.random.default_rng(settings.seed)
    orders = [rng.permutation(rows) for rows, _ in splits]
    sizes, is_right = [], []
    for i, share in enumerate(SHARES, 1):
        kept = [order[: round(share * len(order))] for order in orders]
        if any(len(rows) < FEWEST or set(labels[rows]) != set(labels) for rows in kept):
            continue
        shrunk = [(np.sort(rows), out) for rows, (_, out) in zip(kept, splits, strict=True)]
        scores = held_out_scores(counted, shrunk, settings, f"size {i} of {len(SHARES)}, fold")[:, :-1]
        sizes.append(round(float(np.mean([len(rows) for rows in kept]))))
        is_right.append(np.array(counted.labels)[scores.argmax(axis=1)] == labels)
    if len(sizes) < 3:
        raise DataError(
            f"{dataset.source}: {len(labels):,} rows are too few for a learning curve. Add a few hundred "
            f"rows of {', '.join(sorted(set(labels)))}."
        )
    return sizes, is_right


def _curve_through(sizes: list[int], accuracies: Floats) -> Curve | None:
    """Fit a curve by least squares; None if accuracy does not rise."""
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


def _forecast(curve: Curve | None, sizes: list[int], by_fold: Floats, n_rows: int, n_made: int) -> list[Forecast]:
    if curve is None:
        return []
    of_folds = [c for c in (_curve_through(sizes, accuracies) for accuracies in by_fold) if c]
    steps = {100, 300, 1_000, 3_000, 10_000, 30_000, n_made} - {0}
    result = []
    for more in sorted(n for n in steps if n <= max(n_rows, n_made)):
        accuracies = [c.accuracy(n_rows + more) for c in of_folds] or [curve.accuracy(n_rows + more)]
        result.append(Forecast(more, curve.accuracy(n_rows + more), (min(accuracies), max(accuracies))))
    return result


def _needs(
    lines: NDArray[np.str_],
    line_labels: dict[str, str],
    is_right: NDArray[np.bool_],
    weights: Floats,
    n_made: int,
    power: float,
) -> list[Need]:
    names, of_line = np.unique(lines, return_inverse=True)
    n = np.bincount(of_line)
    wrong = np.bincount(of_line, ~is_right)
    share = np.bincount(of_line, weights) / weights.sum()
    # Smoothed by one wrong of two: three rows without an error do not mean a line without errors.
    more = allocate(n, share * (wrong + 1) / (n + 2), n_made, power)
    rows = [
        Need(str(name), line_labels[str(name)], int(n[i]), float(1 - wrong[i] / n[i]), int(more[i]))
        for i, name in enumerate(names)
    ]
    return sorted(rows, key=lambda need: (-need.labels, need.accuracy))


def allocate(n: NDArray[np.int64], errors: Floats, n_made: int, power: float) -> NDArray[np.int64]:
    """Allocate labels to service lines so that the remaining error is least.

    A line of n rows and error e has the error e * (n / (n + m)) ** power after m more rows. The sum is
    least when one more row reduces the error equally in every line that gets any (water-filling).

    Args:
        n: int64 (n_lines,), existing rows, 1 or more each.
        errors: float64 (n_lines,), above 0: each line's share of the expected error.
        n_made: labels to allocate.
        power: of the learning curve.

    Returns:
        int64 (n_lines,), with the sum `n_made`.

    >>> allocate(np.array([10, 10]), np.array([0.1, 0.4]), 20, 1.0).tolist()
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
    # Labels left over by rounding down go to the lines that lost most.
    left = n_made - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return whole
