"""Workbooks of other formats: .xls, .xlsb and .ods, read in a child process and not written."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import IO, Any

from outsort.tables.bounded import answers, on_disk
from outsort.tables.workbooks.books import OTHER_SHEETS, Book, check_package
from outsort.tables.workbooks.contents import SheetPart
from outsort.tables.workbooks.excel import ExcelReader
from outsort.tables.workbooks.sheet_rows import Block, Merged, merged_blocks, plain


class ForeignReader(ExcelReader):
    """A workbook of another format; see `base.Reader`."""

    def _open(self, source: str, stream: IO[bytes]) -> Book:
        head = stream.read(4)
        stream.seek(0)
        if head == b"PK\x03\x04":
            check_package(source, stream)
        return ForeignBook(source, stream)

    def _origin(self, stream: IO[bytes]) -> None:
        """None: it is not written."""


class ForeignBook:
    """What a workbook holds, as a child process tells; see `books.Book`."""

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        """Ask for its sheets.

        Raises:
            DataError: it is damaged or locked, or needs too much memory.
        """
        self._source = source
        self._stream = on_disk(stream)
        self._is_copy = self._stream is not stream
        (found,) = self._ask("list")
        self._sheets = [SheetPart(name, "", is_visible, is_worksheet) for name, is_visible, is_worksheet in found]

    @property
    def sheets(self) -> Sequence[SheetPart]:
        """See `books.Book`."""
        return self._sheets

    def rows(self, sheet: SheetPart, n_rows: int, n_bytes: int) -> Iterator[Block]:  # noqa: ARG002 - the child's is bounded
        """See `books.Book`."""
        found = self._ask("rows", sheet.name, str(min(n_rows, 1024)))
        ranges = [Merged(first[1], first[0] + 1, last[0] + 1) for first, last in next(found) if first[0] < last[0]]
        return merged_blocks(map(_block, found), sorted(ranges, key=lambda merged: merged.first))

    def lost(self) -> list[str]:
        """See `books.Book`."""
        return ["formats and formulas", *([OTHER_SHEETS] if len(self._sheets) > 1 else [])]

    def close(self) -> None:
        """Let go of the copy."""
        if self._is_copy:
            self._stream.close()

    def _ask(self, task: str, sheet: str = "", n_rows: str = "1") -> Iterator[Any]:
        """Yield what the child process answers."""
        about = (self._source, self._stream, "workbooks.foreign_child", task, sheet, n_rows)
        yield from answers(*about, what="a workbook", instead="Save it as .xlsx or .csv.")


def _block(rows: Sequence[Sequence[Any]]) -> Block:
    cells = [[_value(cell) for cell in row] for row in rows]
    size = sum(len(cell) for row in cells for cell in row if type(cell) is str)
    return Block(cells, [()] * len(cells), {}, size)


def _value(cell: Any) -> Any:  # noqa: ANN401
    """Return the value of a cell from what the child writes."""
    if not isinstance(cell, dict):
        return plain(cell)
    ((kind, content),) = cell.items()
    if kind == "timedelta":
        return datetime.timedelta(seconds=content)
    if kind == "time":
        return datetime.time.fromisoformat(content)
    # A day comes with its midnight, as in every workbook.
    return datetime.datetime.fromisoformat(content)
