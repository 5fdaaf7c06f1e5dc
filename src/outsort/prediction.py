"""Predictions with their reasons, as printed by the command line and returned by `outsort.predict`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from outsort import model_file
from outsort import text as text_module
from outsort.buffers import checked
from outsort.decision import ACCEPT, REASONS, REVIEW, confidence, reasons, threshold_of
from outsort.explanation import explain_scored
from outsort.labels import ANSWERS, KPO
from outsort.model import Model
from outsort.numeric import odds_to_proba

if TYPE_CHECKING:
    from outsort.explanation import Explanation, Precedent

#: Words and pairs with their contributions to the log-odds.
Terms = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        text: the original text.
        label: BPO or KPO, whichever is more probable.
        probability: of the label, given that the work is BPO or KPO; 0.5 to 1.
        service_line: the most probable service line of that label; None if the model has no lines, or knows
            no term of the text.
        neither: probability that the work is neither; None if the model was trained without such rows.
        terms_for: the top words and pairs for the label, strongest first, with their contributions to the
            label's log-odds.
        terms_against: the top words and pairs against it, strongest first, with negative contributions.
        decision: accept or review.
        reason: the reason for review; "" if accepted.
    """

    text: str
    label: str
    probability: float
    service_line: str | None
    neither: float | None
    terms_for: Terms
    terms_against: Terms
    decision: str
    reason: str

    @property
    def p_kpo(self) -> float:
        """The probability of KPO, given that the work is BPO or KPO."""
        return self.probability if self.label == KPO else 1 - self.probability

    @property
    def p_neither(self) -> float:
        """The probability of NEITHER, or NaN."""
        return math.nan if self.neither is None else self.neither


@overload
def predict(  # type: ignore[overload-overlap]  # a str is an iterable of str, but one text here
    texts: str, model: Model | None = None, *, n_terms: int = 3
) -> Prediction: ...


@overload
def predict(texts: Iterable[str], model: Model | None = None, *, n_terms: int = 3) -> list[Prediction]: ...


def predict(
    texts: str | Iterable[str], model: Model | None = None, *, n_terms: int = 3
) -> Prediction | list[Prediction]:
    """Classify one or more texts as BPO or KPO.

    Args:
        texts: one text, or n_texts of them.
        model: the model; the default model if None.
        n_terms: list no more than this many terms for and against each label.

    Returns:
        A prediction for one text; a list of n_texts predictions, in the same order, for several.

    Raises:
        TypeError: `texts` is a table, a set or the like, or something in it is not a string; the message names the
            way out.
        ModelError: the default model cannot be loaded.
    """
    if isinstance(texts, str):
        return next(predictions([texts], model, n_terms=n_terms))
    return list(predictions(texts, model, n_terms=n_terms))


def predictions(texts: Iterable[str], model: Model | None = None, *, n_terms: int = 3) -> Iterator[Prediction]:
    """Yield predictions lazily; see `predict`."""
    model = default_model() if model is None else model
    return (predict_explained(model, text, n_terms)[0] for text in checked(texts))


def strongest_terms(explanation: Explanation, label: str, n_terms: int = 3) -> tuple[Terms, Terms]:
    """Return the top terms for a label, and those against it.

    Args:
        explanation: the explanation of a text.
        label: BPO or KPO.
        n_terms: return no more than this many of each.

    Returns:
        The terms with positive, and those with negative contributions to the label's log-odds, strongest
        first.
    """
    sign = 1 if label == KPO else -1
    ranked = sorted(
        ((term, sign * figure) for term, figure in explanation.contributions.items()), key=lambda item: item[1]
    )
    return (
        tuple(item for item in ranked[::-1] if item[1] > 0)[:n_terms],
        tuple(item for item in ranked if item[1] < 0)[:n_terms],
    )


@cache
def default_model() -> Model:
    """Return the model that ships with the package, loaded once."""
    return model_file.load()


def predict_explained(model: Model, text: str, n_terms: int = 3) -> tuple[Prediction, Explanation]:
    """Return the prediction for one text, as `predict` does, and its explanation."""
    vector = model.vectorize(text)
    scores = model.vector_scores(vector)
    explanation = explain_scored(model, text, vector, scores)
    answer = int(explanation.log_odds > 0)
    log_odds, neither = np.array([explanation.log_odds]), model.neither(scores[None, :])
    words = [word for word in text_module.words(text) if word.strip("0123456789_")]
    reason = reasons(
        np.array([not text.strip()]),
        confidence(log_odds, neither),
        neither,
        np.array([len(words)]),
        np.array([sum(word in model.vocabulary for word in words)]),
        np.array([len(vector.ids)]),
        threshold_of(model),
    )[0]
    lines = model.lines_of(ANSWERS[answer])
    has_line = model.has_lines and len(vector.ids) > 0
    terms_for, terms_against = strongest_terms(explanation, ANSWERS[answer], n_terms)
    prediction = Prediction(
        text=text,
        label=ANSWERS[answer],
        probability=float(odds_to_proba(log_odds)[0, answer]),
        service_line=model.lines[lines[scores[lines].argmax()]] if has_line else None,
        neither=float(neither[0]) if model.knows_neither else None,
        terms_for=terms_for,
        terms_against=terms_against,
        decision=REVIEW if reason else ACCEPT,
        reason=REASONS[reason],
    )
    return prediction, explanation


def explanation_record(
    prediction: Prediction, explanation: Explanation, precedents: Sequence[Precedent], *, n_lines: int
) -> dict[str, Any]:
    """Return a prediction and its explanation as plain values."""
    text = prediction.text
    return record(prediction) | {
        "log_odds": explanation.log_odds,
        "bias": explanation.bias,
        "spread": explanation.spread,
        "words": [
            {"word": text[start:end], "start": start, "end": end, "log_odds": figure}
            for start, end, figure in explanation.words
        ],
        "service_lines": [
            {"service_line": line, "probability": round(p, 6)} for line, p in explanation.lines[:n_lines]
        ],
        "precedents": [precedent._asdict() for precedent in precedents],
    }


def record(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as plain values, under the names that all formats use."""
    return {
        "text": prediction.text,
        "label": prediction.label,
        "probability": round(prediction.probability, 6),
        "neither": None if prediction.neither is None else round(prediction.neither, 6),
        "service_line": prediction.service_line,
        "decision": prediction.decision,
        "reason": prediction.reason,
        "for": _terms(prediction.terms_for),
        "against": _terms(prediction.terms_against),
    }


def _terms(terms: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"term": term, "log_odds": round(figure, 4)} for term, figure in terms]
