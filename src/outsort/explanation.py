"""Explain an answer: what each word added to the log-odds, and the most similar labelled texts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from outsort import text as text_module
from outsort.language import ENGLISH_FUNCTION_WORDS, FUNCTION_WORDS
from outsort.model import Model, Reading, Vector
from outsort.numeric import Floats, logsumexp

#: Log-odds, for or against, from which a term is shown as a reason.
SHOWN_FROM = 0.3
#: Beside those of English, and those that tell other languages from it, some that do not.
_SAY_NOTHING = FUNCTION_WORDS.union(
    ENGLISH_FUNCTION_WORDS, ("de", "la", "en", "al", "es", "se", "zu", "den", "des", "im", "am", "em", "na", "af")
)


class Word(NamedTuple):
    """One word of a text.

    Attributes:
        start: index of its first character in the original text.
        end: index after its last character.
        log_odds: what it added to the log-odds of the label.
    """

    start: int
    end: int
    log_odds: float


class Clause(NamedTuple):
    """One clause of a text.

    Attributes:
        start: index of its first character in the original text.
        end: index after its last character.
        share: how much it counts, 0 to 1; the shares of a text add up to 1.
        probabilities: the probability of every label for the clause as a text of its own.
        contributions: what each of its known words and pairs added to the log-odds of the label. A word's
            contribution includes that of its pieces.
        words: its words in order, each with its part of the log-odds: its own contribution and half that of
            each pair it is in, divided evenly among its occurrences. Both have the same sum.
    """

    start: int
    end: int
    share: float
    probabilities: dict[str, float]
    contributions: dict[str, float]
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Explanation:
    """The log-odds of a label against all others for one text, decomposed.

    Exact: the contributions, the bias and the spread add up to the log-odds.

    Attributes:
        text: the original text.
        label: the label that is explained.
        clauses: the clauses in order, with their contributions.
        bias: what the text would have without known terms, as far as it is linear.
        spread: the rest, which no single term has a part in: for labels with several likely lines, their
            entropy, and what calibration and the other labels add. 0 for two labels without service lines.
        log_odds: the log-odds of the label against all others.
        lines: the service lines, most probable first, with their probabilities, which add up to 1; those of
            a label add up to its probability. Empty without service lines.
    """

    text: str
    label: str
    clauses: tuple[Clause, ...]
    bias: float
    spread: float
    log_odds: float
    lines: tuple[tuple[str, float], ...]

    @property
    def contributions(self) -> dict[str, float]:
        """What each known word and pair of the text added to the log-odds."""
        total: Counter[str] = Counter()
        for clause in self.clauses:
            for term, figure in clause.contributions.items():
                total[term] += figure  # type: ignore[assignment]
        return dict(total)

    @property
    def reasons(self) -> dict[str, float]:
        """The contributions that are shown as reasons, largest first; see `is_reason`."""
        ranked = sorted(self.contributions.items(), key=lambda item: -abs(item[1]))
        return {term: figure for term, figure in ranked if is_reason(term, figure)}

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of the text in order, each with its part of the log-odds."""
        return tuple(word for clause in self.clauses for word in clause.words)


def is_reason(term: str, log_odds: float) -> bool:
    """Return whether a word or pair is shown as a reason: it means something to a reader, and weighs enough."""
    return abs(log_odds) >= SHOWN_FROM and is_telling(term)


def is_telling(term: str) -> bool:
    """Return whether each word of a term means something by itself: no function word, number or letter.

    >>> [term for term in ("SAP", "in sap", "a", "500", "2nd level", "税") if is_telling(term)]
    ['SAP', '2nd level', '税']
    """
    words = text_module.words(term)
    return bool(words) and words == text_module.worded(term) and all(map(_says_something, words))


def _says_something(word: str) -> bool:
    # A single letter is a word only in scripts without capitals, such as Chinese.
    return word not in _SAY_NOTHING and (len(word) > 1 or unicodedata.category(word) == "Lo")


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


def explain(model: Model, text: str, label: str | None = None) -> Explanation:
    """Explain the probability of a label for `text`; of the most probable label if None.

    The log-odds are a smooth function of the scores of the lines of each clause, which are linear in the
    terms. Each term's contribution is its part of the scores times the gradient at the text's own scores:
    within a label, the gradient of the log-sum-exp is the softmax of its lines.

    Raises:
        ValueError: the model has no such label.
    """
    reading = model.read(text)
    return explain_read(model, text, reading, model.label_scores(reading), label)


