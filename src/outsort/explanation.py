"""Explain an answer: what each word added to the log-odds, and the most similar labelled texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from outsort import text as text_module
from outsort.labels import ANSWERS, LABELS
from outsort.model import Model, Vector
from outsort.numeric import Floats, label_proba, logsumexp


@dataclass(frozen=True)
class Explanation:
    """The log-odds of KPO against BPO of one text, decomposed.

    Exact: the contributions, the bias and the spread add up to the log-odds.

    Attributes:
        text: the original text.
        contributions: what each known word and pair added to the log-odds, positive for KPO. A word's
            contribution includes that of its pieces.
        bias: the log-odds of a text without known terms, less the spread.
        spread: the entropy term, for labels with several likely lines: the entropy over the KPO lines
            minus the entropy over the BPO lines, in nats. 0 without service lines.
        log_odds: the log-odds of KPO against BPO.
        lines: the service lines, most probable first, with their probabilities, which add up to 1; those of
            a label add up to its calibrated probability. Empty without service lines.
    """

    text: str
    contributions: dict[str, float]
    bias: float
    spread: float
    log_odds: float
    lines: tuple[tuple[str, float], ...]

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words of the text in order, each with its part of the log-odds.

        A word gets its own contribution and half that of each pair it is in, divided evenly among its
        occurrences: the words and the contributions have the same sum.
        """
        in_order = text_module.words(self.text)
        paired = list(text_module.pairs(in_order))
        words, pairs = Counter(in_order), Counter(paired)
        figures = [self.contributions.get(word, 0.0) / words[word] for word in in_order]
        for i, pair in enumerate(paired):
            half = self.contributions.get(pair, 0.0) / pairs[pair] / 2
            figures[i] += half
            figures[i + 1] += half
        spans = text_module.spans(self.text)
        return tuple(Word(*span, figure) for span, figure in zip(spans, figures, strict=True))


class Word(NamedTuple):
    """One word of a text.

    Attributes:
        start: index of its first character in the original text.
        end: index after its last character.
        log_odds: what it added to the log-odds of KPO against BPO.
    """

    start: int
    end: int
    log_odds: float


class Precedent(NamedTuple):
    """A labelled text similar to another.

    Attributes:
        text: the text.
        label: its label.
        service_line: its service line, if the data have them.
        similarity: cosine similarity of the tf-idf vectors, 0 to 1.
    """

    text: str
    label: str
    service_line: str | None
    similarity: float


def explain(model: Model, text: str) -> Explanation:
    """Explain the answer for `text`.

    A label's score is the log-sum-exp of its service lines' scores s. If p is the softmax of s within the
    label, then s = log p + logsumexp(s) for every line, hence logsumexp(s) = sum(p * s) + entropy(p): linear
    in the terms, given p, plus the entropy. The log-odds are the difference between the two labels,
    calibrated by an intercept and a slope.
    """
    vector = model.vectorize(text)
    return explain_scored(model, text, vector, model.vector_scores(vector))


def explain_scored(model: Model, text: str, vector: Vector, scores: Floats) -> Explanation:
    """Like `explain`, for a text whose vector and line scores (n_lines,) are already computed."""
    n_lines = len(model.lines)
    intercept, slope = model.calibration[0]
    direction = np.zeros(n_lines + len(LABELS))
    spread = 0.0
    for label, sign in zip(ANSWERS, (-1.0, 1.0), strict=True):
        lines = model.lines_of(label)
        log_p = scores[lines] - logsumexp(scores[None, lines])
        direction[lines] = slope * sign * np.exp(log_p)
        direction[n_lines + LABELS.index(label)] = slope * sign
        spread -= slope * sign * float(np.exp(log_p) @ log_p)
    places, owner = model.term_weights(vector.ids)
    per_weight = model.weights[places] * vector.values[owner] * direction[model.indices[places]]
    per_term = np.bincount(owner, weights=per_weight, minlength=len(vector.ids)).astype(np.float64)
    log_odds = float(model.log_odds(scores[None, :])[0])
    return Explanation(
        text=text,
        contributions=_fold_pieces(model, text, vector, per_term),
        bias=float(intercept + model.bias @ direction[:n_lines]),
        spread=spread,
        log_odds=log_odds,
        lines=_ranked_lines(model, scores, log_odds),
    )


