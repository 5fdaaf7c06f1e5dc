"""Why a text got its answer: what each word added to the log-odds, and the labelled texts most like it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from outsort import text as text_module
from outsort.labels import ANSWERS, LABELS, NEITHER
from outsort.numeric import logsumexp, odds_to_proba

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from outsort.model import Model, Vector
    from outsort.numeric import Floats


@dataclass(frozen=True)
class Explanation:
    """The log-odds of KPO against BPO of one text, taken apart.

    Exact: the contributions, the bias and the spread add up to the log-odds.

    Attributes:
        text: the text as it was given.
        contributions: for each known word and pair of the text what it added to the log-odds, above 0
            where it spoke for KPO. A word's figure holds the share of its pieces.
        bias: what the model holds before it has read a word.
        spread: what the labels gain by having several likely service lines: the entropy over the
            KPO lines less the entropy over the BPO lines, in nats. 0 without service lines.
        log_odds: the log-odds of KPO against BPO.
        lines: the service lines, likeliest first, each with its probability; those of a label share the
            label's calibrated probability. They add up to 1; empty without service lines.
    """

    text: str
    contributions: dict[str, float]
    bias: float
    spread: float
    log_odds: float
    lines: tuple[tuple[str, float], ...]

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words of the text in order, each with its share of the log-odds.

        A word holds its own contribution and half of each pair it stands in, spread evenly over its
        occurrences: the shares add up to what the contributions add up to.
        """
        in_order = text_module.words(self.text)
        paired = list(text_module.pairs(in_order))
        words, pairs = Counter(in_order), Counter(paired)
        figures = [self.contributions.get(word, 0.0) / words[word] for word in in_order]
        for place, pair in enumerate(paired):
            half = self.contributions.get(pair, 0.0) / pairs[pair] / 2
            figures[place] += half
            figures[place + 1] += half
        spans = text_module.spans(self.text)
        return tuple(Word(*span, figure) for span, figure in zip(spans, figures, strict=True))


class Word(NamedTuple):
    """One word of a text.

    Attributes:
        start: its place in the text as given, in characters.
        end: the place after its last character.
        log_odds: what it added to the log-odds of KPO against BPO.
    """

    start: int
    end: int
    log_odds: float


class Precedent(NamedTuple):
    """A labelled text that is like another.

    Attributes:
        text: the text.
        label: its label.
        service_line: its service line, if the data have such.
        similarity: cosine of the two texts' tf-idf vectors, 0 to 1.
    """

    text: str
    label: str
    service_line: str | None
    similarity: float


def explain(model: Model, text: str) -> Explanation:
    """Take the answer for `text` apart.

    A label's score is the log-sum-exp of its lines' scores s. With p the softmax of s within the
    label, s = log p + logsumexp(s) for every line, and so logsumexp(s) = sum(p * s) + entropy(p):
    linear in the terms, given p, plus the entropy. The difference between the two labels, calibrated
    by a line, is the log-odds.
    """
    vector = model.vectorize(text)
    return explain_scored(model, text, vector, model.vector_scores(vector))


def explain_scored(model: Model, text: str, vector: Vector, scores: Floats) -> Explanation:
    """Do what `explain` does for a text whose vector and line scores (n_lines,) are at hand."""
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
    """Labelled texts, such as a dataset."""

    @property
    def texts(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def labels(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def lines(self) -> Sequence[str] | None: ...  # noqa: D102


def find_precedents(model: Model, text: str, data: Labelled, n: int = 3) -> list[Precedent]:
    """Return the labelled texts most like `text`, by the terms that the model knows.

    Args:
        model: the model, whose terms and idf are used.
        text: the text.
        data: the labelled texts; a text that is the same, but for case and form, is left out.
        n: how many to return, at most; texts that share no term are none.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    counter = CountVectorizer(analyzer=text_module.terms, vocabulary=model.vocabulary, binary=True)
    vector = model.vectorize(text)
    asked = np.zeros(len(model.terms))
    asked[vector.ids] = vector.values
    similarities = normalize(counter.transform(data.texts).multiply(model.idf).tocsr()) @ asked
    words = text_module.words(text)
    nearest: list[Precedent] = []
    for i in np.argsort(-similarities, kind="stable"):
        if len(nearest) == n or similarities[i] <= 0:
            break
        if text_module.words(data.texts[i]) != words:
            line = data.lines[i] if data.lines else None
            nearest.append(Precedent(data.texts[i], data.labels[i], line, float(similarities[i])))
    return nearest


#: Terms whose weights are laid out in full at once.
_BLOCK = 4096


def top_terms(model: Model, n: int = 15) -> dict[str, list[tuple[str, float]]]:
    """Return for each label that the model knows the words and pairs that speak most for it.

    A term's figure is what a text of that term alone has more than a text without a known term: of the
    log-odds of the label against all others, as the service lines roll up, before calibration. It is so
    the same measure for a model with lines and for one without. In a longer text a term adds less.

    Args:
        model: the model.
        n: how many for each label, at most; strongest first, figures above 0.
    """
    labels = [label for label in LABELS if label in model.line_labels]
    # Pieces are left out: nobody reads them.
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
            (model.terms[ids[place]], float(figure))
            for place in np.argsort(-added[:, column], kind="stable")[:n]
            if (figure := added[place, column]) > 0
        ]
        for column, label in enumerate(labels)
    }


def _ranked_lines(model: Model, scores: Floats, log_odds: float) -> tuple[tuple[str, float], ...]:
    if not model.has_lines:
        return ()
    p_neither = float(np.nan_to_num(model.neither(scores[None, :]))[0])
    p_bpo, p_kpo = odds_to_proba(np.array([log_odds]))[0]
    of_label = {"BPO": (1 - p_neither) * p_bpo, "KPO": (1 - p_neither) * p_kpo, NEITHER: p_neither}
    p = np.zeros(len(model.lines))
    for label, share in of_label.items():
        lines = model.lines_of(label)
        if len(lines):
            p[lines] = share * np.exp(scores[lines] - logsumexp(scores[None, lines]))
    return tuple((model.lines[i], float(p[i])) for i in np.argsort(-p, kind="stable"))


def _fold_pieces(model: Model, text: str, vector: Vector, per_term: Floats) -> dict[str, float]:
    """Give each piece's contribution to the words it stands in, by how often it stands there."""
    per_occurrence = dict(zip(vector.ids.tolist(), (per_term / vector.counts).tolist(), strict=True))
    in_order = text_module.words(text)
    folded: dict[str, float] = {}
    for word, count in Counter(in_order).items():
        ids = map(model.vocabulary.get, (word, *text_module.pieces(word)))
        known = [per_occurrence[i] for i in ids if i is not None]
        if known:
            folded[word] = count * sum(known)
    for pair, count in Counter(text_module.pairs(in_order)).items():
        place = model.vocabulary.get(pair)
        if place is not None:
            folded[pair] = count * per_occurrence[place]
    return folded
