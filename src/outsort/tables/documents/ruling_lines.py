"""Ruling lines, which a page draws around the cells of tables, and the cell that a word is in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from math import inf
from typing import NamedTuple

#: How thick a ruling line is at most, and how long at least, in points.
THICKEST, _LONG = 3.0, 6.0
#: How far short of its cell a line may end, in points.
_SHORT = 2.0
#: With more of them a page is a drawing.
MOST_RULING_LINES = 4_000


class Box(NamedTuple):
    """A place on a page, in points from the lower left corner of the page as it is shown."""

    left: float
    bottom: float
    right: float
    top: float


class RulingLines:
    """The ruling lines of a page.

    >>> frame = [Box(10, 10, 11, 50), Box(90, 10, 91, 50), Box(10, 10, 91, 11), Box(10, 50, 91, 51)]
    >>> ruling = RulingLines([*frame, Box(50, 10, 51, 50)])
    >>> ruling.cell_at(20, 30), ruling.cell_at(20, 70)
    (Box(left=11, bottom=11, right=50, top=50), None)
    """

    def __init__(self, boxes: Iterable[Box] = ()) -> None:
        """Keep those of n boxes that are thin and long; none where there are too many."""
        self._upright, self._level = [], []
        for box in boxes:
            width, height = box.right - box.left, box.top - box.bottom
            if width <= THICKEST and height >= _LONG:
                self._upright.append(box)
            elif height <= THICKEST and width >= _LONG:
                self._level.append(box)
        if len(self._upright) + len(self._level) > MOST_RULING_LINES:
            self._upright = []
        self._upright.sort()
        # What touches no upright one underlines text.
        self._level = [box for box in self._level if self._is_touched(box)]
        #: Where the lines beside a height of the page begin and end, and those above and below the width of a cell.
        self._beside: dict[float, _Edges] = {}
        self._above: dict[tuple[float, float], _Edges] = {}

    def _is_touched(self, level: Box) -> bool:
        """Return whether a level line meets an upright one."""
        first = bisect_left(self._upright, (level.left - _SHORT - THICKEST,))
        near = takewhile(lambda box: box.left <= level.right + _SHORT, islice(self._upright, first, None))
        return any(box.bottom - _SHORT <= level.top and level.bottom <= box.top + _SHORT for box in near)

    def cell_at(self, x: float, y: float) -> Box | None:
        """Return the cell around a place; None if it has no line above, below, or on either side.

        Tables may be open to the left and to the right.
        """
        if not self._upright:
            return None
        if y not in self._beside:
            around = [box for box in self._upright if box.bottom - _SHORT < y < box.top + _SHORT]
            self._beside[y] = _edges((box.left, box.right) for box in around)
        sides = _around(self._beside[y], x)
        if sides == (-inf, inf):
            return None
        if sides not in self._above:
            over = [box for box in self._level if box.left - _SHORT < x < box.right + _SHORT]
            self._above[sides] = _edges((box.bottom, box.top) for box in over)
        bottom, top = _around(self._above[sides], y)
        return None if inf in (-bottom, top) else Box(sides[0], bottom, sides[1], top)


_Edges = tuple[Sequence[float], Sequence[float]]


def _edges(spans: Iterable[tuple[float, float]]) -> _Edges:
    """Return where lines begin and where they end, each in order."""
    found = sorted(spans)
    return [first for first, _ in found], sorted(last for _, last in found)


def _around(edges: _Edges, place: float) -> tuple[float, float]:
    """Return where the line before a place ends and the one after it begins, infinite where one is missing."""
    begins, ends = edges
    before, after = bisect_right(ends, place) - 1, bisect_right(begins, place)
    return ends[before] if before >= 0 else -inf, begins[after] if after < len(begins) else inf
