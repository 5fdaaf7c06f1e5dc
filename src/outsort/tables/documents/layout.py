"""The layout of pages: from lines, in the order in which they are drawn, to blocks of text.

A line below goes on with a block unless something parts them: space, a bullet, a number, another font, or room that the
line before left for the first word. What is drawn to the right of a block, beside it, is the next cell of a row.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf
from statistics import median

from outsort.tables.documents.cells import row_blocks
from outsort.tables.documents.lines import Line, Page, Word
from outsort.tables.documents.passages import (
    HEADING,
    ITEM,
    PARAGRAPH,
    Block,
    begins_block,
    is_led,
    join_lines,
    looks_like_heading,
)
from outsort.tables.documents.ruling_lines import Box
from outsort.tables.documents.running import Placed, running_lines

#: In sizes of the font: how far apart lines of a block, and of a cell, may be beyond what is usual, and how much larger
#: a heading is.
_LINE_GAP, _GAP_IN_CELL, _LARGER = 0.3, 0.9, 1.12
#: How much smaller than the text small print is.
_SMALL = 0.9
#: How much heavier than the text a bold font is.
_BOLDER = 1.4
#: How far apart the lines of a column of text may begin, in points.
_COLUMN = 60.0
#: How much shorter than the widest a full line may be, in sizes.
_RAGGED = 6.0
#: How far apart two cells of a column may begin, in points.
_ALIGNED = 2.0
#: How far above or below a line is what is beside it, in sizes.
_NEAR = 3.0
#: Two cells of so many lines each are columns of text.
_LINES_OF_A_COLUMN = 8
#: So many texts beside each other at the top of pages are a header of a table, and so many in ruled cells.
_CELLS_OF_A_HEADER, _RULED_CELLS = 3, 2
#: How far above the cell before a cell may begin, in sizes.
_MOST_ABOVE = 5.0
#: The most lines of the first cell of a row, where they look like paragraphs.
_MOST_LINES = 60


@dataclass
class _Usual:
    """What most of a document is like: the size and the weight of its font, and the distance of its lines in sizes."""

    size: float
    weight: float
    pitch: float

    def is_bold(self, line: Line) -> bool:
        """Return whether a line is in a bold font, and most of the document is not."""
        return line.weight >= _BOLDER * self.weight

    def is_larger(self, line: Line) -> bool:
        """Return whether a line is in a larger font."""
        return line.size >= _LARGER * self.size


@dataclass
class _Cell:
    """Lines below each other: a paragraph, or a cell of a table."""

    lines: list[Line]

    @property
    def left(self) -> float:
        return min(line.left for line in self.lines)

    @property
    def right(self) -> float:
        return max(line.right for line in self.lines)

    @property
    def top(self) -> float:
        return self.lines[0].base + 0.7 * self.lines[0].size

    @property
    def bottom(self) -> float:
        return self.lines[-1].base - 0.7 * self.lines[-1].size

    def begins_at(self, left: float) -> bool:
        """Return whether lines of it begin at a place, some after their number."""
        return any(abs(word.left - left) < _ALIGNED for line in self.lines for word in line.words[:2])


@dataclass
class _Row:
    """Cells beside each other; a paragraph is a row of one cell.

    Attributes:
        is_first: whether it is the first on its page or in its column.
        is_soft: whether only the room in the line above parts it from the row before.
        is_ruled: whether ruling lines tell where its cells end.
    """

    cells: list[_Cell]
    is_first: bool = False
    is_soft: bool = False
    is_ruled: bool = False


def blocks_of(pages: Sequence[Page]) -> Iterator[Block]:
    """Yield the blocks of all pages, without running headers and footers."""
    usual = _usual(pages)
    placed = [
        [Placed(line.text, 1 - line.base / page.height, line.size < _SMALL * usual.size) for line in page.lines]
        for page in pages
    ]
    running = running_lines(placed)
    shown = _first_headers(pages, running)
    kept = [
        replace(
            page, lines=[line for i, line in enumerate(page.lines) if i not in left_out or (page.number, i) in shown]
        )
        for page, left_out in zip(pages, running, strict=True)
    ]
    known = frozenset(word.text.casefold() for page in kept for line in page.lines for word in line.words[:-1])
    last: list[tuple[_Row, int]] = []
    for page in kept:
        rows = [part for row in _page_rows(page.lines, usual) for part in _columns(row, usual)]
        if last and rows:
            _take_rest(last[-1][0], rows)
        for row in rows[:1]:
            row.is_first = True
        for row, number in last:
            yield from _blocks(row, number, usual, known)
        last = [(row, page.number) for row in rows]
    for row, number in last:
        yield from _blocks(row, number, usual, known)


def _first_headers(pages: Sequence[Page], running: Sequence[set[int]]) -> set[tuple[int, int]]:
    """Return the lines, by page and place, of headers of tables that look like running headers: each the first time."""
    seen: set[str] = set()
    found = set()
    for page, places in zip(pages, running, strict=True):
        by_height: dict[int, list[int]] = {}
        for place in places:
            by_height.setdefault(round(page.lines[place].base), []).append(place)
        for beside in by_height.values():
            lines = [page.lines[place] for place in beside]
            # What has the number of its page is no header of a table.
            is_numbered = any(line.text.casefold().startswith("page ") for line in lines)
            least = _RULED_CELLS if all(line.cell for line in lines) else _CELLS_OF_A_HEADER
            words = re.sub(r"\d+", "#", " ".join(line.text for line in lines))
            if len(lines) >= least and not is_numbered and words not in seen:
                found |= {(page.number, place) for place in beside}
            seen.add(words)
    return found


def _usual(pages: Sequence[Page]) -> _Usual:
    """Return what most of the text is like."""
    sizes: Counter[float] = Counter()
    weights: Counter[float] = Counter()
    pitches = []
    for page in pages:
        for line in page.lines:
            sizes[round(line.size, 1)] += len(line.text)
            weights[line.weight] += len(line.text)
        for above, below in zip(page.lines, page.lines[1:], strict=False):
            pitch = (above.base - below.base) / above.size
            if 0.8 < pitch < 2.5 and abs(above.left - below.left) < above.size:
                pitches.append(pitch)
    # Of all distances the smaller ones are those within paragraphs.
    within = sorted(pitches)[: max(1, len(pitches) * 2 // 3)]
    return _Usual(sizes.most_common(1)[0][0], weights.most_common(1)[0][0], median(within) if within else 1.2)


def _columns(row: _Row, usual: _Usual) -> list[_Row]:
    """Return the paragraphs of what looked like two cells, but is two columns of text; else the row."""
    if len(row.cells) != 2 or min(len(cell.lines) for cell in row.cells) < _LINES_OF_A_COLUMN:
        return [row]
    columns = [_rows(cell.lines, usual) for cell in row.cells]
    for column in columns:
        column[0].is_first = True
    return [one for column in columns for one in column]


def _take_rest(row: _Row, rows: list[_Row]) -> None:
    """Give the last row of a page the rest of its cells, if the next page begins with it, or after a header again."""
    for place, rest in enumerate(rows[:2] if len(row.cells) > 1 else ()):
        pairs = [(cell, other) for other in rest.cells for cell in row.cells if cell.begins_at(other.left)]
        # What begins where the first cell does may as well be a paragraph after the table.
        is_later = all(cell is not row.cells[0] for cell, _ in pairs)
        if len(pairs) != len(rest.cells) or not (is_later or rest.cells[0].lines[0].text[0].islower()):
            continue
        # Its lines are no longer below each other.
        row.is_ruled = False
        for cell, other in pairs:
            cell.lines += other.lines
        del rows[place]
        while place < len(rows) and rows[place].is_soft and len(rows[place].cells) == 1:
            pairs[-1][0].lines += rows.pop(place).cells[0].lines
        return


def _page_rows(lines: Sequence[Line], usual: _Usual) -> list[_Row]:
    """Put the lines of a page together to paragraphs and rows of cells: of ruled cells by the ruling lines."""
    rows: list[_Row] = []
    for is_ruled, group in groupby(lines, lambda line: line.cell is not None):
        part = list(group)
        rows += _ruled(part, usual) if is_ruled else _rows(part, usual)
    return rows


def _ruled(lines: Sequence[Line], usual: _Usual) -> Iterator[_Row]:
    """Yield the rows of cells with ruling lines around them; a frame around text is none."""
    cells: dict[Box, list[Line]] = {}
    for line in lines:
        if line.cell is not None:
            cells.setdefault(line.cell, []).append(line)
    rows: list[list[Box]] = []
    for cell in cells:
        # Cells of a row begin at one height, however many rows further down they go.
        row = next((row for row in reversed(rows) if abs(row[0].top - cell.top) < _ALIGNED), None)
        if row is None:
            rows.append([cell])
        else:
            row.append(cell)
    for row in rows:
        if len(row) > 1:
            yield _Row([_Cell(_whole_lines(cells[cell])) for cell in sorted(row)], is_ruled=True)
        else:
            yield from _rows(cells[row[0]], usual)


def _whole_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the lines of a cell, whose words may be far apart where they are stretched to its width."""
    found: list[Line] = []
    for line in lines:
        if found and found[-1].base == line.base and found[-1].right < line.left:
            found[-1].words += line.words
        else:
            found.append(line)
    return found


