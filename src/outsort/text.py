r"""Text to terms: the one definition that training, prediction and explanation share.

A text is put into Unicode form NFKC and lower case; its words are the runs of letters, digits and
underscores (``\w``), cut every 64 characters so that no word grows without bound. The terms of a
text are its words, the pairs of adjacent words, and the pieces of 3 to 5 characters of every word
marked ``<word>``. A term says what it is: a pair holds a space, a piece begins with ``~``.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Raised whenever the same text would give other terms, so that no model is read with the wrong ones.
VERSION = 1
#: Characters in a piece of a word, its marks included.
PIECE_LENGTHS = (3, 4, 5)
#: Begins every piece, and no word: it is no sign of a word.
PIECE_MARK = "~"
_WORD = re.compile(r"\w{1,64}")


def words(text: str) -> list[str]:
    """Return the words of `text` in order.

    >>> words("Re-key 500 INVOICES")
    ['re', 'key', '500', 'invoices']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def spans(text: str) -> list[tuple[int, int]]:
    """Return where each of `words(text)` stands in the text as given: start and end, in characters.

    Putting a text into form NFKC and lower case makes some characters longer or shorter and melts some
    into one; a word that begins or ends within such a character gets the whole of it.

    >>> spans("Re-key 500")
    [(0, 2), (3, 6), (7, 10)]
    """
    normal = unicodedata.normalize("NFKC", text).lower()
    # The place in `text` of each character of `normal`, and the end of what it came from.
    origins: list[tuple[int, int]] = []
    for start, end in _clusters(text):
        length = len(unicodedata.normalize("NFKC", text[start:end]).lower())
        origins += [(start, end)] * length
    if len(origins) != len(normal):
        # Should ever a character reach across clusters, the text as a whole is where its words stand.
        origins = [(0, len(text))] * len(normal)
    return [(origins[m.start()][0], origins[m.end() - 1][1]) for m in _WORD.finditer(normal)]


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the stretches of `text` that NFKC changes one apart from the next."""
    start = 0
    for i in range(1, len(text)):
        if text[i] >= "\u0300" and (unicodedata.combining(text[i]) or _melt(text[start:i], text[i])):
            continue
        yield start, i
        start = i
    if text:
        yield start, len(text)


def _melt(first: str, second: str) -> bool:
    """Tell whether NFKC makes of two stretches together something else than of each."""
    together = unicodedata.normalize("NFKC", first + second)
    return together != unicodedata.normalize("NFKC", first) + unicodedata.normalize("NFKC", second)


def pairs(words: list[str]) -> Iterator[str]:
    """Yield each word with the word after it.

    >>> list(pairs(["patent", "claim", "review"]))
    ['patent claim', 'claim review']
    """
    return (f"{first} {second}" for first, second in itertools.pairwise(words))


def pieces(word: str) -> Iterator[str]:
    """Yield the pieces of the marked word, shorter ones first.

    >>> list(pieces("tax"))
    ['~<ta', '~tax', '~ax>', '~<tax', '~tax>', '~<tax>']
    """
    marked = f"<{word}>"
    for length in PIECE_LENGTHS:
        for start in range(len(marked) - length + 1):
            yield PIECE_MARK + marked[start : start + length]


def is_piece(term: str) -> bool:
    """Tell a piece of a word from a word or pair."""
    return term.startswith(PIECE_MARK)


def terms(text: str) -> Iterator[str]:
    """Yield every term of `text`, as often as it occurs: words, then pairs, then pieces.

    >>> list(terms("PO entry"))[:3]
    ['po', 'entry', 'po entry']
    """
    in_order = words(text)
    yield from in_order
    yield from pairs(in_order)
    for word in in_order:
        yield from pieces(word)
