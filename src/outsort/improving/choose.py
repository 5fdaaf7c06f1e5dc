"""Choose the texts whose labels would improve a model most (active learning)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outsort import text as text_module
from outsort.improving.strategy import Strategy
from outsort.model import Model
from outsort.numeric import Floats
from outsort.scoring.kernel import Kernel

if TYPE_CHECKING:
    import scipy.sparse


#: Maximum size of the pool to choose from: the highest-ranked texts, or a sample without a ranking.
MAX_POOL = 20_000
#: Cosine of tf-idf vectors above which two texts are near each other, and only one is chosen.
NEAR = 0.8
#: Training texts with the rarest terms of a model.
FEWEST = 2
#: Approximate variance of an answer to a training text; and the minimum assumed for other texts, because a
#: model can be confident and wrong.
LEARNT_VARIANCE, LEAST_VARIANCE = 0.05, 0.02
#: Terms that occur and are learnt together: a word with its pieces and pairs. Of 1, 4, 16 and 64 the last two
#: worked best (benchmarks/review.py).
TOGETHER = 16


def choose(
    model: Model,
    texts: Sequence[str],
    n: int,
    strategy: Strategy = Strategy.MIXED,
    *,
    weights: Floats | None = None,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Choose the texts whose labels would improve a model most; no two are near each other.

    `uncertain` picks texts with the smallest margin between the two likeliest labels; `weight` the highest
    weight times uncertainty; `novel` the highest share of unknown words; `random` any. `mixed` picks texts
    whose terms are common among uncertain texts and rare in the training data: see `_most_informative`.

    Args:
        model: the model to improve.
        texts: n_texts different texts.
        n: how many to choose; fewer are returned if there are not enough.
        strategy: how to choose.
        weights: float64 (n_texts,), the weight of each text for `weight` and `mixed`; all equal when None.
        seed: random seed.

    Returns:
        intp (n,), positions in `texts`, in the order of choice.

    Raises:
        DataError: no text has a letter or digit.
    """
    if not texts:
        return np.empty(0, np.intp)
    rng = np.random.default_rng(seed)
    answers = Kernel(model).answer(texts)
    ranked = np.sort(answers.proba, axis=1)
    doubt = 1 - (ranked[:, -1] - ranked[:, -2])
    worth = np.ones(len(texts)) if weights is None else weights
    priority = {
        Strategy.UNCERTAIN: doubt,
        Strategy.WEIGHT: doubt * worth,
        Strategy.NOVEL: 1 - answers.n_known / np.maximum(answers.n_words, 1),
    }.get(strategy)
    if priority is None:
        pool = rng.permutation(len(texts))[:MAX_POOL]
    else:
        # Ties are broken at random, not in the order of the file.
        pool = np.lexsort((rng.random(len(texts)), -priority))[:MAX_POOL]
    vectors, n_learnt = _vectors(model, [texts[i] for i in pool.tolist()])
    if strategy is not Strategy.MIXED:
        return pool[_apart(vectors, n)]
    # What is out of scope counts as little as it is in scope: labels of it teach the least.
    inside = answers.proba[:, : model.n_in_scope]
    total = np.maximum(inside.sum(axis=1), np.finfo(np.float64).tiny)
    # Half of 1 - sum of squares: for two labels, p (1 - p).
    variance = (1 - (inside**2).sum(axis=1) / total**2) / 2 * total
    return pool[_most_informative(vectors, n_learnt, variance[pool], worth[pool], n)]


