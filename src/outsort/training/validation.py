"""Validate a model: held-out answers, scores, calibration and the certified threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from outsort.decision import confidence
from outsort.labels import ANSWERS
from outsort.metrics import score
from outsort.numeric import odds_to_proba
from outsort.training.calibration import calibrate
from outsort.training.folds import LINES_OUT, STRATIFIED, UNSEEN, Checks, Splits
from outsort.training.threshold import Certificate, certify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.numeric import Floats


class HeldOut(NamedTuple):
    """Answers to rows by models that were not trained on them.

    Attributes:
        rows: intp (n,), places of the rows in the data, ascending.
        log_odds: float64 (n,), of KPO against BPO, calibrated.
        neither: float64 (n,), probability of NEITHER, calibrated, or NaN.
    """

    rows: NDArray[np.intp]
    log_odds: Floats
    neither: Floats


class Validation(NamedTuple):
    """What cross-validation found.

    Attributes:
        scores: for each scheme the scores of `evaluation.score`, with `uncalibrated`: the log loss and
            calibration error of the same answers before calibration.
        held_out: for each scheme the answers that were scored.
        scheme: the one that calibration and threshold were fitted on: the hardest without a time column.
        calibration: float64 (2, 2), as in `Model`.
        certificate: what the rows say of the threshold.
    """

    scores: dict[str, dict[str, Any]]
    held_out: dict[str, HeldOut]
    scheme: str
    calibration: Floats
    certificate: Certificate


def validate(
    dataset: Dataset,
    schemes: Mapping[str, Splits],
    raw: Mapping[str, tuple[Floats, Floats]],
    checks: Checks,
    weights: Floats | None,
    seed: int,
) -> Validation:
    """Calibrate, certify and score answers to rows by models that were not trained on them.

    Each scheme's scores are those of `evaluation.score` over its held-out rows together. A scheme of random
    folds is stratified. The others tell how the model does on work unlike its rows: whole service lines
    left out, where there are lines; whole groups left out; rows later than all it was trained on.

    Calibration and threshold come from the hardest of the schemes that hold out every row: lines, or else
    groups, or else random rows. There each fold is calibrated by the others, so that no row is judged by
    a line it helped to draw.

    Args:
        dataset: the data, n_texts rows.
        schemes: as `folds` returns them.
        raw: for each scheme what `held_out_answers` returns.
        checks: the columns and target.
        weights: float64 (n_texts,), how much each row counts; None for all alike.
        seed: of the certificate.
    """
    labels = np.array(dataset.labels)
    unseen = UNSEEN.format(checks.group_column)
    scheme = next(name for name in (LINES_OUT, unseen, STRATIFIED) if name in schemes)
    row_weights = np.ones(len(labels)) if weights is None else weights
    calibration = calibrate(labels, *raw[scheme], row_weights)
    held_out, scores = {}, {}
    for name, splits in schemes.items():
        answers = np.stack(raw[name])
        calibrated = np.empty_like(answers)
        for _, out in splits:
            line = calibration
            if name == scheme:
                others = np.setdiff1d(np.arange(len(labels)), out)
                line = calibrate(labels[others], answers[0, others], answers[1, others], row_weights[others])
            calibrated[:, out] = line[:, :1] + line[:, 1:] * answers[:, out]
        rows = np.sort(np.concatenate([out for _, out in splits]))
        held_out[name] = HeldOut(rows, calibrated[0, rows], odds_to_proba(calibrated[1, rows])[:, 1])
        before, after = (
            score(
                labels[rows],
                *(odds_to_proba(log_odds)[:, 1] for log_odds in both[:, rows]),
                weights=row_weights[rows],
                source=dataset.source,
            )
            for both in (answers, calibrated)
        )
        scores[name] = after | {"uncalibrated": {k: before[k] for k in ("log_loss", "calibration_error")}}
    chosen = held_out[scheme]
    certificate = certify(
        confidence(chosen.log_odds, chosen.neither),
        labels[chosen.rows] == np.where(chosen.log_odds > 0, *ANSWERS[::-1]),
        checks.target_precision,
        checks.confidence,
        weights,
        seed,
    )
    return Validation(scores, held_out, scheme, calibration, certificate)