def _rows(lines: Sequence[Line], usual: _Usual) -> list[_Row]:
    """Put lines together to paragraphs, and to rows of cells, by where they are."""
    rows: list[_Row] = []
    margins = _Margins(lines)
    for line in lines:
        is_cell = bool(rows) and len(rows[-1].cells) > 1
        is_below = bool(rows) and _is_below(rows[-1].cells[-1], line, usual, margins, is_cell=is_cell)
        # What begins below the cell before is below the row.
        is_below = is_below and not (is_cell and line.left < rows[-1].cells[-2].right)
        if is_below and (is_cell or _is_rest(rows[-1].cells[-1], line, margins)):
            rows[-1].cells[-1].lines.append(line)
        elif (start := _beside(rows, line)) is not None:
            # What looked like several paragraphs is the first cell of a row.
            cell = rows[start].cells[-1]
            cell.lines += [one for row in rows[start + 1 :] for one in row.cells[0].lines]
            del rows[start + 1 :]
            rows[start].cells.append(_Cell([line]))
        else:
            # What is above the line before begins another column.
            is_up = bool(rows) and line.base > rows[-1].cells[-1].top
            rows.append(_Row([_Cell([line])], is_first=is_up, is_soft=is_below))
    return rows


def _is_below(cell: _Cell, line: Line, usual: _Usual, margins: _Margins, *, is_cell: bool) -> bool:
    """Return whether a line may be the next one of a paragraph or a cell."""
    last = cell.lines[-1]
    pitch = (last.base - line.base) / last.size
    is_in_cell = is_cell and abs(line.left - cell.left) < _ALIGNED
    # Paragraphs of a cell are further apart than its lines.
    gap = _GAP_IN_CELL if is_in_cell and not line.text[0].islower() else _LINE_GAP
    if not 0 < pitch < usual.pitch + gap or line.has_bullet or is_led(last.text):
        return False
    if abs(line.size - last.size) > 0.1 * last.size or usual.is_bold(line) != usual.is_bold(last):
        return False
    if begins_block(line.text, last.text if is_in_cell or margins.is_full(last) else ""):
        return False
    return line.left <= cell.right and line.right >= cell.left


