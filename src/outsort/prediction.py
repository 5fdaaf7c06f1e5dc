"""Answers with their reasons: what the command line prints and `outsort.predict` returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, overload

import numpy as np

from outsort import artefact
from outsort.explanation import explain_scored
from outsort.model import ANSWERS, Model, checked, odds_to_proba

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        text: the text as it was given.
        label: the better of BPO and KPO.
        probability: of the label, given that the work is one of the two; 0.5 to 1.
        service_line: the likeliest service line of that label; None when the model knows no lines, or
            no term of the text.
        neither: probability that the work is neither; None when the model cannot tell.
        terms_for: the words and pairs that spoke most for the label, strongest first, each with what
            it added to the label's log-odds.
        terms_against: those that spoke most against it, strongest first, with figures below 0.
        reason: why the answer is no more than the model's prior, "" when it is more.
    """

    text: str
    label: str
    probability: float
    service_line: str | None
    neither: float | None
    terms_for: tuple[tuple[str, float], ...]
    terms_against: tuple[tuple[str, float], ...]
    reason: str


@overload
def predict(  # type: ignore[overload-overlap]  # a str is an iterable of str, but one text here
    texts: str, model: Model | None = None, *, n_terms: int = 3
) -> Prediction: ...
@overload
def predict(texts: Iterable[str], model: Model | None = None, *, n_terms: int = 3) -> list[Prediction]: ...
def predict(
    texts: str | Iterable[str], model: Model | None = None, *, n_terms: int = 3
) -> Prediction | list[Prediction]:
    """Sort one text, or several, into BPO or KPO.

    Args:
        texts: one text, or n_texts of them.
        model: the model to ask; the default model when None.
        n_terms: how many terms to name for and against each answer, at most.

    Returns:
        One prediction for one text; a list of n_texts, in their order, for several.

    Raises:
        TypeError: something in `texts` is no string.
        ModelError: the default model cannot be loaded.
    """
    if isinstance(texts, str):
        return next(predictions([texts], model, n_terms=n_terms))
    return list(predictions(texts, model, n_terms=n_terms))


def predictions(
    texts: Iterable[str], model: Model | None = None, *, n_terms: int = 3
) -> Iterator[Prediction]:
    """Yield the prediction for each text as it comes; see `predict`."""
    model = default_model() if model is None else model
    return (_predict_one(model, text, n_terms) for text in checked(texts))


@cache
def default_model() -> Model:
    """Return the model that ships with the package, read once."""
    return artefact.load()


def _predict_one(model: Model, text: str, n_terms: int) -> Prediction:
    vector = model.vectorize(text)
    scores = model.vector_scores(vector)
    explanation = explain_scored(model, text, vector, scores)
    reason = _reason(text, len(vector.ids))
    answer = int(explanation.log_odds > 0)
    lines = model.lines_of(ANSWERS[answer])
    sign = 1 if answer else -1
    ranked = sorted(
        ((term, sign * figure) for term, figure in explanation.contributions.items()),
        key=lambda item: item[1],
    )
    return Prediction(
        text=text,
        label=ANSWERS[answer],
        probability=float(odds_to_proba(np.array([explanation.log_odds]))[0, answer]),
        service_line=model.lines[lines[scores[lines].argmax()]] if model.has_lines and not reason else None,
        neither=float(model.neither(scores[None, :])[0]) if model.knows_neither else None,
        terms_for=tuple(item for item in ranked[::-1] if item[1] > 0)[:n_terms],
        terms_against=tuple(item for item in ranked if item[1] < 0)[:n_terms],
        reason=reason,
    )


def _reason(text: str, n_known: int) -> str:
    if not text.strip():
        return "empty"
    return "" if n_known else "no known term"
