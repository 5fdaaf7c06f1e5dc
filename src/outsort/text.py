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

_WORD = re.compile(r"\w{1,64}")


def words(text: str) -> list[str]:
    """Return the words of `text` in order.

    >>> words("Re-key 500 INVOICES")
    ['re', 'key', '500', 'invoices']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


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
            yield "~" + marked[start : start + length]


def is_piece(term: str) -> bool:
    """Tell a piece of a word from a word or pair."""
    return term.startswith("~")


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
