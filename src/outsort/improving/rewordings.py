"""Texts that name the same work in other words: in another order, in the plural, abbreviated, with a word exchanged."""

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from outsort.language import ENGLISH_FUNCTION_WORDS
from outsort.numeric import Floats
from outsort.text import worded, words

#: The stems of the words of a text that say what the work is, each once, in the order of the text.
Bag: TypeAlias = tuple[str, ...]
#: How much of two texts, by weight, must be in both for one to be the other reworded.
LIKE = 0.65
#: Characters of a text that are read.
READ = 5_000
#: Two texts are compared closely if the cosine of their words as written is so much of the limit or more.
_AS_WRITTEN = 0.6
#: Words that registers add to any work.
_SAYS_LITTLE = frozenset(
    "etc framework general lot other per phase provision re service services svc svcs various work works".split()  # noqa: SIM905
).union(ENGLISH_FUNCTION_WORDS)
#: Pairs of bags that share a rare enough word: so many take minutes, and so many at once some hundred megabytes.
_MAX_MEETINGS, _AT_ONCE = 20_000_000_000, 5_000_000
#: Pairs that are compared closely.
_MAX_COMPARED = 1_000_000
#: Letters of initials, such as HR, and the fewest of any other short form.
_INITIALS, _FEWEST = range(2, 5), 3
_VOWELS = frozenset("aeiou")
#: Endings of English words in the order in which they are taken off, of words longer than so many letters.
_ENDINGS = (("ies", 4, "y"), ("s", 3, ""), ("ing", 5, ""), ("ed", 4, ""), ("e", 4, ""))


class Pairs(NamedTuple):
    """Like pairs of some bags.

    Attributes:
        first: intp (n_pairs,), their places.
        second: intp (n_pairs,), of the others.
        likeness: float64 (n_pairs,).
        n_compared: how many of the bags, from the first, were compared with each other.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    likeness: Floats
    n_compared: int


def bag_of(text: str) -> Bag:
    """Return the stems of the words of a text that say what the work is: no grammar, no numbers, nothing general.

    A text with nothing else keeps its words; one without a word has none.

    >>> bag_of("Provision of 12 office cleaning services"), bag_of("Services")
    (('offic', 'clean'), ('services',))
    """
    text = text[:READ]
    telling = (_stem(word) for word in worded(text) if word not in _SAYS_LITTLE)
    return tuple(dict.fromkeys(telling)) or tuple(dict.fromkeys(words(text)))


def weights_of_words(bags: Collection[Bag]) -> dict[str, float]:
    """Return the weight of each word, its inverse document frequency: 1 + ln((1 + n) / (1 + n_with_word))."""
    n_with = Counter(itertools.chain.from_iterable(bags))
    return {word: 1 + float(np.log((1 + len(bags)) / (1 + n))) for word, n in n_with.items()}


def likeness(first: Bag, second: Bag, weights: Mapping[str, float]) -> float:
    """Return how much of two bags is in both: the Jaccard similarity of their words by weight.

    Words that only one has may be short for each other, such as mgmt and management, or HR and human resources.

    >>> weights = dict.fromkeys(("hr", "human", "resourc", "advic", "mgmt", "management"), 1.0)
    >>> likeness(("hr", "advic"), ("human", "resourc", "advic"), weights)
    1.0
    >>> likeness(("mgmt", "advic"), ("advic", "management", "hr"), weights)
    0.666...
    """
    both = set(first) & set(second)
    mine, its = ({word: weights[word] for word in bag if word not in both} for bag in (first, second))
    shared = sum(weights[word] for word in both)
    if mine and its:
        shared += _by_initials(mine, its) + _by_initials(its, mine) + _by_short_forms(mine, its)
    return shared / (shared + sum(mine.values()) + sum(its.values()))


def like_pairs(bags: Sequence[Bag], codes: NDArray[np.int64], limit: float = LIKE) -> Pairs:
    """Return the pairs of bags with different codes whose likeness reaches a limit.

    Only bags are compared whose words as written have a cosine, by weight, of `_AS_WRITTEN` of the limit or more. They
    are found by their rarest words: the commonest of a bag are left out as long as they are too light to add half of
    that cosine, whatever bag they meet (after the prefix filter of Bayardo, Ma and Srikant, 2007). Where that would
    take too long, the last bags are left out.

    Args:
        bags: n_bags, none of them empty.
        codes: int64 (n_bags,).
        limit: above 0, up to 1.
    """
    weights = weights_of_words(bags)
    first, second, n_compared = _candidates(_vectors(bags, weights), codes, _AS_WRITTEN * limit)
    found = [likeness(bags[i], bags[j], weights) for i, j in zip(first.tolist(), second.tolist(), strict=True)]
    like = np.array(found, np.float64)
    kept = like >= limit - 1e-9
    return Pairs(first[kept], second[kept], like[kept], n_compared)


def _vectors(bags: Sequence[Bag], weights: Mapping[str, float]) -> sparse.csr_matrix:
    """Return bags as unit vectors, float32 (n_bags, n_words), of each the heaviest words first."""
    places = {word: i for i, word in enumerate(sorted(weights, key=lambda word: -weights[word]))}
    # The dot product of two is then the cosine of their sets of words by weight.
    heights = np.sqrt(np.array([weights[word] for word in places], np.float64))
    sizes = [len(bag) for bag in bags]
    columns = np.array([place for bag in bags for place in sorted(places[word] for word in bag)], np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    squares = np.add.reduceat(heights[columns] ** 2, ends[:-1])
    values = heights[columns] / np.sqrt(np.repeat(squares, sizes))
    return sparse.csr_matrix((values.astype(np.float32), columns, ends), shape=(len(bags), len(places)))


def _candidates(
    vectors: sparse.csr_matrix, codes: NDArray[np.int64], least: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Return the pairs of vectors with different codes and a dot product of `least`, and how many were compared."""
    prefixes, rest = _prefixes(vectors, least / 2)
    n_with = np.bincount(prefixes.indices, minlength=vectors.shape[1])
    n_meetings = int(n_with[vectors.indices].sum())
    n = len(codes) if n_meetings <= _MAX_MEETINGS else int(len(codes) * (_MAX_MEETINGS / n_meetings) ** 0.5)
    pairs = np.zeros((2, 0), np.intp)
    for code in np.unique(codes[:n])[:-1].tolist():
        mine, others = np.flatnonzero(codes[:n] == code), np.flatnonzero(codes[:n] > code)
        for found in _meetings(vectors, prefixes[mine], rest[mine], others, least):
            met = np.stack([mine[found[0]], others[found[1]]])
            pairs = np.concatenate([pairs, met[:, _dots(vectors, met) >= least]], axis=1)
            if pairs.shape[1] > _MAX_COMPARED:
                # The last bag of each pair; with some left out, all pairs of the first bags remain.
                last = pairs.max(axis=0)
                n = int(np.partition(last, _MAX_COMPARED)[_MAX_COMPARED])
                pairs = pairs[:, last < n]
    first, second = pairs[:, pairs.max(axis=0, initial=0) < n]
    return first, second, n


