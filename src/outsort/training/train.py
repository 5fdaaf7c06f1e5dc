"""From labelled texts to a model."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outsort import progress
from outsort import text as text_module
from outsort._version import __version__
from outsort.data import dataset, identity, values
from outsort.data.dataset import Dataset
from outsort.data.label_map import LabelMap
from outsort.labels import in_order
from outsort.likeness import Profile
from outsort.model import Model
from outsort.numeric import Floats
from outsort.training.about import Promise, identify
from outsort.training.calibration import frequencies
from outsort.training.fitting import Counted, Settings, count, is_known
from outsort.training.folds import Checks, Splits, fit_with_folds, folds
from outsort.training.mixing import mixed_level
from outsort.training.validation import Validation, validate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prepared:
    """A dataset split into folds and counted.

    Attributes:
        dataset: the n_texts rows.
        settings: the settings.
        checks: the checks.
        schemes: as `folds` returns them; empty without cross-validation.
        weights: float64 (n_texts,), the weight of each row.
        counted: the texts as counts.
    """

    dataset: Dataset
    settings: Settings
    checks: Checks
    schemes: dict[str, Splits]
    weights: Floats
    counted: Counted


def train(
    data: Path | str | pd.DataFrame | Dataset,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    label_map: LabelMap = None,
    out_of_scope: str | None = None,
    clauses: Path | str | None = None,
    settings: Settings | None = None,
    checks: Checks | None = None,
) -> Model:
    """Train a model on labelled texts.

    Args:
        data: a file, a frame, or a dataset.
        text_column: the column of texts, see `data.dataset.read`; found by headings and cells when None.
        label_column: the column of labels, found by its usual names when None.
        line_column: the column of service lines, if there is one.
        label_map: what the labels in the data mean, see `LabelMap`.
        out_of_scope: the label for what is out of scope; found by its usual names when None, "" for none.
        clauses: a table of marked clauses, see `data.marks.read_marks`; None for none.
        settings: the settings, `Settings()` when None.
        checks: how the model is validated, calibrated and given its threshold, `Checks()` when None.

    Returns:
        A model. The same data and settings give the same model, to the last bit, with the same
        versions of NumPy, scikit-learn and Numba on the same kind of machine.

    Raises:
        DataError: the data cannot be used; see `data.dataset.read`.
        ValueError: a number in `checks` is out of range.
    """
    if not isinstance(data, dataset.Dataset):
        data = dataset.read(
            data,
            text_column=text_column,
            label_column=label_column,
            line_column=line_column,
            label_map=label_map,
            out_of_scope=out_of_scope,
            clauses=clauses,
        )
    return train_validated(data, settings, checks)[0]


def train_validated(
    dataset: Dataset, settings: Settings | None = None, checks: Checks | None = None
) -> tuple[Model, Validation | None]:
    """Do what `train` does, and return the validation as well; None without folds."""
    return train_prepared(prepare(dataset, settings or Settings(), checks or Checks()))


def prepare(dataset: Dataset, settings: Settings, checks: Checks) -> Prepared:
    """Split a dataset into folds and count its terms; a bad column raises before the long work."""
    if checks.folds < 0 or checks.folds == 1:
        raise ValueError(f"folds is {checks.folds}: choose 2 or more, or 0 for no cross-validation")
    schemes = folds(dataset, checks, settings.seed) if checks.folds else {}
    progress.tell("counting terms")
    weights = _to_shares(values.weights_of(dataset, checks.weight_column), dataset.labels, checks.shares)
    counted = count(
        dataset.texts,
        dataset.labels,
        dataset.lines,
        out_of_scope=dataset.out_of_scope,
        marks=dataset.marks,
        unclear=dataset.unclear,
    )
    return Prepared(dataset, settings, checks, schemes, weights, counted)


def _to_shares(weights: Floats, labels: Sequence[str], shares: Mapping[str, float]) -> Floats:
    """Return weights that give each label of `shares` its share of them: float64 (n_texts,)."""
    total = sum(shares.values())
    if total >= 1 or min(shares.values(), default=1) <= 0 or shares.keys() >= set(labels):
        raise ValueError(f"shares are {dict(shares)}: choose shares above 0, together under 1, and none for one label")
    of_text = np.array(labels)
    of_others = weights[~np.isin(of_text, list(shares))].sum()
    result = weights.copy()
    for label, share in shares.items():
        result[of_text == label] *= share / (1 - total) * of_others / weights[of_text == label].sum()
    return result


def train_prepared(prepared: Prepared) -> tuple[Model, Validation | None]:
    """Train and validate on a prepared dataset."""
    dataset, settings, schemes = prepared.dataset, prepared.settings, prepared.schemes
    model, raw = fit_with_folds(prepared.counted, schemes, settings)
    validation = None
    labels = np.array([model.labels.index(label) for label in dataset.labels])
    model = replace(model, prior=frequencies(labels, prepared.weights, len(model.labels)))
    if settings.later and not schemes:
        model = replace(model, later=np.array([settings.later.get(label, 0.0) for label in model.labels]))
    if schemes:
        progress.tell("calibrating")
        validation = validate(dataset, schemes, raw, prepared.checks, prepared.weights, settings)
        model = replace(
            model,
            calibration=validation.calibration,
            later=validation.later,
            threshold=validation.certificate.threshold,
        )
        model = replace(model, mixed=mixed_level(model, labels, raw[validation.scheme], settings.seed))
    return replace(
        model,
        about=_about(prepared, validation),
        seen=np.unique(identity.hashes_of([*dataset.texts, *dataset.unclear])),
    ), validation


def _about(prepared: Prepared, validation: Validation | None) -> dict[str, object]:
    """Return the origin of a model as plain values, for its file."""
    scores, decision = {}, {}
    if validation:
        scores = {scheme: found.to_dict() for scheme, found in validation.scores.items()}
        measured = _measured(prepared, validation).to_dict() if validation.certificate.coverage else {}
        promise = Promise(**vars(validation.certificate), held_out=validation.scheme, measured=measured)
        decision = promise.to_dict()
    return {
        "data": identify(prepared.dataset).to_dict(),
        "settings": asdict(prepared.settings),
        "scores": scores,
        "decision": decision,
        "versions": {"outsort": __version__, "python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "scikit-learn", "numba", "joblib")},
    }


def _measured(prepared: Prepared, validation: Validation) -> Profile:
    """Return what the certified rows are like to the models that answered them."""
    counted, scheme = prepared.counted, validation.scheme
    is_word = np.array(
        [not text_module.is_piece(term) and text_module.worded(term) == [term] for term in counted.terms]
    )
    held_out = validation.held_out[scheme]
    found, weights = held_out.proba.argmax(axis=1), prepared.weights[held_out.rows]
    labels = in_order(prepared.dataset.labels, prepared.dataset.out_of_scope)
    n_words = sum(len(text_module.worded(prepared.dataset.texts[i])) for i in held_out.rows.tolist())
    n_different = n_unknown = 0
    for rows, out in prepared.schemes[scheme]:
        words = counted.counts[out][:, is_word]
        n_different += words.nnz
        n_unknown += words[:, ~is_known(counted.part(rows), prepared.settings)[is_word]].nnz
    return Profile(
        len(found),
        n_words / len(found),
        n_unknown / max(n_different, 1),
        1 - validation.certificate.coverage,
        {label: float(np.average(found == i, weights=weights)) for i, label in enumerate(labels)},
    )
