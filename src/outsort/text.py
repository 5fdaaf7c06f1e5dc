r"""From text to terms: the definition shared by training, prediction and explanation.

A text is normalised to Unicode form NFKC and lower-cased. Its words are runs of letters, digits and
underscores (``\w``), split every 64 characters to bound their length. The terms of a text are its words,
the pairs of adjacent words, and the character n-grams (pieces) of 3 to 5 characters of every word, marked
as ``<word>``. A pair contains a space; a piece begins with ``~``.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator

#: Incremented when the terms of a text change, so that a model is never used with the wrong ones.
VERSION = 1
#: Characters in a piece of a word, including the marks.
PIECE_LENGTHS = (3, 4, 5)
#: Begins every piece; words cannot contain it.
PIECE_MARK = "~"
_WORD = re.compile(r"\w{1,64}")


def words(text: str) -> list[str]:
    """Return the words of `text` in order.

    >>> words("Re-key 500 INVOICES")
    ['re', 'key', '500', 'invoices']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end, in characters of the original text, of each of `words(text)`.

    NFKC and lower-casing change the length of some characters and merge others; a word that begins or ends
    within such a character gets all of it.

    >>> spans("Re-key 500")
    [(0, 2), (3, 6), (7, 10)]
    """
    normal = unicodedata.normalize("NFKC", text).lower()
    # Start and end in `text` of what each character of `normal` came from.
    origins: list[tuple[int, int]] = []
    for start, end in _clusters(text):
        length = len(unicodedata.normalize("NFKC", text[start:end]).lower())
        origins += [(start, end)] * length
    if len(origins) != len(normal):
        # Normalisation crossed a cluster border: give every word the whole text.
        origins = [(0, len(text))] * len(normal)
    return [(origins[m.start()][0], origins[m.end() - 1][1]) for m in _WORD.finditer(normal)]


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the shortest parts of `text` that NFKC changes independently."""
    start = 0
    for i in range(1, len(text)):
        if text[i] >= "\u0300" and (unicodedata.combining(text[i]) or _merge(text[start:i], text[i])):
            continue
        yield start, i
        start = i
    if text:
        yield start, len(text)


def _merge(first: str, second: str) -> bool:
    """Return whether NFKC changes two strings joined differently from each alone."""
    together = unicodedata.normalize("NFKC", first + second)
    return together != unicodedata.normalize("NFKC", first) + unicodedata.normalize("NFKC", second)


def pairs(words: list[str]) -> Iterator[str]:
    """Yield each word with the word after it.

    >>> list(pairs(["patent", "claim", "review"]))
    ['patent claim', 'claim review']
    """
    return (f"{first} {second}" for first, second in itertools.pairwise(words))


def pieces(word: str) -> Iterator[str]:
    """Yield the pieces of the marked word, shortest first.

    >>> list(pieces("tax"))
    ['~<ta', '~tax', '~ax>', '~<tax', '~tax>', '~<tax>']
    """
    marked = f"<{word}>"
    for length in PIECE_LENGTHS:
        for start in range(len(marked) - length + 1):
            yield PIECE_MARK + marked[start : start + length]


def is_piece(term: str) -> bool:
    """Return whether a term is a piece rather than a word or pair."""
    return term.startswith(PIECE_MARK)


def terms(text: str) -> Iterator[str]:
    """Yield every occurrence of a term in `text`: words, then pairs, then pieces.

    >>> list(terms("PO entry"))[:3]
    ['po', 'entry', 'po entry']
    """
    in_order = words(text)
    yield from in_order
    yield from pairs(in_order)
    for word in in_order:
        yield from pieces(word)
