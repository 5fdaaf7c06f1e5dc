"""From labelled texts to a model."""

from __future__ import annotations

import platform
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import sklearn

from outsort._numba import nb
from outsort._version import __version__
from outsort.data import dataset, identity, values
from outsort.training.fitting import Settings, count_terms
from outsort.training.folds import Checks, fit_with_folds, folds
from outsort.training.validation import Validation, validate

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from outsort.data.dataset import Dataset
    from outsort.model import Model


def train(
    data: Path | str | pd.DataFrame | Dataset,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    settings: Settings | None = None,
    checks: Checks | None = None,
) -> Model:
    """Train a model on labelled texts.

    Args:
        data: a CSV file, a frame, or data already read and checked.
        text_column: the column of texts; found by its usual name when None.
        label_column: the column of labels: BPO, KPO, NEITHER.
        line_column: the column of service lines, if there is one.
        settings: the settings, `Settings()` when None.
        checks: how the model is validated, calibrated and given its threshold, `Checks()` when None.

    Returns:
        A model. The same data and settings give the same model, to the last bit, with the same
        versions of NumPy, scikit-learn and Numba on the same kind of machine.

    Raises:
        DataError: the data cannot be used; see `outsort.dataset.read`.
        ValueError: a number in `checks` is out of its range.
    """
    if not isinstance(data, dataset.Dataset):
        data = dataset.read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    return train_validated(data, settings, checks)[0]


def train_validated(
    dataset: Dataset, settings: Settings | None = None, checks: Checks | None = None
) -> tuple[Model, Validation | None]:
    """Do what `train` does, and return what cross-validation found, too; None without folds."""
    settings, checks = settings or Settings(), checks or Checks()
    if checks.folds < 0 or checks.folds == 1:
        raise ValueError(f"folds is {checks.folds}: choose 2 or more, or 0 for no cross-validation")
    # What the columns named in `checks` lack is told before the work, not after it.
    schemes = folds(dataset, checks, settings.seed) if checks.folds else {}
    weights = values.weights_of(dataset, checks.weight_column) if checks.weight_column else None
    terms, counts = count_terms(dataset.texts)
    model, raw = fit_with_folds(dataset, terms, counts, schemes, settings)
    validation = validate(dataset, schemes, raw, checks, weights, settings.seed) if schemes else None
    about = {
        "data": data_identity(dataset),
        "settings": asdict(settings),
        "scores": validation.scores if validation else {},
        "decision": _decision(validation) if validation else {},
        "versions": {
            "outsort": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "numba": nb.__version__,
            "joblib": joblib.__version__,
        },
    }
    model = replace(model, about=about, seen=np.unique(identity.hashes_of(dataset.texts)))
    if validation:
        model = replace(model, calibration=validation.calibration, threshold=validation.certificate.threshold)
    return model, validation


def data_identity(dataset: Dataset) -> dict[str, Any]:
    """Return what tells some data from others: name without folders, sha256, rows, rows by label."""
    return {
        "source": dataset.source.replace("\\", "/").rsplit("/", 1)[-1],
        "sha256": dataset.fingerprint,
        "rows": len(dataset.texts),
        "rows_by_label": {label: dataset.labels.count(label) for label in sorted(set(dataset.labels))},
    }


def _decision(validation: Validation) -> dict[str, Any]:
    """Return the certificate as plain values, with what it was found on; what it lacks is None."""
    figures = validation.certificate._asdict()
    return {"held_out": validation.scheme} | {k: None if v != v else v for k, v in figures.items()}
