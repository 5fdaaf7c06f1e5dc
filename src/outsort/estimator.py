"""outsort as a classifier of scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from outsort.buffers import checked, utf8_column
from outsort.data.dataset import from_rows
from outsort.data.identity import as_text
from outsort.errors import DataError, ModelError
from outsort.model import Model
from outsort.numeric import Floats
from outsort.scoring.kernel import Kernel
from outsort.training.fitting import Settings
from outsort.training.folds import Checks
from outsort.training.train import train_validated


class OutsortClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of texts, trained as `outsort.train` does.

    Rows are checked as by `train`: a repeated row counts once, a text under two labels is an error, each label needs
    two rows, and rows labelled UNCLEAR teach the model to be unsure. Labels are taken as they are: unlike `train`,
    it does not join those that differ only in case. Rows cannot be weighted.

    Args:
        C: inverse strength of the L2 penalty, as are the next seven in `Settings`.
        passes: minimum passes of the solver over the rows.
        steps: minimum rows visited by the solver in all.
        min_texts: terms in fewer texts are dropped; None for 2, or 3 from 10,000 texts.
        prune: centred weights below this are dropped.
        piece_share: weight of a piece of a word, relative to a word or pair.
        ratio_power: how much terms that tell labels apart are favoured.
        bayes_share: weight of naive Bayes.
        later: log-odds by which clauses after the first lean to some labels, by label; None to learn them.
        out_of_scope: the label for what is out of scope; found by its usual names when None, "" for none.
        folds: folds of cross-validation, which calibrate the model and set its threshold; 0 for neither, as befits
            a search or `CalibratedClassifierCV`. `train` has 5.
        target_precision: precision that accepted answers must have, with folds.
        level: confidence level of that promise, with folds.
        shares: how often some labels come in the texts to be answered, by label, with folds: see `Checks`.
        random_state: seed of the solver and the folds. `Settings.seed`.

    Attributes:
        classes_: the n_classes labels, sorted, of the type they had in `y`.
        model_: the fitted `Model`.
        n_features_in_: 1; of a classifier fitted to a table with one column only.
        feature_names_in_: the name of that column, if it has one.

    >>> from outsort import OutsortClassifier
    >>> texts = ["key invoices", "key records", "draft a contract", "draft a will"]
    >>> OutsortClassifier().fit(texts, [0, 0, 1, 1]).predict(["key forms", "draft a lease"])
    array([0, 1])
    """

    classes_: NDArray[Any]
    model_: Model

    def __init__(  # noqa: D107
        self,
        *,
        C: float = Settings.C,  # noqa: N803
        passes: int = Settings.passes,
        steps: int = Settings.steps,
        min_texts: int | None = Settings.min_texts,
        prune: float = Settings.prune,
        piece_share: float = Settings.piece_share,
        ratio_power: float = Settings.ratio_power,
        bayes_share: float = Settings.bayes_share,
        later: Mapping[Any, float] | None = None,
        out_of_scope: object = None,
        folds: int = 0,
        target_precision: float = Checks.target_precision,
        level: float = Checks.level,
        shares: Mapping[Any, float] | None = None,
        random_state: int | np.random.RandomState | None = Settings.seed,
    ) -> None:
        self.C = C
        self.passes = passes
        self.steps = steps
        self.min_texts = min_texts
        self.prune = prune
        self.piece_share = piece_share
        self.ratio_power = ratio_power
        self.bayes_share = bayes_share
        self.later = later
        self.out_of_scope = out_of_scope
        self.folds = folds
        self.target_precision = target_precision
        self.level = level
        self.shares = shares
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def fit(self, X: Iterable[str], y: ArrayLike, service_lines: Sequence[object] | None = None) -> Self:  # noqa: N803
        """Train the model.

        Args:
            X: n_samples texts: a list, an array or a column of strings, or a table of one such column.
            y: the n_samples labels: strings, whole numbers or booleans.
            service_lines: the service line of each text, which the model learns and rolls up to labels.

        Raises:
            DataError: there are rows that must be fixed first, or too few of a label.
            TypeError: something in X is not a string.
            ValueError: a parameter or y cannot be used.
        """
        texts = self._texts(X, reset=True)
        labels = _labels(y)
        check_consistent_length(texts, labels, service_lines)
        names = _names(labels)
        if len(set(names)) == 1:
            raise DataError(f"y has 1 class, {names[0]!r}. Training needs 2 or more.")
        index = X.index if isinstance(X, pd.Series | pd.DataFrame) else None
        dataset = from_rows(
            pd.DataFrame({"text": texts, "label": names}, index=index),
            texts,
            names,
            None if service_lines is None else [as_text(line).strip() for line in service_lines],
            source="X",
            out_of_scope=None if self.out_of_scope is None else str(self.out_of_scope),
        )
        model, _ = train_validated(dataset, self._settings(), self._checks())
        classes = np.unique(labels[np.isin(names, model.labels)])
        if _names(classes) != classes.tolist():
            # For `from_model`: the labels of a model are strings.
            model = replace(model, about=model.about | {"classes": classes.tolist()})
        self.model_, self.classes_ = model, classes
        return self

    def predict_proba(self, X: Iterable[str]) -> Floats:  # noqa: N803
        """Return the probability of each label.

        Args:
            X: n_samples texts, as for `fit`; they may be blank.

        Returns:
            float64 (n_samples, n_classes), columns as in `classes_`, rows sum to 1.

        Raises:
            NotFittedError: it is not fitted.
            DataError: X is a table of several columns.
            TypeError: something in X is not a string.
        """
        check_is_fitted(self)
        proba = _kernel(self.model_).answer(utf8_column(self._texts(X, reset=False))).proba
        return proba[:, [self.model_.labels.index(name) for name in _names(self.classes_)]]

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each text: (n_samples,), of the type of `classes_`; raises likewise."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def to_model(self) -> Model:
        """Return the fitted model, for `outsort.save_model`, `outsort.score` and the rest.

        Raises:
            NotFittedError: it is not fitted.
        """
        check_is_fitted(self)
        return self.model_

    @classmethod
    def from_model(cls, model: Model) -> Self:
        """Return a fitted classifier of a model, with the settings that the model says it was trained with.

        Raises:
            ModelError: what the model says about itself does not fit it.
        """
        settings = dict(model.about.get("settings", {}))
        settings["random_state"] = settings.pop("seed", Settings.seed)
        settings["later"] = settings.get("later") or None
        fitted = cls(
            **{name: value for name, value in settings.items() if name in cls._get_param_names()},
            out_of_scope=model.out_of_scope,
        )
        classes = np.unique(model.about.get("classes", model.labels))
        if sorted(_names(classes)) != sorted(model.labels):
            raise ModelError("not a usable model: the classes that it says it has are not its labels. Train it again.")
        fitted.model_, fitted.classes_ = model, classes
        return fitted

    def _settings(self) -> Settings:
        """Return the settings of training; a seed is drawn unless `random_state` is one."""
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        return Settings(
            C=self.C,
            passes=self.passes,
            steps=self.steps,
            min_texts=self.min_texts,
            prune=self.prune,
            piece_share=self.piece_share,
            ratio_power=self.ratio_power,
            bayes_share=self.bayes_share,
            later=_by_name(self.later),
            seed=int(seed),
        )

    def _checks(self) -> Checks:
        return Checks(self.folds, self.target_precision, self.level, shares=_by_name(self.shares))

    def _texts(self, X: Iterable[str], *, reset: bool) -> list[str]:  # noqa: N803
        """Return the texts of X, and note or compare the column's name if X is a table."""
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
        n_columns = [*getattr(X, "shape", ())][1:]
        if not n_columns:
            return list(checked(X))
        if n_columns != [1]:
            raise DataError(f"X has {n_columns[0]} columns: pass the one with the texts, such as X['text'].")
        if reset or hasattr(self, "n_features_in_"):
            validate_data(self, X, reset=reset, skip_check_array=True)
        return list(checked(np.asarray(X, dtype=object).ravel()))


@lru_cache(maxsize=2)
def _kernel(model: Model) -> Kernel:
    """Return a model laid out for many texts; kept, because the next call is likely to be for the same one."""
    return Kernel(model)


def _labels(y: ArrayLike | None) -> NDArray[Any]:
    """Return labels as an array: (n_samples,).

    Raises:
        ValueError: they are missing, or not labels.
    """
    if y is None:
        raise ValueError("OutsortClassifier requires y to be passed, but the target y is None: pass the labels.")
    labels = np.asarray(column_or_1d(y, warn=True))
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise DataError(f"y[{missing[0]}] is missing. Label each text, or leave it out of X and y.")
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def _names(labels: NDArray[Any]) -> list[str]:
    """Return labels as a model has them.

    >>> _names(np.array([True, False])), _names(np.array([3, 10]))
    (['True', 'False'], ['3', '10'])
    """
    return [str(label) for label in labels.tolist()]


def _by_name(figures: Mapping[Any, float] | None) -> dict[str, float]:
    return {str(label): figure for label, figure in (figures or {}).items()}