class _Margins:
    """How far to the right the lines of a column of text go: those that begin near each other, in one size."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._rights: dict[tuple[int, int], list[float]] = {}
        self._widest = max((line.right for line in lines), default=0.0)
        self._by_height = sorted((line.base, line.left) for line in lines)
        #: Where the column ends that each line is in.
        self._ends: dict[int, float] = {}
        before: Line | None = None
        end = inf
        for line in lines:
            insort(self._rights.setdefault(self._key(line), []), line.right)
            # A column goes on below what is beside it.
            goes_on = before is not None and self._is_near(before, line) and line.right < end
            end = self._beside(line, end if goes_on else inf)
            self._ends[id(line)], before = end, line

    def _key(self, line: Line) -> tuple[int, int]:
        return int(line.left // _COLUMN), round(line.size)

    def _is_near(self, above: Line, line: Line) -> bool:
        """Return whether a line is not far below another, and begins about where it does."""
        return self._key(above)[0] == self._key(line)[0] and 0 < above.base - line.base < _NEAR * above.size

    def is_full(self, line: Line) -> bool:
        """Return whether a line is about as wide as the page has any."""
        return line.right > self._widest - _RAGGED * line.size

    def had_room(self, last: Line, word: Word) -> bool:
        """Return whether a line had room for the first word of the one below, so that a paragraph ends with it."""
        place, size = self._key(last)
        end = self._ends.get(id(last), inf)
        rights = filter(None, (self._rights.get((near, size)) for near in (place - 1, place, place + 1)))
        margin = max((found[i - 1] for found in rights if (i := bisect_left(found, end))), default=0.0)
        return last.right + 0.3 * last.size + (word.right - word.left) < margin - 0.5 * last.size

    def _beside(self, line: Line, usual: float) -> float:
        """Return where the text to the right of a line begins, beyond which its column does not go."""
        first = bisect_left(self._by_height, (line.base - _NEAR * line.size, 0.0))
        last = bisect_left(self._by_height, (line.base + _NEAR * line.size, 0.0))
        lefts = (left for _, left in self._by_height[first:last])
        return min((left for left in lefts if left > line.right + line.size), default=usual)


def _is_rest(cell: _Cell, line: Line, margins: _Margins) -> bool:
    """Return whether a line below goes on with a paragraph: below an item's text, or without room in the one before."""
    left = cell.lines[0].text_left
    is_hanging = left is not None and abs(line.left - left) < _ALIGNED
    return is_hanging or not margins.had_room(cell.lines[-1], line.words[0])


