"""Cross-validation: the folds, and the answers to held-out rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from outsort.data import values
from outsort.data.dataset import Dataset
from outsort.errors import DataError
from outsort.labels import ANSWERS
from outsort.model import Model
from outsort.numeric import Floats
from outsort.training.fitting import Counted, Settings, fit, is_frequent, line_scores, roll_up

if TYPE_CHECKING:
    import scipy.sparse


#: The schemes of cross-validation, by their names in `Model.about`.
STRATIFIED = "random folds"
LINES_OUT = "unseen service lines"
UNSEEN = "unseen {}"
LATER = "later {}"
#: The (training rows, held-out rows) of each fold: intp (n,) each.
Splits = list[tuple["NDArray[np.intp]", "NDArray[np.intp]"]]


@dataclass(frozen=True)
class Checks:
    """How a model is validated, and the precision that it promises.

    Attributes:
        folds: folds of cross-validation; 0 for none, and so for no calibration and no threshold. Unseen
            service lines have twice as many.
        target_precision: precision that accepted answers must have; an accepted NEITHER text is wrong.
        level: confidence level of that promise.
        group_column: a column, such as suppliers; one more scheme scores unseen values of it.
        time_column: a column of dates; one more scheme scores rows later than the training rows.
        weight_column: a column of weights for scores, calibration and threshold, such as spend.
    """

    folds: int = 5
    target_precision: float = 0.95
    level: float = 0.9
    group_column: str | None = None
    time_column: str | None = None
    weight_column: str | None = None


def folds(dataset: Dataset, checks: Checks, seed: int) -> dict[str, Splits]:
    """Return the folds of each scheme that the data allow.

    There are no more folds than the rarest label has rows, lines or groups.

    Raises:
        DataError: the group or time column does not allow its scheme.
    """
    labels = np.array(dataset.labels)
    lines = np.array(dataset.lines or dataset.labels)
    is_kpo = labels == ANSWERS[1]

    def fewest(values: Iterable[str]) -> int:
        return int(np.unique(list(values), return_counts=True)[1].min())

    schemes: dict[str, Splits] = {}
    n = min(checks.folds, fewest(label for label in labels if label in ANSWERS))
    splitter = StratifiedKFold(n, shuffle=True, random_state=seed)
    # The finest strata with a row for every fold.
    strata = next((s for s in (lines, labels) if fewest(s) >= n), is_kpo)
    schemes[STRATIFIED] = list(splitter.split(labels, strata))
    # The final model knows every line: the fewer lines a fold holds out, the more similar its model is.
    n = min(2 * checks.folds, fewest(label for label in roll_up(dataset).values() if label in ANSWERS))
    if dataset.lines is not None and n >= 2:
        splits = _grouped(labels if fewest(labels) >= n else is_kpo, lines, n, seed)
        if is_teachable(labels, splits):
            schemes[LINES_OUT] = splits
    if checks.group_column:
        schemes[UNSEEN.format(checks.group_column)] = _unseen(dataset, checks, labels, seed)
    if checks.time_column:
        schemes[LATER.format(checks.time_column)] = _later(dataset, checks, labels)
    return schemes


def _grouped(strata: NDArray[np.str_] | NDArray[np.bool_], groups: NDArray[np.str_], n: int, seed: int) -> Splits:
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return list(splitter.split(strata, strata, groups))


def is_teachable(labels: NDArray[np.str_], splits: Splits) -> bool:
    """Return whether the training rows of every fold have both BPO and KPO: labels are str (n_rows,)."""
    return all(set(ANSWERS) <= set(labels[rows]) for rows, _ in splits)


def _unseen(dataset: Dataset, checks: Checks, labels: NDArray[np.str_], seed: int) -> Splits:
    groups = np.array(values.column_of(dataset, str(checks.group_column)))
    n = min(checks.folds, len(set(groups)))
    if n < 2:
        raise DataError(
            f"{dataset.source}: column {checks.group_column!r} has only one value, so no group can be held "
            "out. Choose another --group-column."
        )
    splits = _grouped(labels == ANSWERS[1], groups, n, seed)
    if not is_teachable(labels, splits):
        raise DataError(
            f"{dataset.source}: with some groups of column {checks.group_column!r} held out, no BPO or no "
            "KPO row is left to train on. Choose a column with smaller groups."
        )
    return splits


def _later(dataset: Dataset, checks: Checks, labels: NDArray[np.str_]) -> Splits:
    """Split the times into blocks; each block but the first is held out from a model of the earlier ones."""
    times = values.times_of(dataset, str(checks.time_column))
    moments, codes = np.unique(times, return_inverse=True)
    if len(moments) < 2:
        raise DataError(
            f"{dataset.source}: column {checks.time_column!r} has only one time, so no row is later. "
            "Choose another --time-column."
        )
    blocks = np.array_split(np.arange(len(moments)), min(checks.folds + 1, len(moments)))
    splits = [(np.flatnonzero(codes < out[0]), np.flatnonzero(np.isin(codes, out))) for out in blocks[1:]]
    splits = [split for split in splits if is_teachable(labels, [split])]
    if not splits:
        raise DataError(
            f"{dataset.source}: before the last times of column {checks.time_column!r} there are no rows of "
            "both BPO and KPO to train on. Choose another --time-column."
        )
    return splits


def held_out_answers(counted: Counted, splits: Splits, settings: Settings) -> tuple[Floats, Floats]:
    """Train on each fold's rows and answer its held-out rows.

    Args:
        counted: the n_texts texts.
        splits: the (training rows, held-out rows) of each fold; no row is held out twice.
        settings: the settings of training.

    Returns:
        The uncalibrated log-odds of KPO against BPO, and of NEITHER against both: float64 (n_texts,) each;
        NaN for rows that no fold holds out.
    """
    tasks = _of_folds(counted, splits, settings)
    return _in_place(len(counted.lines), splits, joblib.Parallel(n_jobs=-1, prefer="processes")(tasks))


def fit_with_folds(
    counted: Counted, schemes: Mapping[str, Splits], settings: Settings
) -> tuple[Model, dict[str, tuple[Floats, Floats]]]:
    """Fit the model to all rows, and return the result of `held_out_answers` for each scheme.

    All fits are one batch, so that no core waits for the last fit of a scheme.
    """
    c = counted
    if not schemes:
        return fit(c.terms, c.counts, c.lines, c.line_labels, settings), {}
    tasks = _of_folds(counted, list(itertools.chain(*schemes.values())), settings)
    final = joblib.delayed(fit)(c.terms, c.counts, c.lines, c.line_labels, settings)
    model, *results = joblib.Parallel(n_jobs=-1, prefer="processes")([final, *tasks])
    left = iter(results)
    return model, {
        scheme: _in_place(len(c.lines), of_scheme, list(itertools.islice(left, len(of_scheme))))
        for scheme, of_scheme in schemes.items()
    }


def _of_folds(counted: Counted, splits: Splits, settings: Settings) -> list[object]:
    """Return a joblib task for each fold."""
    c, task = counted, joblib.delayed(_held_out)
    return [
        task(c.terms, c.counts, rows, held_out, [c.lines[i] for i in rows], c.line_labels, settings)
        for rows, held_out in splits
    ]


def _in_place(n_texts: int, splits: Splits, results: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Put the answers of each fold at the positions of its held-out rows; NaN elsewhere."""
    log_odds, neither_log_odds = np.full((2, n_texts), np.nan)
    for (_, held_out), (kpo, neither) in zip(splits, results, strict=True):
        log_odds[held_out], neither_log_odds[held_out] = kpo, neither
    return log_odds, neither_log_odds


# A module-level function with large arguments: a cluster sends those to each worker once.
def _held_out(
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    settings: Settings,
) -> tuple[Floats, Floats]:
    counted = counts[rows]
    model = fit(terms, counted, lines, line_labels, settings)
    scores = line_scores(model, counts[held_out][:, is_frequent(counted, settings)])
    return model.log_odds(scores), model.neither_log_odds(scores)
