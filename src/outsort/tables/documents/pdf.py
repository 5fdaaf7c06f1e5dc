"""PDF: blocks of text from where words are on the page, because most files say nothing of paragraphs and tables.

Words come in the order in which they are drawn, which is the order of reading within columns and cells. A word on the
same line goes on with it unless there is a gap as wide as between cells. A line below goes on with a block unless
something parts them: space, a bullet, a number, another font, or room that the line before left for the first word.
What is drawn to the right of a block, beside it, is the next cell of a row.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import IO, Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from outsort.errors import DataError
from outsort.tables.documents.passages import (
    HEADING,
    ITEM,
    PARAGRAPH,
    ROW,
    Block,
    Passage,
    begins_block,
    is_led,
    join_lines,
    looks_like_heading,
    parse_bullet,
    parse_number,
    passages,
    row_of,
)
from outsort.tables.documents.running import Placed, running_lines

#: In sizes of the font: how far apart lines of a block may be beyond what is usual, how much larger a heading is, and
#: how wide a bullet may be that is drawn.
_LINE_GAP, _LARGER, _BULLET = 0.3, 1.12, 0.65
#: Likewise the least gap between cells, the usual one between words, and the widest of a line that is stretched.
_NARROW_GAP, _SPACE, _MOST_STRETCHED = 0.45, 0.25, 3.0
#: So many gaps tell what is usual on a page: fonts differ.
_N_GAPS = 20
#: How much smaller than the text small print is.
_SMALL = 0.9
#: How much heavier than the text a bold font is.
_BOLDER = 1.4
#: The weight of a font that is bold by its name.
_BOLD, _BOLD_NAME = 700.0, re.compile(rb"bold|black|heavy", re.IGNORECASE)
#: How far apart the lines of a column of text may begin, in points.
_COLUMN = 60.0
#: How far apart two cells of a column may begin, in points.
_ALIGNED = 2.0
#: Two cells of so many lines each are columns of text.
_LINES_OF_A_COLUMN = 8
#: How far above the cell before a cell may begin, in sizes.
_MOST_ABOVE = 5.0
#: The most lines of the first cell of a row, where they look like paragraphs.
_MOST_LINES = 60
#: The most pages that a message names.
_N_NAMED = 10
#: What pdfium has for a hyphen at the end of a line, after which it has no space.
_HYPHENS = (0x02, 0xFFFE)


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
    """Words on one line, without a gap as wide as between cells."""

    words: list[Word]
    has_bullet: bool = False

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


@dataclass
class Usual:
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


def read(stream: IO[bytes], encoding: str = "") -> Iterator[int | str | Passage]:  # noqa: ARG001 - of text formats
    """Yield the number of pages of a PDF, what a person should know of it, and its passages.

    Raises:
        DataError: it is protected, damaged, or has no text.
    """
    pages: list[Page] = []
    with _opened(stream) as document:
        yield len(document)
        n_attached = pdfium.FPDFDoc_GetAttachmentCount(document)
        if n_attached > 0:
            yield f"{n_attached:,} attached file{'s' * (n_attached > 1)}, not read"
        pages = [_page(document, place) for place in range(len(document))]
    scanned = [page.number for page in pages if page.is_scanned]
    if scanned and not any(page.lines for page in pages):
        raise DataError("is scanned, without text. Have its text recognised (OCR), and name the result.")
    if not any(page.lines for page in pages):
        raise DataError("has no text. Name a document with text.")
    if scanned:
        named = ", ".join(f"{number:,}" for number in scanned[:_N_NAMED])
        more = f" and {len(scanned) - _N_NAMED:,} more" if len(scanned) > _N_NAMED else ""
        yield f"scanned, and not read: page{'s' * (len(scanned) > 1)} {named}{more}"
    yield from passages(_blocks(pages))


def _opened(stream: IO[bytes]) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(stream)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise DataError("is protected by a password. Save it without one.") from None
        raise


def _page(document: pypdfium2.PdfDocument, place: int) -> Page:
    """Read a page; one that is damaged has no lines."""
    try:
        page = document[place]
    except pypdfium2.PdfiumError:
        return Page(place + 1, 1.0)
    width, height = page.get_size()
    text = page.get_textpage()
    words = list(_words(text, page.get_rotation(), width, height))
    bullets, has_picture = _drawn(page, width * height)
    result = Page(place + 1, height, _lines(words), is_scanned=has_picture and len(words) < 5)
    for line in result.lines:
        line.has_bullet = any(_is_bullet_of(bullet, line) for bullet in bullets)
    text.close()
    page.close()
    return result


def _words(text: Any, rotation: int, width: float, height: float) -> Iterator[Word]:  # noqa: ANN401 - of pypdfium2
    """Yield the words of a page in the order in which they are drawn."""
    char_at, n = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_CountChars(text)
    start, chars = 0, ""
    for i in range(n + 1):
        code = char_at(text, i) if i < n else 32
        char = "-" if code in _HYPHENS else chr(code) if code else " "
        if not char.isspace():
            start = start if chars else i
            chars += char
        if chars and (char.isspace() or code in _HYPHENS):
            left, base = _turned(*_origin(text, start), rotation, width, height)
            ends = [_turned(*corner, rotation, width, height)[0] for corner in _corners(text, start + len(chars) - 1)]
            yield Word(chars, left, max(ends), base, _size(text, start), _weight(text, start))
            chars = ""


def _origin(text: Any, i: int) -> tuple[float, float]:  # noqa: ANN401
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(text, i, x, y)
    return x.value, y.value


def _corners(text: Any, i: int) -> tuple[tuple[float, float], tuple[float, float]]:  # noqa: ANN401
    """Return two opposite corners of the box of a character."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(text, i, left, right, bottom, top)
    return (left.value, bottom.value), (right.value, top.value)