def _vectors(model: Model, texts: Sequence[str]) -> tuple[scipy.sparse.csr_matrix, Floats]:
    """Return texts as the model would represent them if it knew all their terms.

    Returns:
        Tf-idf vectors, float32 (n_texts, n_terms) over the texts' own terms; and float64 (n_terms,), the
        approximate number of training texts with each term, derived from its idf.
    """
    from sklearn.preprocessing import normalize

    from outsort.training.fitting import count_terms

    terms, counts = count_terms(texts)
    ids = np.array([model.vocabulary.get(term, -1) for term in terms])
    known = ids >= 0
    is_piece = np.array([text_module.is_piece(term) for term in terms])
    # Pieces have an idf scale of their own. The rarest of either kind are in FEWEST texts, or one more.
    of_pieces = np.array([text_module.is_piece(term) for term in model.terms])
    rarest_piece, rarest_word = (model.idf[kind].max(initial=1.0) for kind in (of_pieces, ~of_pieces))
    rarest = np.where(is_piece, rarest_piece, rarest_word)
    idf = np.where(known, model.idf[ids], rarest)
    n_learnt = np.where(known, (1 + FEWEST) * np.exp((rarest - idf) * rarest_word / rarest) - 1, 0)
    return normalize(counts.multiply(idf).tocsr().astype(np.float32)), n_learnt


def _apart(vectors: scipy.sparse.csr_matrix, n: int) -> list[int]:
    """Choose texts in order, skipping those near a chosen one."""
    chosen: list[int] = []
    is_near = np.zeros(vectors.shape[0], np.bool_)
    for i in range(vectors.shape[0]):
        if len(chosen) == n:
            break
        if not is_near[i]:
            chosen.append(i)
            is_near |= _similarity(vectors, i) > NEAR
    return chosen


def _most_informative(
    vectors: scipy.sparse.csr_matrix, n_learnt: Floats, variance: Floats, worth: Floats, n: int
) -> list[int]:
    """Choose texts greedily to minimise the total variance of all answers.

    The uncertainty of a term's weight in a logistic regression is the inverse of its Fisher information:
    that of the penalty, plus for each labelled text the variance of its answer times the square of its
    feature. The variance of an answer is, to first order, the sum of its squared features over their
    information (transductive experimental design, Yu, Bi and Tresp, 2006; with the information of a logistic
    regression, Zhang and Oles, 2000). Each step chooses the text whose label reduces the sum over all texts
    most. Terms count as independent, except that a text informs about each term as much as about the
    `TOGETHER` terms that come with it.

    Args:
        vectors: tf-idf vectors (n_texts, n_terms) without an empty row.
        n_learnt: float64 (n_terms,), training texts with each term.
        variance: float64 (n_texts,), p (1 - p) of each answer.
        worth: float64 (n_texts,), the weight of each answer.
        n: how many texts to choose, none near another.
    """
    from outsort.training.fitting import Settings

    squares = vectors.multiply(vectors).tocsr().astype(np.float64)
    terms, rows = squares.indices, np.repeat(np.arange(len(variance)), np.diff(squares.indptr))
    n_here = np.bincount(terms, minlength=squares.shape[1])
    mean_square = np.bincount(terms, squares.data, squares.shape[1]) / np.maximum(n_here, 1)
    information = 1 / Settings.C + LEARNT_VARIANCE * mean_square * n_learnt
    at_stake = np.bincount(terms, squares.data * (variance * worth)[rows], squares.shape[1])
    brought = TOGETHER * squares.data * np.maximum(variance, LEAST_VARIANCE)[rows]
    open_ = np.ones(len(variance), np.bool_)
    chosen: list[int] = []
    while len(chosen) < n and open_.any():
        there = information[terms]
        gain = np.bincount(rows, at_stake[terms] * brought / (there * (there + brought)), len(variance))
        i = int(np.where(open_, gain, -1).argmax())
        chosen.append(i)
        open_ &= _similarity(vectors, i) <= NEAR
        open_[i] = False
        own = slice(squares.indptr[i], squares.indptr[i + 1])
        information[terms[own]] += brought[own]
    return chosen


def _similarity(vectors: scipy.sparse.csr_matrix, i: int) -> Floats:
    """Return the cosines of all texts with text `i`."""
    cosines: Floats = (vectors @ vectors[i].toarray().ravel()).astype(np.float64)
    return cosines