def explain_read(
    model: Model, text: str, reading: Reading, label_scores: Floats, label: str | None = None
) -> Explanation:
    """Like `explain`, for a text already read, with its label scores (n_labels,)."""
    log_proba = model.log_proba(label_scores[None, :])[0]
    if label is not None and label not in model.labels:
        raise ValueError(f"the model has no label {label!r}, only {', '.join(model.labels)}")
    answer = int(log_proba.argmax()) if label is None else model.labels.index(label)
    others = np.delete(log_proba, answer)
    log_odds = float(log_proba[answer] - logsumexp(others[None, :])[0])
    of_labels = _gradient(model, label_scores, answer)
    clauses, bias, total = [], 0.0, 0.0
    alone = np.exp(model.log_proba(reading.of_labels)).tolist()
    parts = zip(reading.spans, reading.vectors, reading.shares, reading.scores, alone, strict=True)
    for (start, end), vector, share, scores, proba in parts:
        direction = share * _of_lines(model, scores, of_labels)
        places, owner = model.term_weights(vector.ids)
        per_weight = model.weights[places] * vector.values[owner] * direction[model.indices[places]]
        per_term = np.bincount(owner, weights=per_weight, minlength=len(vector.ids)).astype(np.float64)
        bias += float(model.bias @ direction[: len(model.lines)])
        total += float(per_term.sum())
        contributions = _fold_pieces(model, text[start:end], vector, per_term)
        words = _words(text[start:end], start, contributions)
        probabilities = dict(zip(model.labels, proba, strict=True))
        clauses.append(Clause(start, end, float(share), probabilities, contributions, words))
    return Explanation(
        text=text,
        label=model.labels[answer],
        clauses=tuple(clauses),
        bias=bias,
        spread=log_odds - bias - total,
        log_odds=log_odds,
        lines=_ranked_lines(model, reading, np.exp(log_proba)),
    )


def _gradient(model: Model, label_scores: Floats, answer: int) -> Floats:
    """Return the gradient of a label's log-odds against all others in the label scores: float64 (n_labels,)."""
    n = model.n_in_scope
    log_proba = model.log_proba(label_scores[None, :])[0]
    # Of the log-probabilities: 1 for the label, and minus the share of each other label among the others.
    others = np.delete(np.arange(len(log_proba)), answer)
    outer = np.zeros(len(log_proba))
    outer[answer] = 1
    outer[others] = -np.exp(log_proba[others] - logsumexp(log_proba[None, others])[0])
    slope = model.calibration[:n, 1]
    calibrated = model.calibration[:n, 0] + slope * label_scores[:n]
    within = np.exp(calibrated - logsumexp(calibrated[None, :])[0])
    result = np.zeros(len(log_proba))
    result[:n] = slope * (outer[:n] - outer[:n].sum() * within)
    if n < len(log_proba):
        # Through the log-odds of what is out of scope, on which all log-probabilities depend.
        p_out = np.exp(log_proba[n])
        through = model.calibration[n, 1] * (outer[n] * (1 - p_out) - outer[:n].sum() * p_out)
        result[n] = through
        result[:n] -= through * np.exp(label_scores[:n] - logsumexp(label_scores[None, :n])[0])
    return result


def _of_lines(model: Model, scores: Floats, of_labels: Floats) -> Floats:
    """Return the gradient in the columns of the weights, for a clause: float64 (n_lines + n_labels + 1,)."""
    n_lines = len(model.lines)
    direction = np.zeros(n_lines + len(of_labels) + 1)
    for i, label in enumerate(model.labels):
        lines = model.lines_of(label)
        direction[lines] = of_labels[i] * np.exp(scores[lines] - logsumexp(scores[None, lines]))
    direction[n_lines:-1] = of_labels
    return direction


def _words(text: str, start: int, contributions: dict[str, float]) -> tuple[Word, ...]:
    in_order = text_module.words(text)
    paired = list(text_module.pairs(in_order))
    words, pairs = Counter(in_order), Counter(paired)
    figures = [contributions.get(word, 0.0) / words[word] for word in in_order]
    for i, pair in enumerate(paired):
        half = contributions.get(pair, 0.0) / pairs[pair] / 2
        figures[i] += half
        figures[i + 1] += half
    spans = text_module.spans(text)
    return tuple(Word(start + a, start + b, figure) for (a, b), figure in zip(spans, figures, strict=True))


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
    """Return the top words and pairs for each label.

    A term's figure is the log-odds of the label against all others, rolled up from the service lines, before
    calibration: of a text of that term alone, minus those of a text without known terms. It is comparable
    between models with and without service lines. In a longer text, a term adds less.

    Args:
        model: the model.
        n: return no more than this many terms per label, strongest first, figures above 0.
    """
    labels = model.labels
    # Pieces are left out, too: they are not readable.
    ids = np.array([i for i, term in enumerate(model.terms) if _is_readable(term)], np.int64)
    n_columns = len(model.lines) + len(labels) + 1

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


def _is_readable(term: str) -> bool:
    return not text_module.is_piece(term) and is_telling(term)


def _ranked_lines(model: Model, reading: Reading, proba: Floats) -> tuple[tuple[str, float], ...]:
    if not model.has_lines:
        return ()
    p = model.line_proba(proba[None, :], (reading.shares @ reading.scores)[None, :])[0]
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
