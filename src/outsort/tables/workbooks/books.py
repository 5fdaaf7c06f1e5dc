"""Open workbooks: which sheets they have, and the rows of each."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import IO, Protocol

from outsort.errors import COPY_AGAIN, DataError, raised_as
from outsort.tables.formats import MACROS
from outsort.tables.packing import check_growth
from outsort.tables.workbooks.contents import SheetPart, contents_of
from outsort.tables.workbooks.sheet_rows import Block, rows_of_sheet

#: The tags in a workbook's styles: it has 65,490 formats at most.
MAX_STYLE_TAGS = 4 * 65_490
#: What a workbook may hold besides the values of one sheet.
OTHER_SHEETS = "other sheets"


class Book(Protocol):
    """A workbook that is being read."""

    @property
    def sheets(self) -> Sequence[SheetPart]:
        """Its sheets in order."""

    def lost(self) -> list[str]:
        """Return what it holds besides the values of one sheet, in words."""

    def rows(self, sheet: SheetPart, n_rows: int, n_bytes: int) -> Iterator[Block]:
        """Yield the rows of a sheet, from the first, in blocks of so many rows and so many bytes at most."""

    def close(self) -> None:
        """Let go of what reads it."""


class PackageBook:
    """A workbook of Excel, .xlsx."""

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        """Read what it holds.

        Raises:
            DataError: it is damaged.
        """
        self._source, self._stream = source, stream
        with naming_damage(source):
            _check_styles(source, stream)
            with zipfile.ZipFile(stream) as archive:
                self._contents = contents_of(archive)
            if not self._contents.sheets:
                raise ValueError("it has no sheets")
        #: Whether a sheet has formulas, by its path, as far as it was read.
        self._has_formulas: dict[str, bool] = {}

    @property
    def sheets(self) -> Sequence[SheetPart]:
        """See `Book`."""
        return self._contents.sheets

    def rows(self, sheet: SheetPart, n_rows: int, n_bytes: int) -> Iterator[Block]:
        """See `Book`."""
        found = rows_of_sheet(self._source, self._stream, self._contents, sheet, n_rows, n_bytes)
        if found.has_formulas is not None:
            self._has_formulas[sheet.path] = found.has_formulas
        return found.blocks

    def lost(self) -> list[str]:
        """See `Book`."""
        from outsort.tables.workbooks.survey import has_formula

        def is_formula_in(archive: zipfile.ZipFile, path: str) -> bool:
            if path not in self._has_formulas:
                with archive.open(path) as content:
                    self._has_formulas[path] = has_formula(content)
            return self._has_formulas[path]

        place = self._stream.tell()
        with naming_damage(self._source), zipfile.ZipFile(self._stream) as archive:
            members = archive.namelist()
            found = {
                OTHER_SHEETS: len(self.sheets) > 1,
                "formulas": any(is_formula_in(archive, name) for name in members if _SHEET.match(name)),
                "charts, pictures or comments": any(_DRAWN.match(name) for name in members),
            }
        self._stream.seek(place)
        return [what for what, is_there in found.items() if is_there]

    def close(self) -> None:
        """Nothing is held."""


def naming_damage(source: str) -> AbstractContextManager[None]:
    """Name the workbook in whatever a library happens to hit that reads a damaged one."""
    return raised_as(DataError, f"{source}: is damaged, or not a workbook", COPY_AGAIN, Exception)


def check_workbook(source: str, stream: IO[bytes]) -> None:
    """Refuse a file that is not a workbook, is locked, holds macros, or an unreasonable amount."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{source}: is protected by a password, or of the old format. Save it as plain .xlsx.")
    check_package(source, stream)


def check_package(source: str, stream: IO[bytes]) -> None:
    """Refuse a package that is damaged, holds macros, or an unreasonable amount."""
    with naming_damage(source), zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
    stream.seek(0)
    if any(member.filename.lower().endswith("vbaproject.bin") for member in members):
        raise DataError(f"{source}: {MACROS}")
    size, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    check_growth(source, size, packed)


def _check_styles(source: str, stream: IO[bytes]) -> None:
    """Refuse more formats than Excel has: openpyxl makes several objects of each."""
    name = "xl/styles.xml"
    with zipfile.ZipFile(stream) as archive:
        if name not in archive.namelist():
            return
        with archive.open(name) as content:
            n_tags = sum(chunk.count(b"<") for chunk in iter(partial(content.read, 1 << 20), b""))
    stream.seek(0)
    if n_tags > MAX_STYLE_TAGS:
        raise DataError(f"{source}: has more cell formats than Excel allows. Save it as CSV, or without formats.")


_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml$")
_DRAWN = re.compile(r"xl/(charts|drawings|media|comments|pivotTables)")