def _weight(text: Any, i: int) -> float:  # noqa: ANN401
    """Return how bold a character's font is; files tell it badly, so the name of the font comes first."""
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text, i, name, len(name), flags)
    return _BOLD if _BOLD_NAME.search(name.value) else max(pdfium.FPDFText_GetFontWeight(text, i), 1)


def _size(text: Any, i: int) -> float:  # noqa: ANN401
    """Return the size of a character's font as it is shown, in points."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(text, i, matrix)
    scale = max(abs(matrix.d), abs(matrix.b)) or 1.0
    return max(1.0, float(pdfium.FPDFText_GetFontSize(text, i)) * scale)


def _turned(x: float, y: float, rotation: int, width: float, height: float) -> tuple[float, float]:
    """Return a place on a page as it is shown, which may be turned by 90, 180 or 270 degrees."""
    return {90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}.get(rotation, (x, y))


class _Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float


def _drawn(page: Any, area: float) -> tuple[list[_Box], bool]:  # noqa: ANN401
    """Return the small shapes of a page, which may be bullets, and whether a picture fills a third of it."""
    shapes, has_picture = [], False
    for i in range(pdfium.FPDFPage_CountObjects(page)):
        item = pdfium.FPDFPage_GetObject(page, i)
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind not in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE):
            continue
        edges = [ctypes.c_float() for _ in range(4)]
        pdfium.FPDFPageObj_GetBounds(item, *edges)
        box = _Box(*(edge.value for edge in edges))
        width, height = box.right - box.left, box.top - box.bottom
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            has_picture |= width * height > area / 3
        elif 1 < width < 12 and 0.6 < width / max(height, 0.1) < 1.6:
            shapes.append(box)
    return shapes, has_picture


def _is_bullet_of(box: _Box, line: Line) -> bool:
    """Return whether a small shape is the bullet before a line."""
    is_small = box.right - box.left < _BULLET * line.size
    is_before = 0 < line.left - box.left < 3 * line.size and box.right <= line.left + 0.1 * line.size
    middle = (box.top + box.bottom) / 2 - line.base
    return is_small and is_before and -0.1 * line.size < middle < 0.8 * line.size


def _lines(words: Sequence[Word]) -> list[Line]:
    """Put words together that are on one line of a paragraph or cell."""
    lines: list[Line] = []
    for word in words:
        if lines and _is_beside(lines[-1], word):
            lines[-1].words.append(word)
        else:
            lines.append(Line([word]))
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
    start = 0
    for place, gap in enumerate([] if _is_justified(gaps) else gaps, 1):
        # Some put two spaces after a sentence.
        is_end = line.words[place - 1].text[-1] in ".:;!?"
        is_wide = gap > max(_NARROW_GAP, 1.8 * usual) and (not is_end or gap > max(0.8, 2.5 * usual))
        if is_wide and not _is_mark(" ".join(word.text for word in line.words[start:place])):
            yield Line(line.words[start:place])
            start = place
    yield Line(line.words[start:])


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


def _usual(pages: Sequence[Page]) -> Usual:
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
    return Usual(sizes.most_common(1)[0][0], weights.most_common(1)[0][0], median(within) if within else 1.2)


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


@dataclass
class _Row:
    """Cells beside each other; a paragraph is a row of one cell.

    Attributes:
        is_first: whether it is the first on its page.
        is_soft: whether only the room in the line above parts it from the row before.
    """

    cells: list[_Cell]
    is_first: bool = False
    is_soft: bool = False


def _blocks(pages: Sequence[Page]) -> Iterator[Block]:
    """Yield the blocks of all pages, without running headers and footers."""
    usual = _usual(pages)
    placed = [
        [Placed(line.text, 1 - line.base / page.height, line.size < _SMALL * usual.size) for line in page.lines]
        for page in pages
    ]
    running = running_lines(placed)
    kept = [
        replace(page, lines=[line for i, line in enumerate(page.lines) if i not in left_out])
        for page, left_out in zip(pages, running, strict=True)
    ]
    known = frozenset(word.text.casefold() for page in kept for line in page.lines for word in line.words[:-1])
    last: list[tuple[_Row, int]] = []
    for page in kept:
        rows = [part for row in _rows(page.lines, usual) for part in _columns(row, usual)]
        if last and rows:
            _take_rest(last[-1][0], rows)
        for row, number in last:
            yield _block(row, number, usual, known)
        last = [(row, page.number) for row in rows]
    for row, number in last:
        yield _block(row, number, usual, known)


def _columns(row: _Row, usual: Usual) -> list[_Row]:
    """Return the paragraphs of what looked like two cells, but is two columns of text; else the row."""
    if len(row.cells) != 2 or min(len(cell.lines) for cell in row.cells) < _LINES_OF_A_COLUMN:
        return [row]
    rows = [one for cell in row.cells for one in _rows(cell.lines, usual)]
    return [replace(one, is_first=row.is_first and place == 0) for place, one in enumerate(rows)]


def _take_rest(row: _Row, rows: list[_Row]) -> None:
    """Give the last row of a page the rest of its cells, if the next page begins with it, or after a header again."""
    for place, rest in enumerate(rows[:2]):
        pairs = [(cell, other) for other in rest.cells for cell in row.cells if abs(cell.left - other.left) < _ALIGNED]
        is_rest = len(row.cells) > 1 and len(pairs) == len(rest.cells) and rest.cells[0].lines[0].text[0].islower()
        if is_rest:
            for cell, other in pairs:
                cell.lines += other.lines
            del rows[place]
            return


def _rows(lines: Sequence[Line], usual: Usual) -> list[_Row]:
    """Put the lines of a page together to paragraphs, and to rows of cells."""
    rows: list[_Row] = []
    margins = _Margins(lines)
    for line in lines:
        is_below = bool(rows) and _is_below(rows[-1].cells[-1], line, usual)
        if is_below and (len(rows[-1].cells) > 1 or not margins.had_room(rows[-1].cells[-1].lines[-1], line.words[0])):
            rows[-1].cells[-1].lines.append(line)
        elif (start := _beside(rows, line)) is not None:
            # What looked like several paragraphs is the first cell of a row.
            cell = rows[start].cells[-1]
            cell.lines += [one for row in rows[start + 1 :] for one in row.cells[0].lines]
            del rows[start + 1 :]
            rows[start].cells.append(_Cell([line]))
        else:
            rows.append(_Row([_Cell([line])], is_first=not rows, is_soft=is_below))
    return rows


def _is_below(cell: _Cell, line: Line, usual: Usual) -> bool:
    """Return whether a line may be the next one of a paragraph or a cell."""
    last = cell.lines[-1]
    pitch = (last.base - line.base) / last.size
    if not 0 < pitch < usual.pitch + _LINE_GAP or line.has_bullet or is_led(last.text):
        return False
    if abs(line.size - last.size) > 0.1 * last.size or usual.is_bold(line) != usual.is_bold(last):
        return False
    return line.left <= cell.right and line.right >= cell.left and not begins_block(line.text, last.text)


class _Margins:
    """How far to the right the lines of a column of text go: those that begin near each other, in one size."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._rights: dict[tuple[int, int], float] = {}
        for line in lines:
            key = self._key(line)
            self._rights[key] = max(line.right, self._rights.get(key, 0.0))

    def _key(self, line: Line) -> tuple[int, int]:
        return int(line.left // _COLUMN), round(line.size)

    def had_room(self, last: Line, word: Word) -> bool:
        """Return whether a line had room for the first word of the one below, so that a paragraph ends with it."""
        place, size = self._key(last)
        margin = max(self._rights.get((near, size), 0.0) for near in (place - 1, place, place + 1))
        return last.right + 0.3 * last.size + (word.right - word.left) < margin - 0.5 * last.size


def _beside(rows: Sequence[_Row], line: Line) -> int | None:
    """Return the place of the row of which a line begins the next cell; None for a line below all."""
    for place in range(len(rows) - 1, max(-1, len(rows) - _MOST_LINES), -1):
        cell = rows[place].cells[-1]
        if line.left < cell.right - 0.2 * line.size or abs(cell.left - rows[-1].cells[-1].left) > line.size:
            break
        if cell.bottom < line.base < cell.top:
            return _start_of_cell(rows, place, line)
        if len(rows[place].cells) > 1 or cell.bottom > line.base:
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


def _block(row: _Row, page: int, usual: Usual, known: frozenset[str]) -> Block:
    """Return a row as a block of text."""
    texts = [join_lines([line.text for line in cell.lines], known) for cell in row.cells]
    first = row.cells[0].lines[0]
    if len(texts) > 1:
        return Block(ROW, row_of(texts), page, is_first=row.is_first)
    kind = ITEM if first.has_bullet else PARAGRAPH
    lines = row.cells[0].lines
    is_marked = all(usual.is_larger(line) or usual.is_bold(line) for line in lines)
    if is_marked and len(lines) < 4 and looks_like_heading(texts[0]) and not first.has_bullet:
        kind = HEADING
    return Block(kind, texts[0], page, is_first=row.is_first)
