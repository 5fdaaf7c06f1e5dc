"""Choose the texts whose labels would teach a model most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from outsort import text as text_module
from outsort.improving.strategy import Strategy
from outsort.labels import LABELS, NEITHER
from outsort.numeric import label_proba, odds_to_proba
from outsort.scoring.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse
    from numpy.typing import NDArray

    from outsort.model import Model
    from outsort.numeric import Floats

#: Texts among which a choice is made, at most: of more, the foremost or, where there is no order, a sample.
MAX_POOL = 20_000
#: Two texts whose tf-idf vectors have a greater cosine are near each other: one of them is enough.
NEAR = 0.8
#: Texts that the rarest terms of a model stand in.
FEWEST = 2
#: The variance of an answer to a text that the model was trained on, about; and the least that one to
#: another text is taken to have, for a model may be sure and wrong.
LEARNT_VARIANCE, LEAST_VARIANCE = 0.05, 0.02
#: Terms that come together, a word with its pieces and pairs, and are learnt together. Of 1, 4, 16 and 64 the
#: last two taught most (benchmarks/review.py).
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
    """Choose texts of which a label teaches most; no two are near each other.

    `uncertain` takes those whose two likeliest labels are closest; `weight` those of greatest weight times
    uncertainty; `novel` those with most words the model does not know; `random` any. `mixed` takes those
    whose words stand in many uncertain texts and in few that the model was trained on: see `_most_telling`.

    Args:
        model: the model that is to learn.
        texts: n_texts different texts.
        n: how many to choose; fewer are returned where there are not enough.
        strategy: how.
        weights: float64 (n_texts,), what each counts with `weight` and `mixed`; all alike when None.
        seed: of whatever is drawn.

    Returns:
        intp (n,), places in `texts`, in the order of choice.

    Raises:
        DataError: no text holds a letter or digit.
    """
    if not texts:
        return np.empty(0, np.intp)
    rng = np.random.default_rng(seed)
    answers = Kernel(model).answer(texts)
    proba = label_proba(answers.log_odds, answers.neither)
    ranked = np.sort(proba, axis=1)
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
        # Ties in any order but that of the file.
        pool = np.lexsort((rng.random(len(texts)), -priority))[:MAX_POOL]
    vectors, n_learnt = _vectors(model, [texts[i] for i in pool.tolist()])
    if strategy is not Strategy.MIXED:
        return pool[_apart(vectors, n)]
    variance = odds_to_proba(answers.log_odds).prod(axis=1) * (1 - proba[:, LABELS.index(NEITHER)])
    return pool[_most_telling(vectors, n_learnt, variance[pool], worth[pool], n)]


def _vectors(model: Model, texts: Sequence[str]) -> tuple[scipy.sparse.csr_matrix, Floats]:
    """Return texts as the model would see them if it knew all their terms.

    Returns:
        Tf-idf vectors, float32 (n_texts, n_terms) over the texts' own terms; and float64 (n_terms,), about
        how many texts with each term the model was trained on, which its idf tells.
    """
    from sklearn.preprocessing import normalize

    from outsort.training.fitting import count_terms

    terms, counts = count_terms(texts)
    ids = np.array([model.vocabulary.get(term, -1) for term in terms])
    known = ids >= 0
    is_piece = np.array([text_module.is_piece(term) for term in terms])
    # Pieces have an idf of their own scale. The rarest of either kind stand in FEWEST texts, or one more.
    of_pieces = np.array([text_module.is_piece(term) for term in model.terms])
    rarest_piece, rarest_word = (model.idf[kind].max(initial=1.0) for kind in (of_pieces, ~of_pieces))
    rarest = np.where(is_piece, rarest_piece, rarest_word)
    idf = np.where(known, model.idf[ids], rarest)
    n_learnt = np.where(known, (1 + FEWEST) * np.exp((rarest - idf) * rarest_word / rarest) - 1, 0)
    return normalize(counts.multiply(idf).tocsr().astype(np.float32)), n_learnt


def _apart(vectors: scipy.sparse.csr_matrix, n: int) -> list[int]:
    """Take texts in order, but for those near one that is taken."""
    chosen: list[int] = []
    is_near = np.zeros(vectors.shape[0], np.bool_)
    for i in range(vectors.shape[0]):
        if len(chosen) == n:
            break
        if not is_near[i]:
            chosen.append(i)
            is_near |= _similarity(vectors, i) > NEAR
    return chosen


def _most_telling(
    vectors: scipy.sparse.csr_matrix, n_learnt: Floats, variance: Floats, worth: Floats, n: int
) -> list[int]:
    """Choose texts so that the answers to all become as certain as they can.

    A logistic regression is as unsure of a term's weight as it has little Fisher information on it:
    the penalty's, and of each labelled text the variance of its answer times the square of its feature. The
    variance of an answer is, to first order, the sum of its terms' squares over their information
    (transductive experimental design, Yu, Bi and Tresp, 2006; with the information of a logistic
    regression, Zhang and Oles, 2000). Chosen is, one after the other, the text whose label takes most
    from the sum over all texts. Terms count as independent of each other, but that a text tells of each
    of them what it tells of the `TOGETHER` that come with it.

    Args:
        vectors: tf-idf vectors, (n_texts, n_terms), of which no row is empty.
        n_learnt: float64 (n_terms,), texts with each term that the model was trained on.
        variance: float64 (n_texts,), p (1 - p) of each answer.
        worth: float64 (n_texts,), what each answer counts.
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