def _prefixes(vectors: sparse.csr_matrix, most: float) -> tuple[sparse.csr_matrix, Floats]:
    """Return the heaviest words of each vector, without which it is shorter than `most`, and the length of the rest."""
    squares = vectors.data.astype(np.float64) ** 2
    before = np.concatenate([[0.0], np.cumsum(squares)])
    sizes = np.diff(vectors.indptr)
    ends = np.repeat(before[vectors.indptr[1:]], sizes)
    # What a word and those after it weigh.
    is_kept = ends - before[:-1] >= most**2
    prefixes = vectors.copy()
    prefixes.data = np.where(is_kept, vectors.data, 0)
    prefixes.eliminate_zeros()
    rest = np.sqrt(np.maximum(0, 1 - np.add.reduceat(np.where(is_kept, squares, 0), vectors.indptr[:-1])))
    return prefixes, rest


def _meetings(
    vectors: sparse.csr_matrix, prefixes: sparse.csr_matrix, rest: Floats, others: NDArray[np.intp], least: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the places, among the prefixes and among the others, of pairs whose dot product may be `least`."""
    by_word = vectors[others].T.tocsr()
    n_met = np.cumsum(prefixes.astype(bool).astype(np.int64) @ by_word.getnnz(axis=1))
    bounds = [0, *(np.flatnonzero(np.diff(n_met // _AT_ONCE)) + 1).tolist(), len(rest)]
    for start, stop in itertools.pairwise(bounds):
        dots = (prefixes[start:stop] @ by_word).tocoo()
        possible = dots.data + rest[start:stop][dots.row] >= least - 1e-6
        yield dots.row[possible] + start, dots.col[possible].astype(np.intp)


def _dots(vectors: sparse.csr_matrix, pairs: NDArray[np.intp]) -> Floats:
    """Return the dot product of each pair of vectors: float64 (n_pairs,)."""
    parts = [pairs[:, start : start + 100_000] for start in range(0, pairs.shape[1], 100_000)]
    found = [np.asarray(vectors[first].multiply(vectors[second]).sum(axis=1)).ravel() for first, second in parts]
    # To the precision of what they are made of.
    return np.concatenate([np.zeros(0), *found]) + 1e-6


def _by_initials(mine: dict[str, float], its: dict[str, float]) -> float:
    """Take out words that are the initials of others in a row, with those; return what the longer form weighs."""
    weight = 0.0
    for word in [word for word in mine if len(word) in _INITIALS]:
        others = list(its)
        for start in range(len(others) - len(word) + 1):
            row = others[start : start + len(word)]
            if word == "".join(other[0] for other in row):
                weight += sum(its.pop(other) for other in row)
                del mine[word]
                break
    return weight


def _by_short_forms(mine: dict[str, float], its: dict[str, float]) -> float:
    """Take out words of which one is short for the other; return what the lighter ones weigh."""
    pairs = sorted(
        (*sorted((one, other), key=len), one, other)
        for one, other in itertools.product(mine, its)
        if one[0] == other[0] and _is_short(*sorted((one, other), key=len))
    )
    weight = 0.0
    for _, _, one, other in pairs:
        if one in mine and other in its:
            weight += min(mine.pop(one), its.pop(other))
    return weight


def _is_short(short: str, word: str) -> bool:
    """Return whether a word may be short for another with its first letter: its beginning, or some of its letters.

    >>> _is_short("maint", "maintenanc"), _is_short("mgr", "manager"), _is_short("car", "cleaner")
    (True, True, False)
    """
    if not _FEWEST <= len(short) < len(word):
        return False
    if word.startswith(short):
        return True
    is_telling = len(short) > _FEWEST or not _VOWELS & set(short)
    letters = iter(word)
    return is_telling and short[-1] in word[-3:] and all(letter in letters for letter in short)


def _stem(word: str) -> str:
    """Return a word without the endings that make it another number or form.

    >>> [_stem(word) for word in ("policies", "policy", "drafting", "drafted", "draft", "invoices", "invoicing")]
    ['policy', 'policy', 'draft', 'draft', 'draft', 'invoic', 'invoic']
    """
    for ending, least, instead in _ENDINGS:
        if len(word) > least and word.endswith(ending) and not word.endswith("ss"):
            word = word.removesuffix(ending) + instead
    return word
