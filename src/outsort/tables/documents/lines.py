"""Lines of text on a page: from words and where they are to lines of paragraphs and cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from outsort.tables.documents.passages import parse_bullet, parse_number
from outsort.tables.documents.ruling_lines import Box, RulingLines

#: In sizes of the font: the least gap between cells, the usual one between words, and the widest of a line that is
#: stretched.
_NARROW_GAP, _SPACE, _MOST_STRETCHED = 0.45, 0.25, 3.0
#: So many gaps tell what is usual on a page: fonts differ.
_N_GAPS = 20


class Word(NamedTuple):
    """A word on a page, in points from the lower left corner of the page as it is shown."""

    text: str
    left: float
    right: float
    base: float
    size: float
    weight: float


@dataclass
class Line:
    """Words on one line, without a gap as wide as between cells.

    Attributes:
        has_bullet: whether a bullet is drawn before it.
        cell: the box of ruling lines around it; None where it is in no cell.
    """

    words: list[Word]
    has_bullet: bool = False
    cell: Box | None = None

    @property
    def text(self) -> str:
        """The words."""
        return " ".join(word.text for word in self.words)

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.words[0].left

    @property
    def right(self) -> float:
        """Where it ends."""
        return max(word.right for word in self.words[-3:])

    @property
    def text_left(self) -> float | None:
        """Where its text begins after its bullet or number; None if it has neither."""
        n = 0 if self.has_bullet else _n_of_mark(self)
        return self.words[n].left if n or self.has_bullet else None

    @property
    def base(self) -> float:
        """Its height above the bottom of the page."""
        return self.words[0].base

    @property
    def size(self) -> float:
        """The size of its font."""
        return max(word.size for word in self.words)

    @property
    def weight(self) -> float:
        """How bold its lightest word is."""
        return min(word.weight for word in self.words)


@dataclass
class Page:
    """The lines of a page in the order in which they are drawn."""

    number: int
    height: float
    lines: list[Line] = field(default_factory=list)
    is_scanned: bool = False


def lines_of(words: Sequence[Word], ruling: RulingLines | None = None) -> list[Line]:
    """Put words together that are on one line of a paragraph or cell; `ruling` is that of the page."""
    lines: list[Line] = []
    for word in words:
        cell = ruling.cell_at((word.left + word.right) / 2, word.base + word.size / 4) if ruling else None
        if lines and lines[-1].cell == cell and _is_beside(lines[-1], word):
            lines[-1].words.append(word)
        else:
            lines.append(Line([word], cell=cell))
    gaps = [gap for line in lines for gap in _gaps(line)]
    space = median(gaps) if len(gaps) >= _N_GAPS else _SPACE
    return [part for line in lines for part in _parted(line, space)]


def _gaps(line: Line) -> list[float]:
    """Return the gaps between the words of a line, in sizes."""
    return [max(0.0, after.left - before.right) / after.size for before, after in pairwise(line.words)]


def _parted(line: Line, space: float) -> Iterator[Line]:
    """Part a line at gaps that are much wider than its others, as between cells; a bullet or number stays.

    Args:
        line: the line.
        space: what is usual between words.
    """
    gaps = _gaps(line)
    usual = min(median(gaps), 2 * space) if len(gaps) > 1 else space
    first = _n_of_mark(line)
    start = 0
    for place, gap in enumerate([] if _is_justified(gaps[first:]) else gaps, 1):
        # Some put two spaces after a sentence.
        is_end = line.words[place - 1].text[-1] in ".:;!?"
        is_wide = gap > max(_NARROW_GAP, 1.8 * usual) and (not is_end or gap > max(0.8, 2.5 * usual))
        if is_wide and place > first:
            yield Line(line.words[start:place], cell=line.cell)
            start = place
    yield Line(line.words[start:], cell=line.cell)


def _n_of_mark(line: Line) -> int:
    """Return how many words of a line are its bullet or its number, before other words."""
    marks = (n for n in (2, 1) if len(line.words) > n and _is_mark(" ".join(word.text for word in line.words[:n])))
    return next(marks, 0)


def _is_justified(gaps: Sequence[float]) -> bool:
    """Return whether the gaps of a line are alike, as where a line is stretched to the width of the text."""
    if len(gaps) < 2 or median(gaps) > _MOST_STRETCHED:
        return False
    return max(gaps) < (1.6 if len(gaps) > 2 else 1.05) * min(gaps)


def _is_beside(line: Line, word: Word) -> bool:
    """Return whether a word is on a line, to its right."""
    return abs(line.base - word.base) < 0.4 * max(line.size, word.size) and word.left > line.right - 0.5 * word.size


def _is_mark(text: str) -> bool:
    """Return whether a text is only a bullet or a number."""
    marked = f"{text} Aa"
    return "Aa" in (parse_bullet(marked)[1], parse_number(marked, is_heading=True)[1])
