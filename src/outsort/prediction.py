"""Predictions with their reasons, as printed by the command line and returned by `outsort.predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, overload

import numpy as np

from outsort import model_file
from outsort import text as text_module
from outsort.buffers import checked
from outsort.decision import ACCEPT, REASONS, REVIEW, reasons
from outsort.explanation import explain_read, is_reason
from outsort.language import LOOKED_AT_BELOW, is_foreign
from outsort.model import Model

if TYPE_CHECKING:
    from outsort.explanation import Explanation, Precedent

#: Words and pairs with their contributions to the log-odds.
Terms = tuple[tuple[str, float], ...]
#: Returns the service line of a label that is the most probable for a text; None if none can be told.
LikeliestLine = Callable[[str], str | None]


class CategoryAnswer(NamedTuple):
    """The category of a text on one axis of a taxonomy.

    Attributes:
        column: what its columns begin with, such as category.
        code: the code of the most probable category.
        name: its name.
        probability: its probability.
        decision: accept or review, or uncertified where no labelled sample has certified the taxonomy.
        taxonomy: the fingerprint of the taxonomy.
        probabilities: the probability of every category by its code; they add up to 1.
    """

    column: str
    code: str
    name: str
    probability: float
    decision: str
    taxonomy: str
    probabilities: dict[str, float]


class Ruling(NamedTuple):
    """Which of a person's rules decided on a text.

    Attributes:
        rule: its name; None if none did, like the next two.
        model_label: the label that the model would have answered.
        model_decision: and its decision.
        rules: the fingerprint of the rules.
        names_line: whether the rule names the service line.
    """

    rule: str | None
    model_label: str | None
    model_decision: str | None
    rules: str
    names_line: bool = False


class Decider(Protocol):
    """What may decide in place of a model, as `rules.rule.Rules`."""

    def decided(self, prediction: Prediction, likeliest_line: LikeliestLine) -> Prediction: ...  # noqa: D102


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        text: the original text.
        label: the most probable label.
        probability: its probability.
        probabilities: the probability of every label, in the order of `Model.labels`; they add up to 1.
        shares: the share of the text that is work of each label, by its clauses; they add up to 1. Of a text of one
            clause they are the probabilities.
        share_margin: each share is right give or take this, 0 to 1, nine times in ten.
        service_line: the most probable service line of that label; None if the model has no lines, or knows
            no term of the text.
        terms_for: the top words and pairs for the label, strongest first, with their contributions to the
            label's log-odds; those that `explanation.is_reason` finds worth showing.
        terms_against: the top words and pairs against it, strongest first, with negative contributions.
        decision: accept or review.
        reason: the reason for review; "" if accepted.
        categories: the category on each axis of a taxonomy, see `taxonomy.predictions`; empty without one.
        ruling: which rule decided, None without rules. One that did gives the label, whose probability is still the
            model's, and the service line, or else the most probable one of that label.
    """

    text: str
    label: str
    probability: float
    probabilities: dict[str, float]
    shares: dict[str, float]
    share_margin: float
    service_line: str | None
    terms_for: Terms
    terms_against: Terms
    decision: str
    reason: str
    categories: tuple[CategoryAnswer, ...] = ()
    ruling: Ruling | None = None


@overload
def predict(  # type: ignore[overload-overlap]  # a str is an iterable of str, but one text here
    texts: str, model: Model | None = None, *, n_terms: int = 3, rules: Decider | None = None
) -> Prediction: ...


@overload
def predict(
    texts: Iterable[str], model: Model | None = None, *, n_terms: int = 3, rules: Decider | None = None
) -> list[Prediction]: ...


def predict(
    texts: str | Iterable[str], model: Model | None = None, *, n_terms: int = 3, rules: Decider | None = None
) -> Prediction | list[Prediction]:
    """Classify one or more texts.

    Args:
        texts: one text, or n_texts of them.
        model: the model; the default model if None.
        n_terms: list no more than this many terms for and against each label.
        rules: those of `outsort.load_rules`, which decide before the model; one with a condition on a column does not
            fire, because texts have none.

    Returns:
        A prediction for one text; a list of n_texts predictions, in the same order, for several.

    Raises:
        TypeError: `texts` is a table, a set or the like, or something in it is not a string; the message names the
            way out.
        ModelError: the default model cannot be loaded.
    """
    if isinstance(texts, str):
        return next(predictions([texts], model, n_terms=n_terms, rules=rules))
    return list(predictions(texts, model, n_terms=n_terms, rules=rules))


def predictions(
    texts: Iterable[str], model: Model | None = None, *, n_terms: int = 3, rules: Decider | None = None
) -> Iterator[Prediction]:
    """Yield predictions lazily; see `predict`."""
    model = default_model() if model is None else model
    return (predict_explained(model, text, n_terms, rules)[0] for text in checked(texts))


