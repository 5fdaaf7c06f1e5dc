"""Cross-validation: the folds, and the answers to held-out rows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from outsort.data import values
from outsort.data.dataset import Dataset
from outsort.errors import DataError
from outsort.model import Model
from outsort.numeric import Floats
from outsort.progress import in_parallel
from outsort.training.fitting import Counted, Settings, fit, is_known, read_counted, roll_up

#: The schemes of cross-validation, by their names in `Model.about`.
STRATIFIED = "random folds"
LINES_OUT = "unseen service lines"
UNSEEN = "unseen {}"
BOTH_OUT = "unseen service lines and {}"
LATER = "later {}"
#: The (training rows, held-out rows) of each fold: intp (n,) each.
Splits = list[tuple["NDArray[np.intp]", "NDArray[np.intp]"]]


@dataclass(frozen=True)
class Checks:
    """How a model is validated, and the precision that it promises.

    Attributes:
        folds: folds of cross-validation; 0 for none, and so for no calibration and no threshold. Unseen
            service lines have twice as many.
        target_precision: precision that accepted answers must have; answers of every label count.
        level: confidence level of that promise.
        group_column: a column, such as suppliers; one more scheme scores unseen values of it, and with service
            lines a third one rows whose line and value are both unseen.
        time_column: a column of dates; one more scheme scores rows later than the training rows.
        weight_column: a column of weights for scores, calibration and threshold, such as spend.
        shares: how often some labels come in the texts to be answered, 0 to 1 each, where that is known: rows are
            weighted accordingly, in scores, calibration and threshold. The others keep the proportions of the rows.
    """

    folds: int = 5
    target_precision: float = 0.95
    level: float = 0.9
    group_column: str | None = None
    time_column: str | None = None
    weight_column: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)


def folds(dataset: Dataset, checks: Checks, seed: int) -> dict[str, Splits]:
    """Return the folds of each scheme that the data allow.

    There are no more folds than the rarest label has rows, lines or groups.

    Raises:
        DataError: the group or time column does not allow its scheme.
    """
    labels = np.array(dataset.labels)
    lines = np.array(dataset.lines or dataset.labels)
    in_scope = [label for label in dataset.labels if label != dataset.out_of_scope]

    def fewest(values: Iterable[str]) -> int:
        return int(np.unique(list(values), return_counts=True)[1].min())

    schemes: dict[str, Splits] = {}
    n = min(checks.folds, fewest(in_scope))
    # The finest strata with a row for every fold; a label out of scope may have fewer.
    strata = next((s for s in (lines, labels) if fewest(s) >= n), labels == in_scope[0])
    if n > 1:
        schemes[STRATIFIED] = list(StratifiedKFold(n, shuffle=True, random_state=seed).split(labels, strata))
    # The final model knows every line: the fewer lines a fold holds out, the more similar its model is.
    n_lines = Counter(roll_up(dataset).values())
    several = {label for label, n_of in n_lines.items() if n_of > 1}
    n = min(2 * checks.folds, *(n_lines[label] for label in several), len(several) and 2 * checks.folds)
    if dataset.lines is not None and several >= set(in_scope) and n >= 2:
        # Of a label with a single line, rows are held out instead: without it nothing would teach the label.
        groups = [
            line if label in several else f"row {i}" for i, (line, label) in enumerate(zip(lines, labels, strict=True))
        ]
        splits = _grouped(labels if fewest(labels) >= n else labels == in_scope[0], np.array(groups), n, seed)
        if is_teachable(labels, splits):
            schemes[LINES_OUT] = splits
    if checks.group_column:
        schemes[UNSEEN.format(checks.group_column)] = of_groups = _unseen(dataset, checks, labels, seed)
        if LINES_OUT in schemes:
            both = _both(schemes[LINES_OUT], of_groups)
            if is_teachable(labels, both) and set(labels) == set(labels[np.concatenate([out for _, out in both])]):
                schemes[BOTH_OUT.format(checks.group_column)] = both
    if checks.time_column:
        schemes[LATER.format(checks.time_column)] = _later(dataset, checks, labels)
    return schemes


def _grouped(strata: NDArray[np.str_] | NDArray[np.bool_], groups: NDArray[np.str_], n: int, seed: int) -> Splits:
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return list(splitter.split(strata, strata, groups))


def _both(of_lines: Splits, of_groups: Splits) -> Splits:
    """Hold out rows together with all rows of their fold of lines, and all of their fold of groups.

    Each fold of lines meets one of groups, in turn: all pairs would take several times as long.
    """
    splits = [
        (np.intersect1d(rows, others), np.intersect1d(out, others_out))
        for (rows, out), (others, others_out) in zip(of_lines, itertools.cycle(of_groups), strict=False)
    ]
    return [split for split in splits if len(split[1])]


def is_teachable(labels: NDArray[np.str_], splits: Splits) -> bool:
    """Return whether the training rows of every fold have every label: labels are str (n_rows,)."""
    return all(set(labels) == set(labels[rows]) for rows, _ in splits)


def _unseen(dataset: Dataset, checks: Checks, labels: NDArray[np.str_], seed: int) -> Splits:
    groups = np.array(values.column_of(dataset, str(checks.group_column)))
    n = min(checks.folds, len(set(groups)))
    if n < 2:
        raise DataError(
            f"{dataset.source}: column {checks.group_column!r} has only one value, so no group can be held "
            "out. Choose another --group-column."
        )
    splits = _grouped(labels, groups, n, seed)
    if not is_teachable(labels, splits):
        raise DataError(
            f"{dataset.source}: with some groups of column {checks.group_column!r} held out, no row of some "
            "label is left to train on. Choose a column with smaller groups."
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
            "every label to train on. Choose another --time-column."
        )
    return splits


def held_out_scores(counted: Counted, splits: Splits, settings: Settings, what: str = "fold") -> Floats:
    """Train on each fold's rows and answer its held-out rows.

    Args:
        counted: the n_texts texts.
        splits: the (training rows, held-out rows) of each fold; no row is held out twice.
        settings: the settings of training.
        what: what progress calls a fold.

    Returns:
        float64 (n_texts, n_labels + 1), as `read_counted` returns them; NaN for rows that no fold holds out.
    """
    tasks = _of_folds(counted, splits, settings)
    return _in_place(counted, splits, in_parallel(what, tasks, n_jobs=-1, prefer="processes"))


def fit_with_folds(
    counted: Counted, schemes: Mapping[str, Splits], settings: Settings
) -> tuple[Model, dict[str, Floats]]:
    """Fit the model to all rows, and return the result of `held_out_scores` for each scheme.

    All fits are one batch, so that no core waits for the last fit of a scheme.
    """
    if not schemes:
        return fit(counted, settings), {}
    tasks = _of_folds(counted, list(itertools.chain(*schemes.values())), settings)
    tasks = [joblib.delayed(fit)(counted, settings), *tasks]
    model, *results = in_parallel("fold", tasks, n_jobs=-1, prefer="processes")
    left = iter(results)
    return model, {
        scheme: _in_place(counted, of_scheme, list(itertools.islice(left, len(of_scheme))))
        for scheme, of_scheme in schemes.items()
    }


def _of_folds(counted: Counted, splits: Splits, settings: Settings) -> list[object]:
    """Return a joblib task for each fold."""
    return [joblib.delayed(_held_out)(counted, rows, held_out, settings) for rows, held_out in splits]


def _in_place(counted: Counted, splits: Splits, results: Sequence[Floats]) -> Floats:
    """Put the answers of each fold at the positions of its held-out rows; NaN elsewhere."""
    scores = np.full((counted.counts.shape[0], len(counted.labels) + 1), np.nan)
    for (_, held_out), found in zip(splits, results, strict=True):
        scores[held_out] = found
    return scores


# A module-level function with a large first argument: a cluster sends it to each worker once.
def _held_out(counted: Counted, rows: NDArray[np.intp], held_out: NDArray[np.intp], settings: Settings) -> Floats:
    learnt_from = counted.part(rows)
    return read_counted(fit(learnt_from, settings), counted.part(held_out), is_known(learnt_from, settings))
