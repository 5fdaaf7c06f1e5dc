"""PDF: words, pictures and shapes of its pages, by pdfium; most files say nothing of paragraphs and tables."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from outsort.errors import DataError
from outsort.tables.documents.layout import blocks_of
from outsort.tables.documents.lines import Line, Page, Word, lines_of
from outsort.tables.documents.passages import Passage, passages

#: How wide a bullet may be that is drawn, in sizes of the font.
_BULLET = 0.65
#: The weight of a font that is bold by its name.
_BOLD, _BOLD_NAME = 700.0, re.compile(rb"bold|black|heavy", re.IGNORECASE)
#: The most pages that a message names.
_N_NAMED = 10
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
    width, height = page.get_size()
    text = page.get_textpage()
    words = list(_words(text, page.get_rotation(), width, height))
    bullets, has_picture = _drawn(page, width * height)
    result = Page(place + 1, height, lines_of(words), is_scanned=has_picture and len(words) < 5)
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
