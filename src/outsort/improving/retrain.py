"""Train a model to replace another, and compare the two on rows that the other never saw."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outsort.data.dataset import Dataset
from outsort.data.identity import hashes_of
from outsort.data.values import column_of
from outsort.evaluation.compare import Comparison, Judgement, compare, judge
from outsort.labels import ANSWERS
from outsort.model import Model
from outsort.numeric import Floats
from outsort.results import Result
from outsort.training.calibration import calibrate
from outsort.training.fitting import Settings
from outsort.training.folds import LINES_OUT, STRATIFIED, UNSEEN, Checks, held_out_answers, is_teachable
from outsort.training.train import Prepared, prepare, train_prepared
from outsort.training.validation import HeldOut, Validation

#: Rows of a group are not independent, and fewer groups than this show nothing.
FEWEST_GROUPS = 10


@dataclass(frozen=True)
class Retraining(Result):
    """How a new model compares with the one it may replace.

    Attributes:
        new_rows: rows that the base was not trained on.
        on_new_rows: the comparison on those of BPO or KPO; None if there are none.
        on_groups: the comparison for each scheme of grouped folds; empty without new rows, with fewer than
            `FEWEST_GROUPS` groups, or with too few of the base's rows.
        on_test: the comparison on the test texts, or None.
        worse: whether the new model is worse in any comparison.
        judged: whether there was a comparison.
    """

    new_rows: int
    on_new_rows: Judgement | None
    on_groups: dict[str, Judgement]
    on_test: Comparison | None
    worse: bool
    judged: bool


def retrain(
    dataset: Dataset,
    base: Model,
    *,
    settings: Settings | None = None,
    checks: Checks | None = None,
    test: Dataset | None = None,
) -> tuple[Model, Retraining]:
    """Train a model and compare it with the one it may replace.

    Rows that the base was not trained on are new to both models: the base answers them itself, the new model
    through cross-validation.

    Grouped folds show whether the new rows help with other work. There the base is represented by models of
    the rows that it had, because the base itself has seen the held-out rows.

    Args:
        dataset: the data; the base may have seen part of it.
        base: the current model.
        settings: as in `training.train`.
        checks: as in `training.train`, with folds.
        test: labelled texts that neither model was trained on, read with ``for_training=False``.

    Returns:
        The new model and the comparison. The model's `about` has its `lineage`: the models that it came
        from, latest first, each with its data and the difference that its successor made.

    Raises:
        ValueError: `checks` has no folds.
        DataError: the data cannot be used.
    """
    prepared = prepare(dataset, settings or Settings(), checks or Checks())
    model, validation = train_prepared(prepared)
    if validation is None:
        raise ValueError("folds is 0: models are compared by cross-validation")
    is_known = np.isin(hashes_of(dataset.texts), base.seen)
    on_new_rows = _judge_new_rows(prepared, base, validation.held_out[STRATIFIED], is_known)
    on_groups = _judge_groups(prepared, validation, is_known)
    on_test = compare(base, model, test) if test else None
    judged = [judgement for judgement in (on_new_rows, *on_groups.values(), on_test) if judgement]
    result = Retraining(
        new_rows=int((~is_known).sum()),
        on_new_rows=on_new_rows,
        on_groups=on_groups,
        on_test=on_test,
        worse=any(judgement.worse for judgement in judged),
        judged=bool(judged),
    )
    ancestor = {
        "model": base.fingerprint,
        "data": base.about.get("data", {}),
        "new_rows": result.new_rows,
        "difference": on_new_rows.difference if on_new_rows else None,
    }
    lineage = [ancestor, *base.about.get("lineage", [])]
    return replace(model, about=model.about | {"lineage": lineage}), result


def _judge_new_rows(
    prepared: Prepared, base: Model, held_out: HeldOut, is_known: NDArray[np.bool_]
) -> Judgement | None:
    labels = np.array(prepared.dataset.labels)[held_out.rows]
    decided = np.flatnonzero(~is_known[held_out.rows] & np.isin(labels, ANSWERS))
    if not len(decided):
        return None
    rows = held_out.rows[decided]
    of_base = base.decision_function(prepared.dataset.texts[i] for i in rows.tolist())
    return judge(_gain(labels[decided], of_base, held_out.log_odds[decided]), prepared.weights[rows])


def _judge_groups(prepared: Prepared, validation: Validation, is_known: NDArray[np.bool_]) -> dict[str, Judgement]:
    """Compare models of all rows with models of the base's rows, on groups that neither has seen."""
    if is_known.all():
        return {}
    dataset, column = prepared.dataset, prepared.checks.group_column
    labels, groups = np.array(dataset.labels), {LINES_OUT: prepared.counted.lines}
    if column:
        groups[UNSEEN.format(column)] = column_of(dataset, column)
    judgements = {}
    for scheme, splits in prepared.schemes.items():
        known = [(rows[is_known[rows]], out) for rows, out in splits]
        if len(set(groups.get(scheme, ()))) < FEWEST_GROUPS or not is_teachable(labels, known):
            continue
        raw = held_out_answers(prepared.counted, known, prepared.settings)
        calibration = calibrate(labels, *raw, prepared.weights)
        log_odds = calibration[0, 0] + calibration[0, 1] * raw[0]
        held_out = validation.held_out[scheme]
        decided = np.flatnonzero(np.isin(labels[held_out.rows], ANSWERS))
        rows = held_out.rows[decided]
        gain = _gain(labels[rows], log_odds[rows], held_out.log_odds[decided])
        judgements[scheme] = judge(gain, prepared.weights[rows], np.array(groups[scheme])[rows])
    return judgements


def _gain(labels: NDArray[np.str_], old: Floats, new: Floats) -> NDArray[np.int64]:
    """Return the `gain` of `judge` from labels and two models' log-odds of KPO: (n_rows,) each."""
    is_kpo = labels == ANSWERS[1]
    gain: NDArray[np.int64] = ((new > 0) == is_kpo).astype(np.int64) - ((old > 0) == is_kpo)
    return gain
