"""A new model in the place of an old one, if it is no worse on what the old one never saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from outsort import comparison
from outsort.dataset import hashes_of, weights_of
from outsort.model import ANSWERS
from outsort.training import STRATIFIED, Checks, Settings, train_validated

if TYPE_CHECKING:
    from outsort.dataset import Dataset
    from outsort.model import Model


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

    Args:
        dataset: the data, of which the base may have seen a part.
        base: the model there is.
        settings: as in `training.train`.
        checks: as in `training.train`, with folds.
        test: labelled texts of which neither model has seen any, read with ``for_training=False``.

    Returns:
        The new model, whose `about` has its `lineage`: the models it came from, latest first, each with
        its data and how the next one compared. And a dict: `new_rows`, how many rows the base had not
        seen; `on_new_rows`, see `comparison.judge`, or None where there are none of BPO or KPO; `on_test`,
        see `comparison.compare`, or None; `worse`, whether the new model is worse on any; `judged`,
        whether there was anything to judge by.

    Raises:
        ValueError: `checks` has no folds.
        DataError: the data cannot be used.
    """
    checks = checks or Checks()
    model, validation = train_validated(dataset, settings, checks)
    if validation is None:
        raise ValueError("folds is 0: a model is compared by its answers in cross-validation")
    held_out = validation.held_out[STRATIFIED]
    labels = np.array(dataset.labels)[held_out.rows]
    is_new = ~np.isin(hashes_of(dataset.texts), base.seen)[held_out.rows]
    decided = np.flatnonzero(is_new & np.isin(labels, ANSWERS))
    on_new_rows = None
    if len(decided):
        weights = weights_of(dataset, checks.weight_column) if checks.weight_column else None
        rows = held_out.rows[decided]
        is_kpo = labels[decided] == ANSWERS[1]
        of_base = base.decision_function(dataset.texts[i] for i in rows.tolist())
        gain = ((held_out.log_odds[decided] > 0) == is_kpo).astype(int) - ((of_base > 0) == is_kpo)
        on_new_rows = comparison.judge(gain, np.ones(len(rows)) if weights is None else weights[rows])
    on_test = comparison.compare(base, model, test) if test else None
    judged = [verdict for verdict in (on_new_rows, on_test) if verdict is not None]
    result = {
        "new_rows": int(is_new.sum()),
        "on_new_rows": on_new_rows,
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