def _beside(rows: Sequence[_Row], line: Line) -> int | None:
    """Return the place of the row of which a line begins the next cell; None for a line below all."""
    for place in range(len(rows) - 1, max(-1, len(rows) - _MOST_LINES), -1):
        cell = rows[place].cells[-1]
        if line.left < cell.right - 0.2 * line.size:
            break
        if cell.bottom < line.base < cell.top:
            return _start_of_cell(rows, place, line)
        # Lines of one cell may look like paragraphs, but nothing else parts them.
        if len(rows[place].cells) > 1 or cell.bottom > line.base or not rows[place].is_soft:
            break
    # A cell may begin above the one before, where they are centred.
    is_near = bool(rows) and rows[-1].cells[-1].bottom < line.base < rows[-1].cells[-1].top + _MOST_ABOVE * line.size
    return len(rows) - 1 if is_near and line.left > rows[-1].cells[-1].right else None


def _start_of_cell(rows: Sequence[_Row], place: int, line: Line) -> int:
    """Return the place of the row with the first line of a cell, which another begins beside.

    Where cells are centred, there are as many lines of the first one above the line as below it.
    """
    if len(rows[place].cells) > 1:
        return place
    distances = [one.base - line.base for row in rows[place:] for one in row.cells[0].lines]
    n_above = sum(distance > 0.3 * line.size for distance in distances)
    n_missing = sum(distance < -0.3 * line.size for distance in distances) - n_above
    while n_missing > 0 and rows[place].is_soft and len(rows[place - 1].cells) == 1:
        before = rows[place - 1].cells[0].lines
        if before[-1].text[-1] in ".:;" or before[-1].right > line.left:
            break
        place, n_missing = place - 1, n_missing - len(before)
    return place


def _blocks(row: _Row, page: int, usual: _Usual, known: frozenset[str]) -> list[Block]:
    """Return a row as blocks of text."""
    if row.is_ruled:
        # What is in a cell can be told apart, since it is known where it ends.
        cells = [
            [block for one in _rows(cell.lines, usual) for block in _blocks(one, page, usual, known)]
            for cell in row.cells
        ]
    else:
        cells = [[_block(cell, page, usual, known)] for cell in row.cells]
    blocks = row_blocks(cells)
    blocks[0].is_first = row.is_first
    return blocks


def _block(cell: _Cell, page: int, usual: _Usual, known: frozenset[str]) -> Block:
    """Return a paragraph, or the text of a cell."""
    lines = cell.lines
    text = join_lines([line.text for line in lines], known)
    has_bullet = lines[0].has_bullet
    is_marked = all(usual.is_larger(line) or usual.is_bold(line) for line in lines)
    if is_marked and len(lines) < 4 and looks_like_heading(text) and not has_bullet:
        return Block(HEADING, text, page)
    return Block(ITEM if has_bullet else PARAGRAPH, text, page)
