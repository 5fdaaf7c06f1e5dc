"""What share of a text is whose: the labels of its clauses, weighted by their words.

A text may hold work of several labels. Each clause is answered as if it were alone, and counts by its words times the
probability that it says the work. Those answers are calibrated for service lines that the model has not seen, so they
are a little too unsure for most clauses; and clauses of one text tend to have one label, which single answers do not
know. So they are squared, and the shares estimated by expectation maximisation, with the labels' frequencies in the
data of calibration as the prior (Saerens, Latinne and Decaestecker, Neural Computation 14, 2002).
"""

from typing import NamedTuple

import numpy as np

from outsort.numeric import Floats

#: Steps of the estimation: more change nothing that is shown.
N_STEPS = 20
#: The prior counts as much as this many clauses that say the work for certain.
PRIOR_CLAUSES = 1.0
#: From this probability of saying the work on, a clause has a full say in whether the clauses disagree.
FULL_FROM = 0.25
#: Standard deviations to each side of a 90 % interval, and by how much the deviation is too small that takes the
#: clauses' errors for independent (models/notes.md).
DEVIATIONS, INFLATION = 1.645, 1.8


class Mixture(NamedTuple):
    """What a text is made of.

    Attributes:
        shares: float64 (n_labels,), the share of each label, adding up to 1.
        margin: half of a 90 % interval of the share that is least certain, no more than 1.
        disagreement: see `disagreement`.
    """

    shares: Floats
    margin: float
    disagreement: float


def mixture(proba: Floats, says: Floats, n_words: Floats, prior: Floats, n_in_scope: int) -> Mixture:
    """Return what a text of n clauses is made of.

    Args:
        proba: float64 (n, n_labels), the probability of each label for each clause alone.
        says: float64 (n,), the probability that each says the work, above 0.
        n_words: float64 (n,), the words of each; none count as one.
        prior: float64 (n_labels,), how often each label comes in the data of calibration.
        n_in_scope: the number of labels but the one out of scope, which is last.

    >>> proba = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> found = mixture(proba, np.ones(2), np.array([3.0, 1.0]), np.array([0.5, 0.5]), 2)
    >>> found.shares.round(2).tolist(), round(found.disagreement, 2)
    ([0.74, 0.26], 0.48)
    """
    sharp = sharpened(proba)
    given = _estimated(sharp, says, prior) if len(proba) > 1 else proba
    parts = says * np.maximum(n_words, 1)
    parts = parts / parts.sum()
    variance = parts**2 @ (given * (1 - given))
    margin = min(DEVIATIONS * INFLATION * float(np.sqrt(variance.max())), 1.0)
    return Mixture(parts @ given, margin, float(disagreement(sharp, says, n_in_scope)))


def sharpened(proba: Floats) -> Floats:
    """Return probabilities that are surer, adding up to 1 again: float64 (..., n_labels) for as many."""
    squares = proba**2
    return np.asarray(squares / squares.sum(axis=-1, keepdims=True))


def _estimated(proba: Floats, says: Floats, prior: Floats) -> Floats:
    """Return the probability of each label for each clause, given the others: float64 (n, n_labels)."""
    frequencies = prior
    for _ in range(N_STEPS):
        given = proba * (frequencies / prior)
        given /= given.sum(axis=1, keepdims=True)
        frequencies = (says @ given + PRIOR_CLAUSES * prior) / (says.sum() + PRIOR_CLAUSES)
    return given


def disagreement(proba: Floats, says: Floats, n_in_scope: int) -> Floats:
    """Return how far the clauses of texts disagree about the label in scope, 0 to 1: float64 (...,).

    The probability that two clauses drawn by their weights have different labels, minus what the clauses' own doubt
    makes of it: the decrease of Gini impurity from the whole to its clauses.

    Args:
        proba: float64 (..., n, n_labels), the probability of each label for each of n clauses, sharpened.
        says: float64 (..., n), the probability that each says the work, above 0.
        n_in_scope: the number of labels but the one out of scope, which is last.

    >>> sure, unsure = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    >>> disagreement(np.array([sure, unsure]), np.ones((2, 2)), 2).tolist()
    [0.5, 0.0]
    """
    inside = proba[..., :n_in_scope].sum(axis=-1)
    of_scope = proba[..., :n_in_scope] / inside[..., None]
    counts = np.minimum(says / FULL_FROM, 1) * inside
    counts = (counts / counts.sum(axis=-1, keepdims=True))[..., None]
    apart = (counts * of_scope**2).sum(axis=(-2, -1))
    return np.asarray(np.maximum(apart - ((counts * of_scope).sum(axis=-2) ** 2).sum(axis=-1), 0))
