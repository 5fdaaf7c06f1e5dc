"""Near-duplicate texts."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from outsort.data.identity import same_text

#: Characters of a text that are compared: enough to distinguish texts, and bounded.
COMPARED = 5_000
#: Candidate pairs per batch: some hundred megabytes.
_MEETINGS = 10_000_000


def near_duplicates(texts: Sequence[str], limit: float) -> Iterator[tuple[int, int, float]]:
    """Yield every pair of texts whose character 5-grams have a Jaccard similarity of `limit` or more.

    Texts are compared in lower case with single spaces. The search is exact: with grams sorted from the
    rarest, a text of n grams shares one of its first n - ceil(limit * n) + 1 with every text that similar
    (the prefix filter of Chaudhuri, Ganti and Kaushik, 2006). The first grams that two texts share bound how
    many they can share in all, so most pairs need no comparison.

    Args:
        texts: n_texts strings; the first 5,000 characters of each are compared.
        limit: above 0, up to 1.

    Yields:
        (i, j, similarity) with i < j.

    >>> list(near_duplicates(["type invoices", "type invoice", "draft deeds"], 0.6))
    [(0, 1, 0.888...)]
    """
    if len(texts) < 2:
        return
    counter = CountVectorizer(analyzer=_five_grams, binary=True, dtype=np.int32)
    try:
        grams = counter.fit_transform(texts)
    except ValueError:
        return
    # Columns sorted from the rarest gram, so that the first grams of each row are its rarest.
    grams = grams[:, np.argsort(grams.getnnz(axis=0), kind="stable")].tocsr()
    grams.sort_indices()
    sizes = np.diff(grams.indptr)
    n_prefix = np.where(sizes > 0, sizes - np.ceil(limit * sizes - 1e-9).astype(int) + 1, 0)
    in_prefix = np.arange(grams.nnz) - np.repeat(grams.indptr[:-1], sizes) < np.repeat(n_prefix, sizes)
    prefixes = grams.copy()
    prefixes.data = in_prefix.astype(np.int32)
    prefixes.eliminate_zeros()
    by_gram = prefixes.T.tocsr()
    n_rest = sizes - n_prefix
    last = np.where(sizes > 0, grams.indices[grams.indptr[:-1] + n_prefix - 1], -1)
    # Batches of rows with a bounded number of candidate pairs.
    meetings = np.cumsum(prefixes @ by_gram.getnnz(axis=1))
    bounds = [0, *(np.flatnonzero(np.diff(meetings // _MEETINGS)) + 1).tolist(), len(texts)]
    for start, stop in itertools.pairwise(bounds):
        candidates = (prefixes[start:stop] @ by_gram).tocoo()
        first, second = candidates.row + start, candidates.col
        # Up to the earlier of the two last prefix grams, every shared gram is counted; beyond it, the text
        # whose prefix ended can share only its remaining grams.
        rest = np.where(last[first] <= last[second], n_rest[first], n_rest[second])
        needed = limit / (1 + limit) * (sizes[first] + sizes[second])
        # Nor can two texts share more grams than the shorter one has, which spares most of the comparisons.
        shorter = np.minimum(sizes[first], sizes[second])
        at_most = np.minimum(candidates.data + rest, shorter)
        possible = (first < second) & (at_most >= needed - 1e-3)
        first, second = first[possible], second[possible]
        for part in range(0, len(first), 100_000):
            a, b = first[part : part + 100_000], second[part : part + 100_000]
            shared = np.asarray(grams[a].multiply(grams[b]).sum(axis=1)).ravel()
            similarity = shared / (sizes[a] + sizes[b] - shared)
            for i in np.flatnonzero(similarity >= limit - 1e-9):
                yield int(a[i]), int(b[i]), float(similarity[i])


def _five_grams(text: str) -> set[str]:
    plain = same_text(text[:COMPARED])
    return {plain[i : i + 5] for i in range(max(1, len(plain) - 4))}
