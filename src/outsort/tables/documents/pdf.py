"""PDF: words, pictures and shapes of its pages, by pdfium; most files say nothing of paragraphs and tables."""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import IO, Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from outsort.errors import DataError
from outsort.tables.documents.layout import blocks_of
from outsort.tables.documents.lines import Line, Page, Word, lines_of
from outsort.tables.documents.passages import Passage, passages
from outsort.tables.documents.ruling_lines import MOST_RULING_LINES, THICKEST, Box, RulingLines

#: How wide a bullet may be that is drawn, in sizes of the font.
_BULLET = 0.65
#: The weight of a font that is bold by its name.
_BOLD, _BOLD_NAME = 700.0, re.compile(rb"bold|black|heavy", re.IGNORECASE)
#: The most pages that a message names.
_N_NAMED = 10
#: A path of more points is a drawing, and so many characters tell how the text of a page is turned.
_MOST_POINTS, _N_ASKED = 100, 200
#: What pdfium has for a hyphen at the end of a line, after which it has no space.
_HYPHENS = (0x02, 0xFFFE)


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
    yield from passages(blocks_of(pages))


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
    text = page.get_textpage()
    angle = _angle(text)
    if angle not in (None, page.get_rotation()):
        # pdfium puts words on one line together as the page is shown.
        text.close()
        page.set_rotation(angle)
        text = page.get_textpage()
    shown = _Shown(page.get_rotation(), *page.get_size())
    words = list(_words(text, shown))
    bullets, ruling, has_picture = _drawn(page, shown)
    result = Page(
        place + 1, shown.height, lines_of(words, RulingLines(ruling)), is_scanned=has_picture and len(words) < 5
    )
    for line in result.lines:
        line.has_bullet = any(_is_bullet_of(bullet, line) for bullet in bullets)
    text.close()
    page.close()
    return result


def _angle(text: Any) -> int | None:  # noqa: ANN401 - of pypdfium2
    """Return by how many degrees most of the text of a page is turned to the left; None for no text."""
    n = pdfium.FPDFText_CountChars(text)
    asked = range(0, n, max(1, n // _N_ASKED))
    # pdfium counts angles to the right.
    angles = Counter(round(-math.degrees(pdfium.FPDFText_GetCharAngle(text, i)) / 90) % 4 * 90 for i in asked)
    return max(angles, key=lambda angle: (angles[angle], -angle), default=None)


class _Shown(NamedTuple):
    """A page as it is shown: how it is turned, 0, 90, 180 or 270 degrees to the right, and its size so."""

    angle: int
    width: float
    height: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return a place of the file on the page so turned."""
        turned = {90: (y, self.height - x), 180: (self.width - x, self.height - y), 270: (self.width - y, x)}
        return turned.get(self.angle, (x, y))

    def box(self, corners: Iterable[tuple[float, float]]) -> Box:
        """Return the box around some places."""
        xs, ys = zip(*(self.place(*corner) for corner in corners), strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))


def _words(text: Any, shown: _Shown) -> Iterator[Word]:  # noqa: ANN401
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
            left, base = shown.place(*_origin(text, start))
            right = shown.box(_corners(text, start + len(chars) - 1)).right
            yield Word(chars, left, right, base, _size(text, start), _weight(text, start))
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


def _drawn(page: Any, shown: _Shown) -> tuple[list[Box], list[Box], bool]:  # noqa: ANN401
    """Return the shapes of a page that may be bullets, its thin lines, and whether a picture fills a third of it."""
    shapes: list[Box] = []
    ruling: list[Box] = []
    has_picture = False
    for i in range(pdfium.FPDFPage_CountObjects(page)):
        item = pdfium.FPDFPage_GetObject(page, i)
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind not in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE):
            continue
        edges = [ctypes.c_float() for _ in range(4)]
        pdfium.FPDFPageObj_GetBounds(item, *edges)
        left, bottom, right, top = (edge.value for edge in edges)
        box = shown.box([(left, bottom), (right, top)])
        width, height = box.right - box.left, box.top - box.bottom
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            has_picture |= width * height > shown.width * shown.height / 3
        elif 1 < width < 12 and 0.6 < width / max(height, 0.1) < 1.6:
            shapes.append(box)
        elif min(width, height) <= THICKEST:
            ruling.append(box)
        elif len(ruling) < MOST_RULING_LINES:
            ruling += _strokes(item, shown)
    return shapes, ruling, has_picture


def _strokes(path: Any, shown: _Shown) -> Iterator[Box]:  # noqa: ANN401
    """Yield the straight lines of a path that is drawn as a line, such as the four of a frame."""
    fill, is_drawn = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(path, fill, is_drawn)
    n = pdfium.FPDFPath_CountSegments(path)
    if not is_drawn or n > _MOST_POINTS:
        return
    matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_float(), ctypes.c_float()
    pdfium.FPDFPageObj_GetMatrix(path, matrix)
    parts: list[list[tuple[float, float]]] = []
    for i in range(n):
        segment = pdfium.FPDFPath_GetPathSegment(path, i)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        if not parts or pdfium.FPDFPathSegment_GetType(segment) == pdfium.FPDF_SEGMENT_MOVETO:
            parts.append([])
        parts[-1].append(point)
        if pdfium.FPDFPathSegment_GetClose(segment):
            parts[-1].append(parts[-1][0])
    yield from (shown.box(ends) for part in parts for ends in pairwise(part))


def _is_bullet_of(box: Box, line: Line) -> bool:
    """Return whether a small shape is the bullet before a line."""
    is_small = box.right - box.left < _BULLET * line.size
    is_before = 0 < line.left - box.left < 3 * line.size and box.right <= line.left + 0.1 * line.size
    middle = (box.top + box.bottom) / 2 - line.base
    return is_small and is_before and -0.1 * line.size < middle < 0.8 * line.size
