r"""From text to clauses and terms: the definition shared by training, prediction and explanation.

A text is normalised to Unicode form NFKC and lower-cased. Its words are runs of letters, digits and
underscores (``\w``), split every 64 characters to bound their length. The terms of a text are its words,
the pairs of adjacent words, and the character n-grams (pieces) of 3 to 5 characters of every word, marked
as ``<word>``. A pair contains a space; a piece begins with ``~``.
"""

import itertools
import re
import unicodedata
from array import array
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


def worded(text: str) -> list[str]:
    """Return the words that contain a letter.

    >>> worded("Lot 3 of 2024_25: printing")
    ['lot', 'of', 'printing']
    """
    return [word for word in words(text) if word.strip("0123456789_")]


def spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end, in characters of the original text, of each of `words(text)`.

    NFKC and lower-casing change the length of some characters and merge others; a word that begins or ends
    within such a character gets all of it.

    >>> spans("Re-key 500")
    [(0, 2), (3, 6), (7, 10)]
    """
    normal = unicodedata.normalize("NFKC", text).lower()
    # Start and end in `text` of what each character of `normal` came from; in arrays, for texts of megabytes.
    starts, ends = array("q"), array("q")
    for start, end in _clusters(text):
        length = len(unicodedata.normalize("NFKC", text[start:end]).lower())
        starts.extend([start] * length)
        ends.extend([end] * length)
    if len(starts) != len(normal):
        # Normalisation crossed a cluster border: give every word the whole text.
        starts, ends = array("q", [0]) * len(normal), array("q", [len(text)]) * len(normal)
    return [(starts[m.start()], ends[m.end() - 1]) for m in _WORD.finditer(normal)]


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


#: A full stop after one of these words, in lower case, does not end a sentence.
ABBREVIATIONS = frozenset(
    """
    approx co corp dept dr eg est excl fig ie inc incl ltd max min mr mrs ms no nos pp ref sr st tel vs
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
#: Longer clauses are cut after every so many words: lists that lost their line breaks have no other ends.
MAX_WORDS = 20
#: From this one on, the clauses of a text are one: it bounds the memory that a text can take.
MAX_CLAUSES = 1000
#: White space at which a clause ends, marks that end a sentence, marks that may follow those or come before
#: its first word, and marks that begin an item of a list.
LINE_BREAKS, ENDS, CLOSING, OPENING = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", ".!?", "\"')]", "\"'([*-"
BULLETS = "*\u2022\u2023\u2043\u25aa\u25cf\u25e6\u00b7"
_VISIBLE = re.compile(r"\S")
_MARKS = re.compile(f"[{LINE_BREAKS}]|[{re.escape(ENDS + CLOSING)}]+|[{BULLETS}]")
_LAST_TOKEN = re.compile(r"(?<![a-zA-Z0-9'])[a-zA-Z0-9]{1,7}\Z")


def clauses(text: str) -> list[tuple[int, int]]:
    r"""Return the start and end of each clause of `text`: its sentences, lines and list items that hold a word.

    A full stop ends a sentence if white space and then a capital, a digit or an opening mark follow, unless
    it belongs to an abbreviation, an initial or the number of an item. Parts without a word belong to the
    clause before, or else to the one after, so the clauses cover the text; a text without words is one.
    Clauses of more than `MAX_WORDS` words are cut.

    >>> text = "Key invoices. Approx. 5 a day!\n- Excel needed"
    >>> [text[start:end] for start, end in clauses(text)]
    ['Key invoices.', ' Approx. 5 a day!', '\n- Excel needed']
    """
    starts: list[int] = []
    for start, end in sentences(text):
        words = [word.start() for word in _WORD.finditer(text, start, end)]
        starts += [start, *words[MAX_WORDS::MAX_WORDS]]
        if len(starts) >= MAX_CLAUSES:
            break
    return list(itertools.pairwise([*starts[:MAX_CLAUSES], len(text)]))


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each clause of `text` as `clauses` has them, but none is cut for its length.

    >>> text = "Key invoices; " * 20 + "file them. Audit them."
    >>> [text[start:end][-15:] for start, end in sentences(text)]
    ['ces; file them.', ' Audit them.']
    """
    return list(itertools.pairwise([0, *_ends(text), len(text)]))


def _ends(text: str) -> Iterator[int]:
    """Yield where a sentence, line or list item ends that holds a word, if another word follows."""
    word = _WORD.search(text)
    for mark in _MARKS.finditer(text):
        place = _break_at(text, mark)
        if word and place is not None and word.start() < place:
            word = _WORD.search(text, place)
            if word:
                yield place


def _break_at(text: str, mark: re.Match[str]) -> int | None:
    """Return where a clause begins because of a mark, or None."""
    start, end = mark.span()
    found = mark[0]
    if found in LINE_BREAKS:
        return end
    if end == len(text) or not text[end].isspace():
        return None
    if found in BULLETS:
        return start if start and text[start - 1].isspace() else None
    if "!" in found or "?" in found:
        return end
    following = _VISIBLE.search(text, end)
    if "." not in found or following is None:
        return None
    if not (following[0].isupper() or following[0].isdecimal() or following[0] in OPENING):
        return None
    before = _LAST_TOKEN.search(text, max(0, start - 9), start)
    return None if before and _is_abbreviation(before[0]) else end


def _is_abbreviation(token: str) -> bool:
    return len(token) == 1 or (token.isdigit() and len(token) == 2) or token.lower() in ABBREVIATIONS
