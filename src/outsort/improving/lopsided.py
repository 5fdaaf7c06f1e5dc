"""Lopsided words: frequent words whose rows lean to one label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from outsort.errors import DataError
from outsort.improving.findings import Example
from outsort.text import spans, words

#: Rows, and the share of all rows, that a frequent word has.
_MIN_ROWS, _MIN_SHARE = 20, 0.001
#: Of fewer service lines, no word can be told from one of a trade.
_MIN_LINES = 20
#: How many times higher, or lower, than among all rows the odds of a label are that count as extreme.
_ODDS = 3
#: Chance that labels given at random list any word, and the permutations that find the limit for it.
_CHANCE, _N_PERMUTATIONS = 0.05, 199
#: Characters of the guide that are quoted.
_QUOTED = 80


def lopsided_words(
    texts: Sequence[str], labels: Sequence[str], lines: Sequence[str] | None = None, *, seed: int = 0
) -> list[Example]:
    """Find frequent words whose share of one label is extreme, the most certain first.

    A word is listed if the odds of the label among its rows are at least three times those among all rows, or
    at most a third, and if chance would not do as much. Chance is that service lines exchange their labels as
    wholes, so that a word of one trade, however many rows it has, counts no more than its one line. A line of
    several labels exchanges their shares, and its rows exchange labels among themselves; rows without a line
    are each their own.

    Args:
        texts: n_texts distinct strings.
        labels: their labels.
        lines: their service lines, "" for none; or None.
        seed: random seed of the permutations.

    Returns:
        For each the word, its rows and lines, the label, and the label's share of its rows and of all rows.

    Raises:
        DataError: there are fewer than two labels, or fewer than twenty lines but some.
    """
    names, codes = np.unique(labels, return_inverse=True)
    # A row without a line is a group alone, by its number after a mark that no line has.
    groups = np.unique([line or f"\n{i}" for i, line in enumerate(lines or [""] * len(texts))], return_inverse=True)[1]
    if len(names) < 2 or (lines and groups.max() + 1 < _MIN_LINES):
        raise DataError(f"needs at least two labels and, if there are service lines, {_MIN_LINES} of them")
    counter = CountVectorizer(analyzer=words, binary=True, min_df=max(_MIN_ROWS, int(_MIN_SHARE * len(texts))))
    try:
        has = counter.fit_transform(texts).astype(float)
    except ValueError:
        # No word is frequent.
        return []
    scores, limit = _scores(has, codes, groups, np.random.default_rng(seed))
    n_rows = has.getnnz(axis=0)
    shares = (_one_hot(codes).T @ has).toarray() / n_rows
    usual = np.bincount(codes)[:, None] / len(codes)
    high, low = shares * (1 - usual), usual * (1 - shares)
    is_extreme = (high >= _ODDS * low) | (low >= _ODDS * high)
    # Of two labels both are as extreme: name the one that the word leans to.
    certain = np.where(is_extreme & (abs(scores) > limit), abs(scores) + 1e-6 * (scores > 0), 0)
    terms, by_word = counter.get_feature_names_out(), has.tocsc()
    return [
        Example(
            word=str(terms[j]),
            rows=int(n_rows[j]),
            lines=len({lines[i] for i in by_word[:, j].indices} - {""}) if lines else None,
            label=str(names[i]),
            share=round(float(shares[i, j]), 3),
            usual_share=round(float(usual[i, 0]), 3),
        )
        for j in np.argsort(-certain.max(axis=0), kind="stable")
        if certain[i := certain[:, j].argmax(), j]
    ]


def _scores(
    has: scipy.sparse.csr_matrix, codes: NDArray[np.intp], groups: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """Return the score of each label for each word, (n_labels, n_words), and the limit that chance keeps to.

    The score is the number of rows with the word and the label, less the number expected, in standard
    deviations over all permutations: of lines (Hoeffding, 1951) and of rows within a line (Mantel and Haenszel,
    1959). If every row is a line, it is the square root of the chi-square with n - 1 (Pearson, 1947). The limit
    is what the highest score of a permutation passes in 5 % of permutations (Westfall and Young, 1993), which
    is exact however many words there are and however few lines.
    """
    order = np.argsort(groups, kind="stable")
    has, codes, groups = has[order], codes[order], groups[order]
    in_group, is_label = _one_hot(groups).T, _one_hot(codes)
    size, counts = np.bincount(groups).astype(float), in_group @ has
    share = (in_group @ is_label).multiply(1 / size[:, None]).tocsr()
    rate = has.getnnz(axis=0) / len(codes)
    between, within = _variances(counts, size, share, rate)
    deviation = np.sqrt(np.maximum(between + within, 1e-9))
    highest = []
    for _ in range(_N_PERMUTATIONS):
        shares = share[rng.permutation(len(size))]
        excess = (shares.T @ counts).toarray() - np.outer(shares.T @ size, rate)
        # Lines of one label each have nothing to exchange within them.
        if within.max() > 1e-6:
            shuffled = codes[np.lexsort((rng.random(len(codes)), groups))]
            excess += (_one_hot(shuffled).T @ has).toarray() - (share.T @ counts).toarray()
        highest.append(abs(excess / deviation).max())
    # What was observed counts as a permutation: with at most 9 of 199 above it, it is among the highest 5 %.
    limit = np.sort(highest)[-int(_CHANCE * (_N_PERMUTATIONS + 1))]
    observed = (is_label.T @ has).toarray() - np.outer(np.bincount(codes), rate)
    return observed / deviation, float(limit) + 1e-9


def _variances(
    counts: scipy.sparse.csr_matrix,
    size: NDArray[np.float64],
    share: scipy.sparse.csr_matrix,
    rate: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variances, (n_labels, n_words) each, over permutations of lines and of the rows within lines.

    Args:
        counts: (n_lines, n_words) rows with the word.
        size: (n_lines,) rows.
        share: (n_lines, n_labels) share of the rows that has the label.
        rate: (n_words,) share of all rows that has the word.
    """
    n, every = len(size), np.ones(len(size))
    squares = counts.multiply(counts).tocsr()
    of_words = every @ squares - 2 * rate * (size @ counts) + rate**2 * (size @ size)
    of_labels = every @ share.multiply(share).tocsr() - (every @ share) ** 2 / n
    mixed = (share - share.multiply(share)).multiply(1 / np.maximum(size - 1, 1)[:, None]).tocsr()
    within = mixed.multiply(size[:, None]).T @ counts - mixed.T @ squares
    return np.outer(of_labels, of_words) / (n - 1), within.toarray()


def _one_hot(codes: NDArray[np.intp]) -> scipy.sparse.csr_matrix:
    n = len(codes)
    return scipy.sparse.csr_matrix((np.ones(n), codes, np.arange(n + 1)))


def first_mentions(guide: str) -> dict[str, str]:
    r"""Return the first line of a guide that has each word, shortened around it.

    >>> first_mentions("# Rules\n| proofreading | BPO |")["proofreading"]
    'proofreading | BPO'
    """
    found: dict[str, str] = {}
    for line in (line.strip("#|*-> \t") for line in guide.splitlines()):
        for word, (start, end) in zip(words(line), spans(line), strict=True):
            found.setdefault(word, _around(line, start, end))
    return found


def _around(line: str, start: int, end: int) -> str:
    first = max(0, min((start + end - _QUOTED) // 2, len(line) - _QUOTED))
    last = first + _QUOTED
    return "…" * (first > 0) + line[first:last].strip() + "…" * (last < len(line))
