"""Validate a model: held-out answers, scores, calibration and the certified threshold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outsort.data.dataset import Dataset
from outsort.labels import in_order
from outsort.metrics import Scores, effective_rows, score
from outsort.model import log_proba, uncalibrated
from outsort.numeric import Floats
from outsort.results import Result
from outsort.training.calibration import calibrate
from outsort.training.fitting import Settings
from outsort.training.folds import BOTH_OUT, LINES_OUT, STRATIFIED, UNSEEN, Checks, Splits
from outsort.training.threshold import Certificate, certify


@dataclass(frozen=True)
class HeldOut(Result):
    """Answers to rows by models that were not trained on them.

    Attributes:
        rows: intp (n,), positions of the rows in the data, ascending.
        proba: float64 (n, n_labels), the calibrated probability of each label.
    """

    rows: NDArray[np.intp]
    proba: Floats


@dataclass(frozen=True)
class Uncalibrated(Result):
    """What the same answers scored before calibration."""

    log_loss: float
    calibration_error: float


@dataclass(frozen=True)
class HeldOutScores(Scores):
    """Scores of a scheme of cross-validation.

    Attributes:
        uncalibrated: what the same answers scored before calibration.
        effective_rows: how many rows of equal weight say as much as those of each label; empty where the rows of each
            label weigh the same.
    """

    uncalibrated: Uncalibrated
    effective_rows: dict[str, float]


@dataclass(frozen=True)
class Validation(Result):
    """The result of cross-validation.

    Attributes:
        scores: the scores of each scheme.
        held_out: the answers that were scored.
        scheme: the scheme that calibration and threshold were fitted on: the hardest without a time column.
        calibration: float64 (n_labels, 2), as in `Model`.
        later: float64 (n_labels,), as in `Model`.
        certificate: what the held-out rows certify.
    """

    scores: dict[str, HeldOutScores]
    held_out: dict[str, HeldOut]
    scheme: str
    calibration: Floats
    later: Floats
    certificate: Certificate


def validate(
    dataset: Dataset,
    schemes: Mapping[str, Splits],
    raw: Mapping[str, Floats],
    checks: Checks,
    weights: Floats,
    settings: Settings,
) -> Validation:
    """Calibrate, certify and score held-out answers.

    A scheme's scores cover its held-out rows together. Random folds are stratified; the other schemes
    measure the model on work unlike its rows: unseen service lines, unseen groups, later rows.

    Calibration and threshold come from the hardest scheme: service lines together with groups, else service lines,
    else groups, else random rows. In that scheme each fold is calibrated on the others, so no row is judged by a
    curve that it helped to fit.

    Args:
        dataset: the data, n_texts rows.
        schemes: as `folds` returns them.
        raw: the result of `held_out_scores` for each scheme.
        checks: the columns and the target.
        weights: float64 (n_texts,), the weight of each row.
        settings: the seed of the certificate, and what is known of later clauses.
    """
    labels = np.array(dataset.labels)
    of_model = in_order(dataset.labels, dataset.out_of_scope)
    codes = np.array([of_model.index(label) for label in dataset.labels])
    n_in_scope = len(of_model) - bool(dataset.out_of_scope)
    by_difficulty = (BOTH_OUT.format(checks.group_column), LINES_OUT, UNSEEN.format(checks.group_column), STRATIFIED)
    scheme = next(name for name in by_difficulty if name in schemes)

    def fitted_to(rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        of_scheme = raw[scheme][rows]
        found, later = calibrate(codes[rows], of_scheme[:, :-1], of_scheme[:, -1], weights[rows], n_in_scope)
        if settings.later:
            later = np.array([settings.later.get(label, 0.0) for label in of_model]) / found[:, 1]
        return found, later

    held_out_rows = {name: np.sort(np.concatenate([out for _, out in splits])) for name, splits in schemes.items()}
    calibration, later = fitted_to(held_out_rows[scheme])
    held_out, scores = {}, {}
    for name, splits in schemes.items():
        proba = np.empty((len(labels), len(of_model)))
        for _, out in splits:
            of_fold = fitted_to(np.setdiff1d(held_out_rows[name], out)) if name == scheme else (calibration, later)
            proba[out] = calibrated_proba(raw[name][out], *of_fold, n_in_scope)
        rows = held_out_rows[name]
        held_out[name] = HeldOut(rows, proba[rows])
        before = calibrated_proba(raw[name][rows], uncalibrated(len(of_model)), np.zeros(len(of_model)), n_in_scope)
        of_before, of_after = (
            score(labels[rows], p, of_model, dataset.out_of_scope, weights=weights[rows], source=dataset.source)
            for p in (before, proba[rows])
        )
        difference = Uncalibrated(of_before.log_loss, of_before.calibration_error)
        effective = _effective_rows(labels[rows], weights[rows])
        scores[name] = HeldOutScores(**vars(of_after), uncalibrated=difference, effective_rows=effective)
    chosen = held_out[scheme]
    certificate = certify(
        chosen.proba.max(axis=1),
        codes[chosen.rows] == chosen.proba.argmax(axis=1),
        checks.target_precision,
        checks.level,
        weights[chosen.rows],
        settings.seed,
    )
    return Validation(scores, held_out, scheme, calibration, later, certificate)


def _effective_rows(labels: NDArray[np.str_], weights: Floats) -> dict[str, float]:
    """Return `HeldOutScores.effective_rows` of n rows."""
    of_labels = {str(label): weights[labels == label] for label in np.unique(labels)}
    if all(np.ptp(of_label) == 0 for of_label in of_labels.values()):
        return {}
    return {label: effective_rows(of_label) for label, of_label in of_labels.items() if of_label.any()}


def calibrated_proba(raw: Floats, calibration: Floats, later: Floats, n_in_scope: int) -> Floats:
    """Return the probabilities of the labels for held-out scores: float64 (n, n_labels).

    Args:
        raw: float64 (n, n_labels + 1), as `read_counted` returns them.
        calibration: float64 (n_labels, 2), as in `Model`.
        later: float64 (n_labels,), as in `Model`.
        n_in_scope: the number of labels but the one out of scope.
    """
    return np.exp(log_proba(raw[:, :-1] - raw[:, -1:] * later, calibration, n_in_scope))
