"""Cross-validation: which rows are held out together, and the answers of models that never saw them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from outsort.data import values
from outsort.errors import DataError
from outsort.labels import ANSWERS
from outsort.training.fitting import Settings, fit, is_frequent, line_scores, roll_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import scipy.sparse
    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.model import Model
    from outsort.numeric import Floats

#: The schemes of cross-validation, by their names in `Model.about`.
STRATIFIED = "random folds"
LINES_OUT = "whole lines left out"
UNSEEN = "unseen {}"
LATER = "later {}"
#: The (training rows, held-out rows) of each fold: intp (n,) each.
Splits = list[tuple["NDArray[np.intp]", "NDArray[np.intp]"]]


@dataclass(frozen=True)
class Checks:
    """How a model is validated, and what its accepted answers promise.

    Attributes:
        folds: folds of cross-validation; 0 for none, and so for no calibration and no threshold. Lines are
            left out in twice as many.
        target_precision: share of accepted answers that shall be right; an accepted text that is NEITHER
            counts as wrong.
        confidence: probability that the promise is kept.
        group_column: a column whose values are left out whole in a scheme of their own: suppliers, say.
        time_column: a column of dates; a scheme of its own scores rows later than those trained on.
        weight_column: a column of how much each row counts in scores, calibration and threshold: spend.
    """

    folds: int = 5
    target_precision: float = 0.95
    confidence: float = 0.9
    group_column: str | None = None
    time_column: str | None = None
    weight_column: str | None = None


def folds(dataset: Dataset, checks: Checks, seed: int) -> dict[str, Splits]:
    """Return the (training rows, held-out rows) of each fold for each scheme the data allow.

    No more folds are made than the rarest label has rows, lines or groups.

    Raises:
        DataError: a group or time column was named and does not allow its scheme.
    """
    labels = np.array(dataset.labels)
    lines = np.array(dataset.lines or dataset.labels)
    is_kpo = labels == ANSWERS[1]

    def fewest(values: Iterable[str]) -> int:
        return int(np.unique(list(values), return_counts=True)[1].min())

    schemes: dict[str, Splits] = {}
    n = min(checks.folds, fewest(label for label in labels if label in ANSWERS))
    splitter = StratifiedKFold(n, shuffle=True, random_state=seed)
    # The finest strata of which every fold can have its share; with coarser ones it is left to chance.
    strata = next((s for s in (lines, labels) if fewest(s) >= n), is_kpo)
    schemes[STRATIFIED] = list(splitter.split(labels, strata))
    # The final model knows every line: the fewer a fold leaves out, the more its models are like that one.
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


def _grouped(strata: NDArray[Any], groups: NDArray[Any], n: int, seed: int) -> Splits:
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return list(splitter.split(strata, strata, groups))


def is_teachable(labels: NDArray[np.str_], splits: Splits) -> bool:
    """Tell whether the training rows of each fold hold both answers: labels are str (n_rows,)."""
    return all(set(ANSWERS) <= set(labels[rows]) for rows, _ in splits)


def _unseen(dataset: Dataset, checks: Checks, labels: NDArray[np.str_], seed: int) -> Splits:
    groups = np.array(values.column_of(dataset, str(checks.group_column)))
    n = min(checks.folds, len(set(groups)))
    if n < 2:
        raise DataError(
            f"{dataset.source}: column {checks.group_column!r} holds one value only, so no group can be left "
            "out. Name another --group-column."
        )
    splits = _grouped(labels == ANSWERS[1], groups, n, seed)
    if not is_teachable(labels, splits):
        raise DataError(
            f"{dataset.source}: with some groups of column {checks.group_column!r} left out, no row of BPO "
            "or none of KPO is left to learn from. Name a column with smaller groups."
        )
    return splits


def _later(dataset: Dataset, checks: Checks, labels: NDArray[np.str_]) -> Splits:
    """Cut the times into blocks; each but the first is held out from a model of those before it."""
    times = values.times_of(dataset, str(checks.time_column))
    moments, codes = np.unique(times, return_inverse=True)
    if len(moments) < 2:
        raise DataError(
            f"{dataset.source}: column {checks.time_column!r} holds one time only, so nothing is later. "
            "Name another --time-column."
        )
    blocks = np.array_split(np.arange(len(moments)), min(checks.folds + 1, len(moments)))
    splits = [(np.flatnonzero(codes < out[0]), np.flatnonzero(np.isin(codes, out))) for out in blocks[1:]]
    splits = [split for split in splits if is_teachable(labels, [split])]
    if not splits:
        raise DataError(
            f"{dataset.source}: before the last times of column {checks.time_column!r} there are no rows of "
            "both BPO and KPO to learn from. Name another --time-column."
        )
    return splits


def held_out_answers(
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    splits: Splits,
    settings: Settings,
) -> tuple[Floats, Floats]:
    """Train on each fold's rows and answer its held-out rows.

    Args:
        lines: the n_texts service lines.
        line_labels: the label of each line.
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        splits: the (training rows, held-out rows) of each fold; each row is held out once at most.
        settings: the settings of training.

    Returns:
        The uncalibrated log-odds of KPO against BPO, and of NEITHER against the two: float64 (n_texts,)
        each; NaN for rows that no fold holds out.
    """
    tasks = _of_folds(lines, line_labels, terms, counts, splits, settings)
    return _in_place(len(lines), splits, joblib.Parallel(n_jobs=-1, prefer="processes")(tasks))


def fit_with_folds(
    dataset: Dataset,
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    schemes: Mapping[str, Splits],
    settings: Settings,
) -> tuple[Model, dict[str, tuple[Floats, Floats]]]:
    """Fit the model to all rows, and return for each scheme what `held_out_answers` does.

    All fits are one batch, so that no core waits while another is at the last of a scheme, or at the model.
    """
    lines, line_labels = dataset.lines or dataset.labels, roll_up(dataset)
    if not schemes:
        return fit(terms, counts, lines, line_labels, settings), {}
    splits = [split for of_scheme in schemes.values() for split in of_scheme]
    tasks = _of_folds(lines, line_labels, terms, counts, splits, settings)
    whole = joblib.delayed(fit)(terms, counts, lines, line_labels, settings)
    model, *results = joblib.Parallel(n_jobs=-1, prefer="processes")([whole, *tasks])
    left = iter(results)
    return model, {
        scheme: _in_place(len(lines), of_scheme, list(itertools.islice(left, len(of_scheme))))
        for scheme, of_scheme in schemes.items()
    }


def _of_folds(
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    splits: Splits,
    settings: Settings,
) -> list[Any]:
    """Return a call of `_held_out` for each fold, for joblib to make."""
    return [
        joblib.delayed(_held_out)(
            terms, counts, rows, held_out, [lines[i] for i in rows], line_labels, settings
        )
        for rows, held_out in splits
    ]


def _in_place(
    n_texts: int, splits: Splits, results: Sequence[tuple[Floats, Floats]]
) -> tuple[Floats, Floats]:
    """Put the answers of each fold where its held-out rows stand; NaN elsewhere."""
    log_odds, neither_log_odds = np.full((2, n_texts), np.nan)
    for (_, held_out), (kpo, neither) in zip(splits, results, strict=True):
        log_odds[held_out], neither_log_odds[held_out] = kpo, neither
    return log_odds, neither_log_odds


# A function of the module, and what is large an argument: on a cluster it then goes to each worker once.
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
