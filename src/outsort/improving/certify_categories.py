"""Calibrate and certify the categories of a taxonomy on a random sample of one's own texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from outsort.data.dataset import Dataset
from outsort.data.identity import hashes_of
from outsort.improving.certify import N_FOLDS, Certified, drawn_sample
from outsort.model import CERTIFIED, Model
from outsort.numeric import Floats
from outsort.results import plain
from outsort.taxonomy import Taxonomy, predictions
from outsort.training.threshold import certify, rows_to_accept

#: Limits of the slope: a small sample answered without a mistake would ask for any.
_SLOPES = (0.2, 5.0)


def certify_categories(
    model: Model,
    samples: Sequence[tuple[Taxonomy, Dataset]],
    *,
    is_random: bool = False,
    target_precision: float = 0.95,
    level: float = 0.9,
    seed: int = 0,
) -> tuple[Model, dict[str, Certified]]:
    """Calibrate and certify the categories of each axis, as `certify_model` does labels.

    The calibration is one slope (Guo, Pleiss, Sun and Weinberger, 2017): a few hundred labels are too few for one of
    each category.

    Args:
        model: the model, whose answers stay as they are.
        samples: the taxonomy of each axis alone, and texts labelled with its codes: see
            `evaluation.categories.read_categories`.
        is_random: see `certify_model`, as are the others.
        target_precision: precision that accepted categories must have.
        level: confidence level of that promise.
        seed: random seed.

    Returns:
        The model, which keeps what was certified, and by the axis what the sample says.

    Raises:
        DataError: the model was trained on texts of the sample.
        NoSampleError: the sample is not marked as random, is too small, or has one category only.
    """
    results: dict[str, Certified] = {}
    kept: dict[str, Any] = {}
    seen = model.seen
    for taxonomy, rows in samples:
        axis = replace(taxonomy.axes[0], slope=1.0)
        drawn = drawn_sample(model, rows, axis.codes, is_random=is_random, seed=seed)
        log_proba = _log_proba(model, replace(taxonomy, axes=(axis,)), drawn.texts)[drawn.rows]
        proba = np.empty_like(log_proba)
        for k in range(N_FOLDS):
            out = drawn.fold == k
            proba[out] = _sloped(log_proba[out], _slope(log_proba[~out], drawn.codes[~out]))
        confidence = np.where(drawn.unlike, 0.0, proba.max(axis=1))
        correct = proba.argmax(axis=1) == drawn.codes
        certificate = certify(confidence, correct, target_precision, level)
        more, n_for_more = rows_to_accept(confidence, correct, target_precision, level)
        results[axis.label_column] = Certified(len(drawn.texts), certificate, n_for_more, more)
        if certificate.coverage:
            slope = _slope(log_proba, drawn.codes)
            promise = plain(certificate.to_dict())
            kept[axis.name] = {"slope": slope, "threshold": certificate.threshold, "certificate": promise}
            seen = np.union1d(seen, hashes_of(drawn.texts))
    if not kept:
        return model, results
    fingerprint = samples[0][0].fingerprint
    before = model.about.get(CERTIFIED, {})
    about = model.about | {CERTIFIED: before | {fingerprint: before.get(fingerprint, {}) | kept}}
    return replace(model, seen=seen, about=about), results


def _log_proba(model: Model, taxonomy: Taxonomy, texts: Sequence[str]) -> Floats:
    """Return the logarithm of the probability of each category: float64 (n_texts, n_categories)."""
    found = predictions(texts, model, taxonomy)
    proba = np.array([list(one.categories[0].probabilities.values()) for one in found])
    return np.asarray(np.log(np.maximum(proba, np.finfo(np.float64).tiny)))


def _sloped(log_proba: Floats, slope: float) -> Floats:
    """Return the probabilities that a slope makes of log-probabilities: float64 (n, n_categories)."""
    powered = np.exp(slope * (log_proba - log_proba.max(axis=1, keepdims=True)))
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def _slope(log_proba: Floats, codes: NDArray[np.intp]) -> float:
    """Return the slope with the least log loss on labelled rows; UNCLEAR, -1, teaches nothing."""
    decided = np.flatnonzero(codes >= 0)

    def loss(slope: float) -> float:
        right = _sloped(log_proba[decided], slope)[np.arange(len(decided)), codes[decided]]
        return float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).sum())

    return float(minimize_scalar(loss, bounds=_SLOPES, method="bounded").x)
