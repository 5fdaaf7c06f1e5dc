"""Models with random weights, for what must hold for any model."""

import numpy as np

from outsort.model import Model
from outsort.text import pairs, terms

WORDS = [
    *("key", "invoices", "draft", "contract", "audit", "clean", "floor", "data", "entry", "nurse", "design"),
    *("etc", "co", "no", "approx", "naïve", "e", "g"),
]
#: The columns that scoring adds, with the labels of the shipped model.
ADDED = [
    *("label", "probability", "p_BPO", "p_KPO", "p_NEITHER", "service_line", "decision", "reason"),
    *("share_BPO", "share_KPO", "share_NEITHER", "share_margin", "model"),
]


def random_model(n_labels, *, with_out_of_scope, lines_per_label=3, seed=0):
    """Return a model of `WORDS` in which everything counts: clauses, their level and the calibration."""
    rng = np.random.default_rng(seed)
    known = sorted({term for word in WORDS for term in terms(word)} | set(pairs(WORDS)))
    labels = [f"label {i:02}" for i in range(n_labels)]
    line_labels = [label for label in labels for _ in range(lines_per_label)]
    weights = rng.normal(scale=2, size=(len(known), len(line_labels) + n_labels + 1))
    weights[rng.random(weights.shape) < 0.6] = 0
    places, columns = np.nonzero(weights)
    return Model(
        terms=known,
        idf=1 + rng.random(len(known)).astype(np.float32),
        indptr=np.searchsorted(places, np.arange(len(known) + 1)).astype(np.int32),
        indices=columns.astype(np.int16),
        weights=weights[places, columns].astype(np.float32),
        bias=rng.normal(size=len(line_labels)).astype(np.float32),
        lines=labels if lines_per_label == 1 else [f"line {i:03}" for i in range(len(line_labels))],
        line_labels=line_labels,
        out_of_scope=labels[0] if with_out_of_scope else "",
        position=np.array([0.5, 0.7]),
        later=rng.normal(size=n_labels),
        calibration=np.column_stack([rng.normal(size=n_labels), 0.5 + rng.random(n_labels)]),
    )


def model_of(weights, line_labels, *, out_of_scope="", threshold=float("nan")):
    """Return a model whose answers can be worked out by hand: the weight of each word for each service line."""
    terms, lines = sorted(weights), list(line_labels)
    in_order = [(lines.index(line), weight) for term in terms for line, weight in weights[term].items()]
    return Model(
        terms=terms,
        idf=np.ones(len(terms), np.float32),
        indptr=np.cumsum([0, *(len(weights[term]) for term in terms)]).astype(np.int32),
        indices=np.array([place for place, _ in in_order], np.int16),
        weights=np.array([weight for _, weight in in_order], np.float32),
        bias=np.zeros(len(lines), np.float32),
        lines=lines,
        line_labels=list(line_labels.values()),
        out_of_scope=out_of_scope,
        threshold=threshold,
    )