def strongest_terms(explanation: Explanation, n_terms: int = 3) -> tuple[Terms, Terms]:
    """Return the top reasons for the label of an explanation, and those against it.

    Args:
        explanation: the explanation of a text.
        n_terms: return no more than this many of each.

    Returns:
        The terms with positive, and those with negative contributions to the label's log-odds, strongest
        first.
    """
    ranked = explanation.reasons.items()
    return (
        tuple(item for item in ranked if item[1] > 0)[:n_terms],
        tuple(item for item in ranked if item[1] < 0)[:n_terms],
    )


@cache
def default_model() -> Model:
    """Return the model that ships with the package, loaded once."""
    return model_file.load()


def predict_explained(
    model: Model, text: str, n_terms: int = 3, rules: Decider | None = None
) -> tuple[Prediction, Explanation]:
    """Return the prediction for one text, as `predict` does, and the explanation of the model's own answer."""
    reading = model.read(text)
    label_scores = model.label_scores(reading)
    explanation = explain_read(model, text, reading, label_scores)
    proba = np.exp(model.log_proba(label_scores[None, :])[0])
    answer = int(proba.argmax())
    words = [word for span in reading.spans for word in text_module.worded(text[slice(*span)])]
    n_terms_known = sum(len(vector.ids) for vector in reading.vectors)
    n_known = sum(word in model.vocabulary for word in words)
    made_of = model.mixture(text, reading)
    reason = reasons(
        np.array([not text.strip()]),
        proba[[answer]],
        np.array([len(words)]),
        np.array([n_known]),
        np.array([n_terms_known]),
        np.array(
            [n_known < LOOKED_AT_BELOW * len(words) and is_foreign(words, model.vocabulary, model.own_function_words)]
        ),
        made_of.shares[[answer]],
        np.array([made_of.disagreement]),
        model,
    )[0]
    terms_for, terms_against = strongest_terms(explanation, n_terms)

    def likeliest_line(label: str) -> str | None:
        return model.best_line(reading, model.labels.index(label)) if model.has_lines and n_terms_known else None

    prediction = Prediction(
        text=text,
        label=model.labels[answer],
        probability=float(proba[answer]),
        probabilities=dict(zip(model.labels, proba.tolist(), strict=True)),
        shares=dict(zip(model.labels, made_of.shares.tolist(), strict=True)),
        share_margin=made_of.margin,
        service_line=likeliest_line(model.labels[answer]),
        terms_for=terms_for,
        terms_against=terms_against,
        decision=REVIEW if reason else ACCEPT,
        reason=REASONS[reason],
    )
    return rules.decided(prediction, likeliest_line) if rules else prediction, explanation


def explanation_record(
    prediction: Prediction, explanation: Explanation, precedents: Sequence[Precedent], *, n_lines: int
) -> dict[str, Any]:
    """Return a prediction and its explanation as plain values."""
    text = prediction.text
    return record(prediction) | {
        "log_odds": explanation.log_odds,
        "bias": explanation.bias,
        "spread": explanation.spread,
        "clauses": [
            {"text": text[clause.start : clause.end].strip(), "start": clause.start, "end": clause.end}
            | {"share": round(clause.share, 6)}
            | {"probabilities": {label: round(p, 6) for label, p in clause.probabilities.items()}}
            for clause in explanation.clauses
        ],
        "words": [
            {"word": text[start:end], "start": start, "end": end, "log_odds": figure}
            | {"is_reason": is_reason(text[start:end], figure)}
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
        "probabilities": {label: round(p, 6) for label, p in prediction.probabilities.items()},
        "shares": {label: round(share, 3) for label, share in prediction.shares.items()},
        "share_margin": round(prediction.share_margin, 3),
        "service_line": prediction.service_line,
        "decision": prediction.decision,
        "reason": prediction.reason,
        **_categories(prediction.categories),
        **_ruling(prediction.ruling),
        "for": _terms(prediction.terms_for),
        "against": _terms(prediction.terms_against),
    }


def _categories(found: Iterable[CategoryAnswer]) -> dict[str, Any]:
    """Return the category on each axis as plain values, and which taxonomy they are from."""
    values: dict[str, Any] = {}
    for one in found:
        values.pop("taxonomy", None)
        figures = {"": one.code, "_name": one.name, "_probability": round(one.probability, 6)}
        figures |= {"_decision": one.decision}
        values |= {f"{one.column}{part}": value for part, value in figures.items()}
        values["taxonomy"] = one.taxonomy
    return values


def _ruling(found: Ruling | None) -> dict[str, str | None]:
    """Return which rule decided as plain values, with the rules it is one of."""
    return {} if found is None else {name: getattr(found, name) for name in Ruling._fields if name != "names_line"}


def _terms(terms: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"term": term, "log_odds": round(figure, 4)} for term, figure in terms]
