"""Why a text got its answer: what each of its words and pairs added to the log-odds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from outsort import text as text_module
from outsort.model import ANSWERS, LABELS, logsumexp

if TYPE_CHECKING:
    from outsort.model import Floats, Model, Vector


@dataclass(frozen=True)
class Explanation:
    """The log-odds of KPO against BPO of one text, taken apart.

    Exact: the contributions, the bias and the spread add up to the log-odds.

    Attributes:
        contributions: for each known word and pair of the text what it added to the log-odds, above 0
            where it spoke for KPO. A word's figure holds the share of its pieces.
        bias: what the model holds before it has read a word.
        spread: what the labels gain by having several likely service lines: the entropy over the
            KPO lines less the entropy over the BPO lines, in nats. 0 without service lines.
        log_odds: the log-odds of KPO against BPO.
    """

    contributions: dict[str, float]
    bias: float
    spread: float
    log_odds: float


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
    return Explanation(
        contributions=_fold_pieces(model, text, vector, per_term),
        bias=float(intercept + model.bias @ direction[:n_lines]),
        spread=spread,
        log_odds=float(model.log_odds(scores[None, :])[0]),
    )


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
