"""Whether cells are texts, and how much they read like descriptions of work."""

import re
from collections.abc import Sequence
from typing import NamedTuple


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


#: What is written in a cell that has nothing to say, in lower case.
_PLACEHOLDERS = _words(
    "na n/a nil none null nan no yes tbc tbd tba unknown blank various other misc see attached above below",
    "mr mrs ms miss mx dr prof sir phd mba msc bsc not applicable available specified as per",
)
#: Words that join others to phrases and sentences.
_JOINING = _words(
    "a an the of and or for to in on at by with from into is are be as that this which your our their its not",
    "de la le les des du et en pour der die das und für von zur el los del y para di e da do van het voor",
)
#: Forms of companies.
_COMPANY = _words(
    "ltd limited llp llc inc plc co corp corporation company gmbh ag kg sa sl sarl sas bv nv spa srl pty pvt as ab oy",
    "lp sons partners group holdings",
)
#: Letters of a lone word in capitals that is taken for a code.
_LONGEST_ACRONYM = 4
#: Most characters of a cell that are looked at.
_MAX_LENGTH = 2000
_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][^\W\d_]+)?")
_ADDRESS = re.compile(r"\S+@\S+|https?://\S+|www\.\S+")
#: A token with digits, or several capitals and a mark: a reference.
_REFERENCE = re.compile(r"\S*\d\S*|[A-Z]+[-_/.][-A-Z\d_/.]+")


#: An object, or a list of objects, as JSON or Python writes it.
_OBJECT = re.compile(r"\s*(?:\[\s*)?\{\s*[\"']")


class Prose(NamedTuple):
    """What the cells of a column are like.

    Attributes:
        n: cells that say something.
        share_text: share of these that are no codes, numbers or addresses.
        likeness: how much they read like descriptions, 0 to 1.
        n_words: words in one of them, on average.
        n_distinct: of the cells, those that differ.
    """

    n: int
    share_text: float
    likeness: float
    n_words: float
    n_distinct: int

    @property
    def repeats(self) -> bool:
        """Whether the cells are few texts that come again, as classes do."""
        return 2 * self.n_distinct <= self.n

    @property
    def is_text(self) -> bool:
        """Whether half of the cells or more are texts."""
        return self.n > 0 and self.share_text >= 0.5


def says_nothing(cell: str) -> bool:
    """Return whether a cell is blank or holds what people write for nothing.

    >>> says_nothing(" N/A "), says_nothing("see attached"), says_nothing("Audit")
    (True, True, False)
    """
    words = re.findall(r"[\w/]+", cell.casefold())
    return all(word in _PLACEHOLDERS for word in words)


def prose_of(cells: Sequence[str]) -> Prose:
    """Return what cells are like.

    Args:
        cells: n cells of a column as text.
    """
    told = [cell for cell in cells if not says_nothing(cell)]
    if not told:
        return Prose(0, 0.0, 0.0, 0.0, 0)
    marks = [_marks_of(cell) for cell in told]
    likeness = sum(value for _, value in marks) / len(marks)
    # Classes repeat; most descriptions do not.
    n_distinct = len({cell.casefold() for cell in told})
    filled = len(told) / len(cells)
    share = sum(is_text for is_text, _ in marks) / len(marks)
    n_words = sum(len(_WORD.findall(cell[:_MAX_LENGTH])) for cell in told) / len(told)
    return Prose(len(told), share, likeness * (n_distinct / len(told)) ** 0.5 * filled**0.25, n_words, n_distinct)


def _marks_of(cell: str) -> tuple[bool, float]:
    """Return whether a cell is no code, number or address, and how much it reads like a description."""
    cell = cell[:_MAX_LENGTH]
    if _OBJECT.match(cell):
        return False, 0.0
    plain = _REFERENCE.sub(" ", _ADDRESS.sub(" ", cell))
    share = sum(map(str.isalpha, plain)) / sum(not sign.isspace() for sign in cell)
    if share < 0.5 or (cell.isupper() and len(cell.strip()) <= _LONGEST_ACRONYM):
        return False, 0.0
    words = _WORD.findall(plain)
    lower = [word.casefold() for word in words]
    if any(word in _COMPANY for word in lower[-2:]):
        return True, 0.1 * share
    bearing = [word for word, low in zip(words, lower, strict=True) if low not in _JOINING]
    # Names have a capital in every word; but whole registers are in capitals.
    is_name = len(words) > 1 and all(word[0].isupper() for word in bearing) and not cell.isupper()
    length = min(len(words), 8) / 8
    return True, share * length**0.5 * (0.45 if is_name else 1.0) * (0.8 if len(bearing) == len(words) else 1.0)
