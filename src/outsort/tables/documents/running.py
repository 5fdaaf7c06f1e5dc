"""Find what a document repeats on its pages: running headers and footers, and the numbers of pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

#: Lines at the top and at the bottom of a page that are looked at.
N_LOOKED_AT = 4
#: The share of pages that a running line is on: two in five, because left and right pages may differ.
LEAST_SHARE = 0.4
#: How far apart the places of a running line may be, as a share of the height of a page.
_NEAR = 0.02
#: The gap below a running header, in usual distances of lines; and how far apart parts of one line are at most.
_GAP, _SAME = 1.6, 0.003
#: How near to the top or the bottom numbers of pages are, and small print that is no part of the text.
_EDGE, _MARGIN = 0.1, 0.05
_PAGE_NUMBER = re.compile(
    r"[-–\s|]*(?:page\s*)?(?:\d{1,4}|[ivxl]{1,6})(?:\s*(?:of|/|\|)\s*\d{1,4})?[-–\s|]*", re.IGNORECASE
)


class Placed(NamedTuple):
    """A line of a page.

    Attributes:
        text: the line.
        place: where on the page it is, from 0 at the top to 1 at the bottom.
        is_small: whether its font is smaller than that of the text.
    """

    text: str
    place: float
    is_small: bool = False


def running_lines(pages: Sequence[Sequence[Placed]]) -> list[set[int]]:
    """Return the places of the running lines of each page.

    A line is one if it is near the top or the bottom, and is on many pages at about the same height, whatever
    its digits are; so is the number of a page.

    >>> pages = [[Placed("Draft 3", 0.05), Placed(f"Clause {n}", 0.2), Placed(f"Page {n}", 0.95)] for n in range(9)]
    >>> running_lines(pages)[0]
    {0, 2}
    """
    edges = [_edges(page) for page in pages]
    counts: Counter[tuple[str, int]] = Counter()
    for page, places in zip(pages, edges, strict=True):
        counts.update({key for place in places for key in _keys(page[place])})
    least = max(2, LEAST_SHARE * sum(map(bool, pages)))
    found = []
    for page, places in zip(pages, edges, strict=True):
        running = {place for place in places if any(counts[key] >= least for key in _keys(page[place]))}
        numbers = {place for place in places if _is_page_number(page[place]) or _is_in_margin(page[place])}
        found.append(running | numbers)
    return found


def _edges(page: Sequence[Placed]) -> list[int]:
    """Return the places of the lines at the top and at the bottom of a page, as far as a gap parts them from others."""
    order = sorted(range(len(page)), key=lambda place: page[place].place)
    steps = [page[after].place - page[before].place for before, after in pairwise(order)]
    gap = _GAP * median([step for step in steps if step > _SAME] or [1.0])
    first = next((n for n, step in enumerate(steps[:N_LOOKED_AT], 1) if step > gap), N_LOOKED_AT)
    last = next((n for n, step in enumerate(steps[: -N_LOOKED_AT - 1 : -1], 1) if step > gap), N_LOOKED_AT)
    looked_at = {*order[:first], *order[-last:]}
    return [place for place in sorted(looked_at) if page[place].place < 0.2 or page[place].place > 0.8]


def _keys(line: Placed) -> list[tuple[str, int]]:
    """Return what two running lines share: their words, and one of two neighbouring places."""
    words = re.sub(r"\d+", "#", " ".join(line.text.split())).casefold()
    slot = int(line.place / _NEAR)
    return [(words, slot), (words, slot - 1)]


def _is_in_margin(line: Placed) -> bool:
    """Return whether a line is small print in the margin, where a document of one page repeats nothing."""
    return line.is_small and min(line.place, 1 - line.place) < _MARGIN


def _is_page_number(line: Placed) -> bool:
    distance = min(line.place, 1 - line.place)
    return distance < _EDGE and bool(_PAGE_NUMBER.fullmatch(line.text))
