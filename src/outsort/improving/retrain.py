"""Train a model to replace another, and compare the two on rows that the other never saw."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outsort import progress
from outsort.data.dataset import Dataset
from outsort.data.identity import hashes_of
from outsort.data.values import column_of
from outsort.evaluation.compare import Comparison, Judgement, compare, judge, require_same_labels
from outsort.labels import spellings
from outsort.model import Model
from outsort.numeric import Floats
from outsort.results import Result
from outsort.training.about import summarize
from outsort.training.calibration import calibrate
from outsort.training.fitting import Settings
from outsort.training.folds import LINES_OUT, STRATIFIED, UNSEEN, Checks, held_out_scores, is_teachable
from outsort.training.train import Prepared, prepare, train_prepared
from outsort.training.validation import HeldOut, Validation, calibrated_proba

#: Rows of a group are not independent, and fewer groups than this show nothing.
FEWEST_GROUPS = 10


@dataclass(frozen=True)
class Retraining(Result):
    """How a new model compares with the one it may replace.

    Attributes:
        new_rows: rows that the base was not trained on.
        on_new_rows: the comparison on those; None if there are none.
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

    Labels that differ from the base's only in case are spelled as there.

    Args:
        dataset: the data; the base may have seen part of it.
        base: the current model.
        settings: as in `training.train`.
        checks: as in `training.train`, with folds; those of `promised` by default.
        test: labelled texts that neither model was trained on, read with ``for_training=False``.

    Returns:
        The new model and the comparison. The model's `about` has its `lineage`: the models that it came
        from, latest first, each with its data and the difference that its successor made.

    Raises:
        ValueError: `checks` has no folds.
        DataError: the data cannot be used, or there is a test but the new model has other labels than the base.
    """
    dataset = _spelled_as(dataset, base)
    if test:
        # Before the long work, not after it.
        require_same_labels(base.labels, sorted(set(dataset.labels)))
    prepared = prepare(dataset, settings or Settings(), checks or promised(base))
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


def promised(base: Model) -> Checks:
    """Return the checks of a model that is to promise the precision that `base` promises."""
    promise = summarize(base).decision
    return Checks(target_precision=promise.target, level=promise.level) if promise else Checks()


def _spelled_as(dataset: Dataset, base: Model) -> Dataset:
    one = spellings(dataset.labels, base.labels)
    return replace(
        dataset, labels=[one[label] for label in dataset.labels], out_of_scope=one.get(dataset.out_of_scope, "")
    )


def _judge_new_rows(
    prepared: Prepared, base: Model, held_out: HeldOut, is_known: NDArray[np.bool_]
) -> Judgement | None:
    new = np.flatnonzero(~is_known[held_out.rows])
    if not len(new):
        return None
    progress.tell("comparing on new rows")
    rows = held_out.rows[new]
    of_base = base.predict(prepared.dataset.texts[i] for i in rows.tolist())
    return judge(_gain(prepared, rows, of_base, held_out.proba[new]), prepared.weights[rows])


def _judge_groups(prepared: Prepared, validation: Validation, is_known: NDArray[np.bool_]) -> dict[str, Judgement]:
    """Compare models of all rows with models of the base's rows, on groups that neither has seen."""
    if is_known.all():
        return {}
    dataset, column = prepared.dataset, prepared.checks.group_column
    labels, groups = np.array(dataset.labels), {LINES_OUT: prepared.counted.lines}
    if column:
        groups[UNSEEN.format(column)] = column_of(dataset, column)
    of_model = prepared.counted.labels
    codes = np.array([of_model.index(label) for label in dataset.labels])
    judgements = {}
    for scheme, splits in prepared.schemes.items():
        known = [(rows[is_known[rows]], out) for rows, out in splits]
        if len(set(groups.get(scheme, ()))) < FEWEST_GROUPS or not is_teachable(labels, known):
            continue
        raw = held_out_scores(prepared.counted, known, prepared.settings, f"{scheme} without the new rows, fold")
        n_in_scope = len(of_model) - bool(dataset.out_of_scope)
        fitted = calibrate(codes, raw[:, :-1], raw[:, -1], prepared.weights, n_in_scope)
        held_out = validation.held_out[scheme]
        rows = held_out.rows
        of_base = np.array(of_model)[calibrated_proba(raw[rows], *fitted, n_in_scope).argmax(axis=1)]
        gain = _gain(prepared, rows, of_base, held_out.proba)
        judgements[scheme] = judge(gain, prepared.weights[rows], np.array(groups[scheme])[rows])
    return judgements


def _gain(prepared: Prepared, rows: NDArray[np.intp], old: NDArray[np.str_], new: Floats) -> NDArray[np.int64]:
    """Return the `gain` of `judge` from the old labels (n_rows,) and the new probabilities (n_rows, n_labels)."""
    labels = np.array(prepared.dataset.labels)[rows]
    of_new = np.array(prepared.counted.labels)[new.argmax(axis=1)]
    gain: NDArray[np.int64] = (of_new == labels).astype(np.int64) - (old == labels)
    return gain
