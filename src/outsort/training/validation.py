"""Validate a model: held-out answers, scores, calibration and the certified threshold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outsort.data.dataset import Dataset
from outsort.decision import confidence
from outsort.labels import ANSWERS
from outsort.metrics import Scores, score
from outsort.numeric import Floats, odds_to_proba
from outsort.results import Result
from outsort.training.calibration import calibrate
from outsort.training.folds import LINES_OUT, STRATIFIED, UNSEEN, Checks, Splits
from outsort.training.threshold import Certificate, certify


@dataclass(frozen=True)
class HeldOut(Result):
    """Answers to rows by models that were not trained on them.

    Attributes:
        rows: intp (n,), positions of the rows in the data, ascending.
        log_odds: float64 (n,), of KPO against BPO, calibrated.
        neither: float64 (n,), probability of NEITHER, calibrated, or NaN.
    """

    rows: NDArray[np.intp]
    log_odds: Floats
    neither: Floats


@dataclass(frozen=True)
class Uncalibrated(Result):
    """What the same answers scored before calibration."""

    log_loss: float
    calibration_error: float


@dataclass(frozen=True)
class HeldOutScores(Scores):
    """Scores of a scheme of cross-validation, after and before calibration."""

    uncalibrated: Uncalibrated


@dataclass(frozen=True)
class Validation(Result):
    """The result of cross-validation.

    Attributes:
        scores: the scores of each scheme.
        held_out: the answers that were scored.
        scheme: the scheme that calibration and threshold were fitted on: the hardest without a time column.
        calibration: float64 (2, 2), as in `Model`.
        certificate: what the held-out rows certify.
    """

    scores: dict[str, HeldOutScores]
    held_out: dict[str, HeldOut]
    scheme: str
    calibration: Floats
    certificate: Certificate


def validate(
    dataset: Dataset,
    schemes: Mapping[str, Splits],
    raw: Mapping[str, tuple[Floats, Floats]],
    checks: Checks,
    weights: Floats,
    seed: int,
) -> Validation:
    """Calibrate, certify and score held-out answers.

    A scheme's scores cover its held-out rows together. Random folds are stratified; the other schemes
    measure the model on work unlike its rows: unseen service lines, unseen groups, later rows.

    Calibration and threshold come from the hardest scheme that holds out every row: service lines, else
    groups, else random rows. In that scheme each fold is calibrated on the others, so no row is judged by a
    curve that it helped to fit.

    Args:
        dataset: the data, n_texts rows.
        schemes: as `folds` returns them.
        raw: the result of `held_out_answers` for each scheme.
        checks: the columns and the target.
        weights: float64 (n_texts,), the weight of each row.
        seed: random seed of the certificate.
    """
    labels = np.array(dataset.labels)
    unseen = UNSEEN.format(checks.group_column)
    scheme = next(name for name in (LINES_OUT, unseen, STRATIFIED) if name in schemes)
    calibration = calibrate(labels, *raw[scheme], weights)
    held_out, scores = {}, {}
    for name, splits in schemes.items():
        answers = np.stack(raw[name])
        calibrated = np.empty_like(answers)
        for _, out in splits:
            fitted = calibration
            if name == scheme:
                others = np.setdiff1d(np.arange(len(labels)), out)
                fitted = calibrate(labels[others], answers[0, others], answers[1, others], weights[others])
            calibrated[:, out] = fitted[:, :1] + fitted[:, 1:] * answers[:, out]
        rows = np.sort(np.concatenate([out for _, out in splits]))
        held_out[name] = HeldOut(rows, calibrated[0, rows], odds_to_proba(calibrated[1, rows])[:, 1])
        before, after = (
            score(
                labels[rows],
                *(odds_to_proba(log_odds)[:, 1] for log_odds in both[:, rows]),
                weights=weights[rows],
                source=dataset.source,
            )
            for both in (answers, calibrated)
        )
        uncalibrated = Uncalibrated(before.log_loss, before.calibration_error)
        scores[name] = HeldOutScores(**vars(after), uncalibrated=uncalibrated)
    chosen = held_out[scheme]
    certificate = certify(
        confidence(chosen.log_odds, chosen.neither),
        labels[chosen.rows] == np.where(chosen.log_odds > 0, *ANSWERS[::-1]),
        checks.target_precision,
        checks.level,
        weights,
        seed,
    )
    return Validation(scores, held_out, scheme, calibration, certificate)
