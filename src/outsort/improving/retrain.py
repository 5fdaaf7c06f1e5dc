"""A new model in the place of an old one, if it is no worse on what the old one never saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from outsort.data.identity import hashes_of
from outsort.data.values import column_of, weights_of
from outsort.evaluation import compare
from outsort.labels import ANSWERS
from outsort.training.calibration import calibrate
from outsort.training.fitting import Settings, count_terms, roll_up
from outsort.training.folds import (
    LINES_OUT,
    STRATIFIED,
    UNSEEN,
    Checks,
    folds,
    held_out_answers,
    is_teachable,
)
from outsort.training.train import train_validated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.model import Model
    from outsort.numeric import Floats
    from outsort.training.validation import HeldOut, Validation

#: Rows of a group stand or fall together, and fewer groups can tell nothing.
FEWEST_GROUPS = 10


def retrain(
    dataset: Dataset,
    base: Model,
    *,
    settings: Settings | None = None,
    checks: Checks | None = None,
    test: Dataset | None = None,
) -> tuple[Model, dict[str, Any]]:
    """Train a model and compare it with the one it may replace.

    The rows that the base was not trained on are new to both: the base answers them as it is, the new
    model by cross-validation, from models that were trained without them.

    Whether the new rows help with work unlike any row is asked on grouped folds: there models of the
    rows that the base had stand for the base, for the base itself has seen what is held out.

    Args:
        dataset: the data, of which the base may have seen a part.
        base: the model there is.
        settings: as in `training.train`.
        checks: as in `training.train`, with folds.
        test: labelled texts of which neither model has seen any, read with ``for_training=False``.

    Returns:
        The new model, whose `about` has its `lineage`: the models it came from, latest first, each with
        its data and how the next one compared. And a dict: `new_rows`, how many rows the base had not
        seen; `on_new_rows`, see `comparison.judge`, or None where there are none of BPO or KPO;
        `on_groups`, likewise for each scheme of grouped folds, empty where there are no new rows, fewer
        than `FEWEST_GROUPS` groups or not enough of the base's rows; `on_test`, see `comparison.compare`,
        or None; `worse`, whether the new model is worse on any; `judged`, whether there was anything to
        judge by.

    Raises:
        ValueError: `checks` has no folds.
        DataError: the data cannot be used.
    """
    settings, checks = settings or Settings(), checks or Checks()
    model, validation = train_validated(dataset, settings, checks)
    if validation is None:
        raise ValueError("folds is 0: a model is compared by its answers in cross-validation")
    is_known = np.isin(hashes_of(dataset.texts), base.seen)
    weights = (
        weights_of(dataset, checks.weight_column) if checks.weight_column else np.ones(len(dataset.texts))
    )
    on_new_rows = _judge_new_rows(dataset, base, validation.held_out[STRATIFIED], is_known, weights)
    on_groups = _judge_groups(dataset, validation, is_known, weights, settings, checks)
    on_test = compare.compare(base, model, test) if test else None
    judged = [verdict for verdict in (on_new_rows, *on_groups.values(), on_test) if verdict is not None]
    result = {
        "new_rows": int((~is_known).sum()),
        "on_new_rows": on_new_rows,
        "on_groups": on_groups,
        "on_test": on_test,
        "worse": any(verdict["worse"] for verdict in judged),
        "judged": bool(judged),
    }
    ancestor = {
        "model": base.fingerprint,
        "data": base.about.get("data", {}),
        "new_rows": result["new_rows"],
        "difference": None if on_new_rows is None else on_new_rows["difference"],
    }
    lineage = [ancestor, *base.about.get("lineage", [])]
    return replace(model, about=model.about | {"lineage": lineage}), result


def _judge_new_rows(
    dataset: Dataset, base: Model, held_out: HeldOut, is_known: NDArray[np.bool_], weights: Floats
) -> dict[str, Any] | None:
    labels = np.array(dataset.labels)[held_out.rows]
    decided = np.flatnonzero(~is_known[held_out.rows] & np.isin(labels, ANSWERS))
    if not len(decided):
        return None
    rows = held_out.rows[decided]
    of_base = base.decision_function(dataset.texts[i] for i in rows.tolist())
    return compare.judge(_gain(labels[decided], of_base, held_out.log_odds[decided]), weights[rows])


def _judge_groups(
    dataset: Dataset,
    validation: Validation,
    is_known: NDArray[np.bool_],
    weights: Floats,
    settings: Settings,
    checks: Checks,
) -> dict[str, dict[str, Any]]:
    """Compare models of all rows with models of the rows that the base had, on groups new to both."""
    labels = np.array(dataset.labels)
    if is_known.all():
        return {}
    lines = dataset.lines or dataset.labels
    groups = {LINES_OUT: lines}
    if checks.group_column:
        groups[UNSEEN.format(checks.group_column)] = column_of(dataset, checks.group_column)
    splits_of_known = {
        scheme: [(rows[is_known[rows]], out) for rows, out in splits]
        for scheme, splits in folds(dataset, checks, settings.seed).items()
        if len(set(groups.get(scheme, ()))) >= FEWEST_GROUPS
    }
    splits_of_known = {s: known for s, known in splits_of_known.items() if is_teachable(labels, known)}
    if not splits_of_known:
        return {}
    terms, counts = count_terms(dataset.texts)
    verdicts: dict[str, dict[str, Any]] = {}
    for scheme, known in splits_of_known.items():
        raw = held_out_answers(lines, roll_up(dataset), terms, counts, known, settings)
        calibration = calibrate(labels, *raw, weights)
        log_odds = calibration[0, 0] + calibration[0, 1] * raw[0]
        held_out = validation.held_out[scheme]
        decided = np.flatnonzero(np.isin(labels[held_out.rows], ANSWERS))
        rows = held_out.rows[decided]
        gain = _gain(labels[rows], log_odds[rows], held_out.log_odds[decided])
        verdicts[scheme] = compare.judge(gain, weights[rows], np.array(groups[scheme])[rows])
    return verdicts


def _gain(labels: NDArray[np.str_], old: Floats, new: Floats) -> NDArray[np.int64]:
    """Return what `comparison.judge` takes, of labels and two models' log-odds of KPO: (n_rows,) each."""
    is_kpo = labels == ANSWERS[1]
    gain: NDArray[np.int64] = ((new > 0) == is_kpo).astype(np.int64) - ((old > 0) == is_kpo)
    return gain
