"""The XML of a sheet, row by row: the rows that do not change keep their bytes, and memory is bounded by a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import IO, NamedTuple

from outsort.tables.letters import place_of
from outsort.tables.workbooks.markup import MarkupError, with_attributes

#: Most bytes of a row, and of what a sheet holds before and after its rows.
MAX_ROW = MAX_FRAME = 1 << 25
_ATTRIBUTES = rb"""((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*"""
_SHEET_DATA = re.compile(rb"<((?:[\w.-]+:)?)sheetData%s(/?)>" % _ATTRIBUTES)
_NUMBER = re.compile(rb"""\sr\s*=\s*["'](\d+)["']""")
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']([A-Z]{1,3})\d+["']""")
_STYLE = re.compile(rb"""\ss\s*=\s*["'](\d+)["']""")
_SPANS = re.compile(rb"""\sspans\s*=\s*["'](\d+):""")


class Row(NamedTuple):
    """A row as its bytes.

    Attributes:
        number: as a spreadsheet shows it.
        raw: its bytes, and the white space before it.
        start: where its start tag begins.
        inner: where its cells begin.
        inner_end: where they end; `inner` if the row is one tag.
    """

    number: int
    raw: bytes
    start: int
    inner: int
    inner_end: int


class Cell(NamedTuple):
    """A cell of a row.

    Attributes:
        column: 1 for A.
        start: where it begins in the row's bytes.
        end: where it ends.
        style: the number of its format.
        has_value: whether it holds more than a format.
    """

    column: int
    start: int
    end: int
    style: int
    has_value: bool


class SheetXml:
    """The XML of a sheet being read.

    Attributes:
        head: what comes before the first row.
        tail: what comes after the last, once the rows are read.
        prefix: the namespace prefix of its elements with a colon, b"" for none.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Read up to the first row.

        Raises:
            MarkupError: there are no rows, or the XML uses what is not looked for here.
        """
        self._chunks = iter(partial(stream.read, 1 << 20), b"")
        buffer = b""
        for chunk in self._chunks:
            buffer += chunk
            found = _SHEET_DATA.search(buffer)
            if found or len(buffer) > MAX_FRAME:
                break
        else:
            found = None
        if b"\0" in buffer[:200]:
            raise MarkupError("the XML of the sheet is in UTF-16")
        _check(buffer)
        if not found or found[3]:
            raise MarkupError("the sheet has no rows")
        self.head, self._rest, self.tail, self.prefix = buffer[: found.end()], buffer[found.end() :], b"", found[1]
        name = re.escape(self.prefix)
        self._row = re.compile(rb"\s*(<%srow%s(/?)>)" % (name, _ATTRIBUTES))
        self._row_end = b"</%srow" % self.prefix
        self._end = re.compile(rb"\s*</%ssheetData\s*>" % name)
        self._cell_start = b"<%sc " % self.prefix
        self._cell = re.compile(rb"<%sc%s(?:/>|>(.*?)</%sc\s*>)" % (name, _ATTRIBUTES, name), re.DOTALL)
        self._value = re.compile(rb"<%s(?:v|f|is)[\s>]|<%sf/>" % (name, name))

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            MarkupError: rows are out of order, are too large, or the XML uses what is not looked for here.
        """
        buffer, place, number = self._rest, 0, 0
        while True:
            row = self._row_at(buffer, place, number)
            if row is not None:
                place += len(row.raw)
                if row.number <= number:
                    raise MarkupError("the rows of the sheet are out of order")
                number = row.number
                yield row
                continue
            if self._end.match(buffer, place):
                self.tail = self._all(buffer[place:])
                return
            chunk = next(self._chunks, b"")
            if not chunk or len(buffer) - place > MAX_ROW:
                raise MarkupError(
                    f"the XML of the sheet has a row, or something else, that cannot be read after row {number:,}"
                )
            buffer, place = buffer[place:] + chunk, 0
            _check(buffer)

    def cells(self, row: Row) -> Iterator[Cell]:
        """Yield the cells of a row."""
        column, end = 0, row.inner
        while found := self._cell.search(row.raw, end, row.inner_end):
            end = found.end()
            column = _column_of(found[1]) or column + 1
            yield self._as_cell(found, column)

    def last_cell(self, row: Row) -> Cell | None:
        """Return the last cell of a row, which is faster than to read them all."""
        start = row.raw.rfind(self._cell_start, row.inner, row.inner_end)
        found = self._cell.match(row.raw, start, row.inner_end) if start >= 0 else None
        column = _column_of(found[1]) if found else 0
        if found and column and row.raw.find(self._cell_start[:-1], found.end(), row.inner_end) < 0:
            return self._as_cell(found, column)
        return max(self.cells(row), default=None)

    def with_cells(self, row: Row, new: bytes, first: int, last: int) -> bytes:
        """Return the bytes of a row with new cells in the columns from `first` to `last`, in place of others."""
        end = self.last_cell(row)
        if end is None:
            start = stop = row.inner
        elif end.column < first:
            start = stop = end.end
        else:
            cells = list(self.cells(row))
            start = max((cell.end for cell in cells if cell.column < first), default=row.inner)
            stop = max((cell.end for cell in cells if cell.column <= last), default=start)
        tag = row.raw[row.start : row.inner]
        spans = _SPANS.search(tag)
        if spans:
            tag = with_attributes(tag, {"spans": f"{spans[1].decode()}:{last}"})
        if row.inner == row.inner_end and tag.endswith(b"/>"):
            return row.raw[: row.start] + tag[:-2].rstrip() + b">" + new + self._row_end + b">"
        return row.raw[: row.start] + tag + row.raw[row.inner : start] + new + row.raw[stop:]

    def new_row(self, number: int, cells: bytes) -> bytes:
        """Return the bytes of a row that the sheet does not have."""
        return b'<%srow r="%d">' % (self.prefix, number) + cells + self._row_end + b">"

    def _row_at(self, buffer: bytes, place: int, before: int) -> Row | None:
        found = self._row.match(buffer, place)
        if not found:
            return None
        if found[3]:
            end = inner_end = found.end()
        else:
            inner_end = buffer.find(self._row_end, found.end())
            end = buffer.find(b">", inner_end) + 1
            if inner_end < 0 or not end:
                return None
        given = _NUMBER.search(found[2])
        number = int(given[1]) if given else before + 1
        return Row(number, buffer[place:end], found.start(1) - place, found.end() - place, inner_end - place)

    def _as_cell(self, found: re.Match[bytes], column: int) -> Cell:
        style = _STYLE.search(found[1])
        has_value = found[2] is not None and self._value.search(found[2]) is not None
        return Cell(column, found.start(), found.end(), int(style[1]) if style else 0, has_value)

    def _all(self, tail: bytes) -> bytes:
        parts, size = [tail], len(tail)
        for chunk in self._chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > MAX_FRAME:
                raise MarkupError(f"the sheet holds more than {MAX_FRAME >> 20} MiB after its rows")
        tail = b"".join(parts)
        _check(tail)
        return tail


def _check(content: bytes) -> None:
    """Refuse what may hold tags that are none."""
    if b"<!" in content:
        raise MarkupError("the XML of the sheet has comments, CDATA sections or declarations")


def _column_of(attributes: bytes) -> int:
    found = _REFERENCE.search(attributes)
    return 1 + place_of(found[1].decode()) if found else 0
