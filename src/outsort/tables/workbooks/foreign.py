"""Workbooks of other formats: .xls, .xlsb and .ods, read in a child process and not written."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

from outsort.errors import COPY_AGAIN, DataError
from outsort.tables.workbooks.books import OTHER_SHEETS, Book, check_package
from outsort.tables.workbooks.contents import SheetPart
from outsort.tables.workbooks.excel import ExcelReader
from outsort.tables.workbooks.sheet_rows import Block, Merged, merged_blocks, plain

#: Bytes of memory that reading such a workbook may take.
MAX_MEMORY = 1 << 31
_CHILD = Path(__file__).with_name("foreign_child.py")


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
        self._copy = None if _is_file(stream) else _copied(stream)
        self._stream = self._copy or stream
        (found,) = self._ask("list")
        self._sheets = [SheetPart(name, "", is_visible, is_worksheet) for name, is_visible, is_worksheet in found]

    @property
    def sheets(self) -> Sequence[SheetPart]:
        """See `books.Book`."""
        return self._sheets

    def rows(self, sheet: SheetPart, n_rows: int, n_bytes: int) -> Iterator[Block]:  # noqa: ARG002 - the child's is bounded
        """See `books.Book`."""
        answers = self._ask("rows", sheet.name, str(min(n_rows, 1024)))
        ranges = [Merged(first[1], first[0] + 1, last[0] + 1) for first, last in next(answers) if first[0] < last[0]]
        return merged_blocks(map(_block, answers), sorted(ranges, key=lambda merged: merged.first))

    def lost(self) -> list[str]:
        """See `books.Book`."""
        return ["formats and formulas", *([OTHER_SHEETS] if len(self._sheets) > 1 else [])]

    def close(self) -> None:
        """Let go of the copy."""
        if self._copy:
            self._copy.close()

    def _ask(self, task: str, sheet: str = "", n_rows: str = "1") -> Iterator[Any]:
        """Yield what the child process answers."""
        self._stream.seek(0)
        command = [sys.executable, "-P", str(_CHILD), task, sheet, n_rows, str(MAX_MEMORY)]
        with subprocess.Popen(  # noqa: S603 - our own file
            command, stdin=self._stream.fileno(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            try:
                if child.stdout is None:
                    raise OSError("no pipe")
                last: Any = None
                for line in child.stdout:
                    last = json.loads(line)
                    if isinstance(last, dict):
                        break
                    yield last
                code = child.wait()
            finally:
                child.kill()
        if code:
            raise DataError(f"{self._source}: {_failure(last)}")


def _failure(last: object) -> str:
    error = last.get("error") if isinstance(last, dict) else None
    if error == "password":
        return "is protected by a password. Save it without one."
    if error is None:
        return f"needs more than {MAX_MEMORY >> 30} GB of memory, or is damaged. Save it as .xlsx or .csv."
    return f"is damaged, or not a workbook ({error.rstrip('.')}). {COPY_AGAIN}"


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


def _is_file(stream: IO[bytes]) -> bool:
    try:
        stream.fileno()
    except OSError:
        return False
    return True


def _copied(stream: IO[bytes]) -> IO[bytes]:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the book
    copyfileobj(stream, copy)
    copy.flush()
    return copy