class Labelled(Protocol):
    """Labelled texts, for example a dataset."""

    @property
    def texts(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def labels(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def lines(self) -> Sequence[str] | None: ...  # noqa: D102


def find_precedents(model: Model, text: str, data: Labelled, n: int = 3) -> list[Precedent]:
    """Return the labelled texts most similar to `text`, by the terms that the model knows.

    Args:
        model: the model, for its terms and idf.
        text: the text.
        data: the labelled texts; those with the same words as `text` are skipped.
        n: return no more than this many; texts that share no term are skipped.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    counter = CountVectorizer(analyzer=text_module.terms, vocabulary=model.vocabulary, binary=True)
    vector = model.vectorize(text)
    query = np.zeros(len(model.terms))
    query[vector.ids] = vector.values
    similarities = normalize(counter.transform(data.texts).multiply(model.idf).tocsr()) @ query
    words = text_module.words(text)
    nearest: list[Precedent] = []
    for i in np.argsort(-similarities, kind="stable"):
        if len(nearest) == n or similarities[i] <= 0:
            break
        if text_module.words(data.texts[i]) != words:
            line = data.lines[i] if data.lines else None
            nearest.append(Precedent(data.texts[i], data.labels[i], line, float(similarities[i])))
    return nearest


#: Terms whose dense weights are held at a time.
_BLOCK = 4096


def top_terms(model: Model, n: int = 15) -> dict[str, list[tuple[str, float]]]:
    """Return the top words and pairs for each label that the model knows.

    A term's figure is the log-odds of the label against all others, rolled up from the service lines, before
    calibration: of a text of that term alone, minus those of a text without known terms. It is comparable
    between models with and without service lines. In a longer text, a term adds less.

    Args:
        model: the model.
        n: return no more than this many terms per label, strongest first, figures above 0.
    """
    labels = [label for label in LABELS if label in model.line_labels]
    # Pieces are left out: they are not readable.
    ids = np.array([i for i, term in enumerate(model.terms) if not text_module.is_piece(term)], np.int64)
    n_columns = len(model.lines) + len(LABELS)

    def log_odds(ids: NDArray[np.int64]) -> Floats:
        places, owner = model.term_weights(ids)
        weights = np.zeros((len(ids), n_columns))
        weights[owner, model.indices[places]] = model.weights[places]
        scores = model.bias + weights[:, : len(model.lines)] + weights[:, model.label_columns]
        of_label = np.stack([logsumexp(scores[:, model.lines_of(label)]) for label in labels], axis=1)
        others = [logsumexp(np.delete(of_label, i, axis=1)) for i in range(len(labels))]
        return of_label - np.stack(others, axis=1)

    blocks = [log_odds(ids[start : start + _BLOCK]) for start in range(0, len(ids), _BLOCK)]
    of_bias = model.bias.astype(np.float64)
    bias = np.array([logsumexp(of_bias[None, model.lines_of(label)])[0] for label in labels])
    without = bias - [logsumexp(np.delete(bias, i)[None])[0] for i in range(len(labels))]
    added = np.concatenate([np.zeros((0, len(labels))), *blocks]) - without
    return {
        label: [
            (model.terms[ids[i]], float(figure))
            for i in np.argsort(-added[:, column], kind="stable")[:n]
            if (figure := added[i, column]) > 0
        ]
        for column, label in enumerate(labels)
    }


def _ranked_lines(model: Model, scores: Floats, log_odds: float) -> tuple[tuple[str, float], ...]:
    if not model.has_lines:
        return ()
    of_label = label_proba(np.array([log_odds]), model.neither(scores[None, :]))[0]
    p = np.zeros(len(model.lines))
    for label, share in zip(LABELS, of_label, strict=True):
        lines = model.lines_of(label)
        if len(lines):
            p[lines] = share * np.exp(scores[lines] - logsumexp(scores[None, lines]))
    return tuple((model.lines[i], float(p[i])) for i in np.argsort(-p, kind="stable"))


def _fold_pieces(model: Model, text: str, vector: Vector, per_term: Floats) -> dict[str, float]:
    """Add each piece's contribution to the words it occurs in, in proportion to its occurrences."""
    per_occurrence = dict(zip(vector.ids.tolist(), (per_term / vector.counts).tolist(), strict=True))
    in_order = text_module.words(text)
    folded: dict[str, float] = {}
    for word, count in Counter(in_order).items():
        ids = map(model.vocabulary.get, (word, *text_module.pieces(word)))
        known = [per_occurrence[i] for i in ids if i is not None]
        if known:
            folded[word] = count * sum(known)
    for pair, count in Counter(text_module.pairs(in_order)).items():
        i = model.vocabulary.get(pair)
        if i is not None:
            folded[pair] = count * per_occurrence[i]
    return folded
