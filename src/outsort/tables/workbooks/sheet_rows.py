"""The rows of one sheet of a workbook: at once where that fits into memory, cell by cell where it does not.

python-calamine is many times as fast as openpyxl, but holds the whole sheet up to its last cell, and stops the
process where memory ends. So the XML is surveyed first (`survey`); what is too large, or not written as the usual
programs write it, is streamed by openpyxl.
"""

from __future__ import annotations

import datetime
import gc
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise, repeat
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort.errors import DataError
from outsort.tables.workbooks.calamine import whole_rows
from outsort.tables.workbooks.contents import Contents, SheetPart
from outsort.tables.workbooks.workbook import MAX_COLUMNS, MAX_ROWS

if TYPE_CHECKING:
    from outsort.tables.workbooks.survey import Survey

#: Bytes that a sheet may take in memory to be read at once.
MAX_AT_ONCE = 1 << 29
#: Bytes of a cell in memory, apart from its text.
_CELL_BYTES = 64
#: What a row without formats of its own has.
GENERAL = "General"


class Block(NamedTuple):
    """Some rows of a sheet, one after another.

    Attributes:
        cells: the values of each row; None for a blank cell.
        formats: the number format of each cell; () for a row where all are general; rows may share a list.
        uncomputed: the columns of formulas without a result, by the place of their row.
        n_bytes: what the texts take.
    """

    cells: list[list[Any]]
    formats: Sequence[Sequence[str]]
    uncomputed: Mapping[int, Sequence[int]]
    n_bytes: int = 0

    def part(self, start: int, stop: int) -> Block:
        """Return some of its rows."""
        uncomputed = {place - start: found for place, found in self.uncomputed.items() if start <= place < stop}
        share = self.n_bytes * (stop - start) // max(1, len(self.cells))
        return Block(self.cells[start:stop], self.formats[start:stop], uncomputed, share)

    def end(self) -> int:
        """Return how many rows there are up to the last that holds anything."""
        n = len(self.cells)
        while n and n - 1 not in self.uncomputed and self.cells[n - 1].count(None) == len(self.cells[n - 1]):
            n -= 1
        return n


class SheetBlocks(NamedTuple):
    """The rows of a sheet, and whether it has formulas; None where that is not known."""

    blocks: Iterator[Block]
    has_formulas: bool | None


def rows_of_sheet(
    source: str, stream: IO[bytes], contents: Contents, sheet: SheetPart, n_rows: int, n_bytes: int
) -> SheetBlocks:
    """Return the rows of a worksheet from the first to the last with a cell.

    Each cell of one that is merged downwards has its value.

    Args:
        source: the workbook in messages.
        stream: its bytes.
        contents: what it holds.
        sheet: the worksheet.
        n_rows: rows of a block, at most.
        n_bytes: what a block may take in memory, roughly; one row may take more.

    Raises:
        Exception: the workbook is damaged.
    """
    from outsort.tables.workbooks.survey import UnusualError

    has_formulas = None
    try:
        blocks, found = _at_once(stream, contents, sheet, n_rows, n_bytes)
        tail, has_formulas = found.tail, found.has_formulas
    except UnusualError:
        blocks, tail = _streamed(source, stream, sheet, n_rows, n_bytes), _end_of(stream, sheet.path)
    return SheetBlocks(merged_blocks(blocks, _merged_downwards(tail)), has_formulas)


def _at_once(
    stream: IO[bytes], contents: Contents, sheet: SheetPart, n_rows: int, n_bytes: int
) -> tuple[Iterator[Block], Survey]:
    from openpyxl.styles.numbers import is_date_format

    from outsort.tables.workbooks.survey import UnusualError, string_lengths, survey

    is_date = np.array([bool(is_date_format(style)) for style in contents.styles])
    with zipfile.ZipFile(stream) as archive:
        lengths = np.empty(0, np.int64)
        if contents.strings:
            with archive.open(contents.strings) as strings:
                lengths = string_lengths(strings)
        with archive.open(sheet.path) as xml:
            found = survey(xml, lengths, is_date)
    if found.n_bytes > MAX_AT_ONCE:
        raise UnusualError("too large")
    page = _page(stream, sheet.name)
    n_there = int(found.rows[-1]) if len(found.rows) else 0
    if page.end is not None and page.end[0] >= n_there:
        raise UnusualError("rows that the survey did not see")
    together = max(1, min(n_rows, n_bytes * n_there // max(1, 2 * found.n_bytes)))
    return _Cells(found, contents, is_date).blocks(whole_rows(page), together, n_bytes), found


def _page(stream: IO[bytes], name: str) -> Any:  # noqa: ANN401 - a sheet of calamine
    from python_calamine import CalamineError, CalamineWorkbook

    from outsort.tables.workbooks.survey import UnusualError

    stream.seek(0)
    try:
        return CalamineWorkbook.from_filelike(stream).get_sheet_by_name(name)
    except CalamineError as error:
        raise UnusualError(str(error)) from None
    except BaseException as error:
        # A mistake in the library's own code comes as what no one catches.
        if type(error).__name__ == "PanicException":
            raise UnusualError(str(error)) from None
        raise
    finally:
        stream.seek(0)


class _Cells:
    """Cells as openpyxl gives them, from what calamine reads and the survey tells."""

    def __init__(self, survey: Survey, contents: Contents, is_date: NDArray[np.bool_]) -> None:
        from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

        self._survey, self._is_date = survey, is_date
        self._styles = np.array(contents.styles, object)
        self._is_plain = np.array([style == GENERAL for style in contents.styles])
        self._epoch = CALENDAR_MAC_1904 if contents.counts_from_1904 else CALENDAR_WINDOWS_1900

    def blocks(self, rows: Iterator[list[Any]], n_rows: int, n_bytes: int) -> Iterator[Block]:
        """Yield the rows in blocks."""
        first = 1
        while True:
            with _collector_paused():
                together = list(islice(rows, n_rows))
                if not together:
                    return
                block = self._block(together, first)
            first += len(together)
            # Long texts come together.
            n_parts = min(len(together), 1 + block.n_bytes // n_bytes)
            bounds = np.linspace(0, len(together), n_parts + 1).astype(int).tolist()
            yield from (block.part(start, stop) for start, stop in pairwise(bounds)) if n_parts > 1 else (block,)

    def _block(self, rows: list[list[Any]], first: int) -> Block:
        from outsort.tables.workbooks.survey import CARE, FILLED, UNCOMPUTED

        survey = self._survey
        start, stop = np.searchsorted(survey.rows, [first, first + len(rows)])
        flags, columns, places = survey.flags[start:stop], survey.columns[start:stop], survey.rows[start:stop] - first
        width = max(len(rows[0]), int(columns.max(initial=-1)) + 1)
        styles = np.zeros((len(rows), width), np.int32)
        styles[places, columns] = survey.styles[start:stop]
        is_date = np.zeros(styles.shape, np.bool_)
        is_date[places, columns] = self._is_date[survey.styles[start:stop]] & (flags & FILLED > 0)
        n_bytes = 0
        for column, cells in enumerate(list(zip(*rows, strict=True))):
            kinds = set(map(type, cells))
            if kinds == {str}:
                n_bytes += sum(map(len, cells))
                if "" not in cells:
                    continue
            elif str in kinds:
                n_bytes += sum(len(cell) for cell in cells if type(cell) is str)
            changed = self._column(cells, styles[:, column], is_date[:, column])
            for row, cell in zip(rows, changed, strict=True):
                row[column] = cell
        if width > len(rows[0]):
            rows = [row + [None] * (width - len(row)) for row in rows]
        for i in np.flatnonzero(flags & CARE).tolist():
            place, column = int(places[i]), int(columns[i])
            text, kind = survey.care[first + place, column]
            rows[place][column] = text if kind == "e" else self._number(text, int(styles[place, column]))
        uncomputed: dict[int, list[int]] = {}
        for i in np.flatnonzero(flags & UNCOMPUTED).tolist():
            uncomputed.setdefault(int(places[i]), []).append(int(columns[i]))
        return Block(rows, self._formats(styles), uncomputed, n_bytes)

    def _formats(self, styles: NDArray[np.int32]) -> list[Sequence[str]]:
        """Return the number formats of rows; rows like the one before share its list."""
        if self._is_plain[styles].all():
            return [()] * len(styles)
        differs = np.flatnonzero((styles[1:] != styles[:-1]).any(axis=1)) + 1
        bounds = [0, *differs.tolist(), len(styles)]
        formats: list[Sequence[str]] = []
        for start, stop in pairwise(bounds):
            formats += [self._styles[styles[start]].tolist()] * (stop - start)
        return formats

    def _column(self, cells: Sequence[Any], styles: NDArray[np.int32], is_date: NDArray[np.bool_]) -> Iterable[Any]:
        """Return the cells of a column: blank ones as None, whole numbers as int, days with a time of day."""
        if not is_date.any():
            return map(plain, cells)
        if set(map(type, cells)) == {datetime.date} and is_date.all():
            return map(datetime.datetime.combine, cells, repeat(_MIDNIGHT))
        return [
            self._as_date(cell, style) if day else plain(cell)
            for cell, style, day in zip(cells, styles.tolist(), is_date.tolist(), strict=True)
        ]

    def _as_date(self, value: object, style: int) -> object:
        if type(value) is datetime.date:
            return datetime.datetime.combine(value, _MIDNIGHT)
        if type(value) is float:
            return self._from_excel(value, style)
        return None if value == "" else value

    def _number(self, text: str, style: int) -> object:
        number = float(text) if set(".eE") & set(text) else int(text)
        return self._from_excel(number, style) if self._is_date[style] else number

    def _from_excel(self, number: float, style: int) -> object:
        from openpyxl.styles.numbers import is_timedelta_format
        from openpyxl.utils.datetime import from_excel

        try:
            moment: object = from_excel(number, self._epoch, timedelta=is_timedelta_format(self._styles[style]))
        except (OverflowError, ValueError):
            # A day beyond all calendars stays the number it is.
            return plain(number)
        return moment


_MIDNIGHT = datetime.time()


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python from looking for garbage among rows that are being made: it took a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def plain(cell: Any) -> Any:  # noqa: ANN401
    """Return a cell as openpyxl gives it: None for a blank one, whole numbers as int.

    >>> plain(5.0), plain(""), plain(1e17)
    (5, None, 1e+17)
    """
    if type(cell) is float:
        return int(cell) if cell.is_integer() and -1e15 < cell < 1e15 else cell
    return None if cell == "" else cell


def _streamed(source: str, stream: IO[bytes], sheet: SheetPart, n_rows: int, n_bytes: int) -> Iterator[Block]:
    """Yield the rows of a sheet read cell by cell."""
    cells: list[list[Any]] = []
    formats: list[Sequence[str]] = []
    uncomputed: dict[int, Sequence[int]] = {}
    size = 0
    for values, shown, missing in _rows_of_openpyxl(source, stream, sheet):
        if missing:
            uncomputed[len(cells)] = missing
        cells.append(values)
        formats.append(shown)
        size += _CELL_BYTES * len(values) + sum(len(cell) for cell in values if type(cell) is str)
        if len(cells) == n_rows or size >= n_bytes:
            yield Block(cells, formats, uncomputed, size)
            cells, formats, uncomputed, size = [], [], {}, 0
    if cells:
        yield Block(cells, formats, uncomputed, size)


def _rows_of_openpyxl(
    source: str, stream: IO[bytes], sheet: SheetPart
) -> Iterator[tuple[list[Any], Sequence[str], list[int]]]:
    """Yield the cells of each row, their number formats, and the columns of formulas without a result."""
    formulas = _opened(stream, sheet, only_values=False) if _lacks_results(stream, sheet.path) else None
    for row in _bounded(source, _opened(stream, sheet, only_values=True)):
        shown = [getattr(cell, "number_format", None) or GENERAL for cell in row]
        uncomputed: list[int] = []
        if formulas is not None:
            uncomputed = [
                place
                for place, (cell, formula) in enumerate(zip(row, next(formulas), strict=True))
                if cell.value is None and getattr(formula, "data_type", "") == "f"
            ]
        yield (
            [_unescaped(cell.value) for cell in row],
            () if all(found == GENERAL for found in shown) else shown,
            uncomputed,
        )


def _opened(stream: IO[bytes], sheet: SheetPart, *, only_values: bool) -> Iterator[Sequence[Any]]:
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    stream.seek(0)
    # By parts: opening all of a workbook stumbles over charts that nobody asked for.
    reader = ExcelReader(stream, read_only=True, data_only=only_values)
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    page = ReadOnlyWorksheet(reader.wb, sheet.name, sheet.path, reader.shared_strings)
    # Rows are as long as what they hold: a sheet may claim to be larger than memory.
    page.reset_dimensions()
    rows: Iterator[Sequence[Any]] = page.iter_rows()
    return rows


def _bounded(source: str, rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield rows as far as Excel has any: a few bytes can claim a row or a column far beyond."""
    for n, cells in enumerate(rows, 1):
        if n > MAX_ROWS or len(cells) > MAX_COLUMNS:
            raise DataError(
                f"{source}: has cells beyond row {MAX_ROWS:,} or column {MAX_COLUMNS:,} (XFD), where a sheet of "
                f"Excel ends. Save it with Excel or LibreOffice."
            )
        yield cells


def _unescaped(value: Any) -> Any:  # noqa: ANN401
    """Return a value with the characters that a workbook escapes: ``_x000D_`` is a carriage return."""
    return _ESCAPES.sub(_characters, value) if isinstance(value, str) and "_x" in value else value


def _characters(escapes: re.Match[str]) -> str:
    try:
        return bytes.fromhex(re.sub("_x?", "", escapes[0])).decode("utf-16-be")
    except UnicodeDecodeError:
        # Half a character is no text: it stays as it is.
        return escapes[0]


#: Escaped UTF-16 units in a row, so that the two of one character come together.
_ESCAPES = re.compile("(?:_x[0-9A-Fa-f]{4}_)+")


def _lacks_results(stream: IO[bytes], path: str) -> bool:
    """Return whether a sheet has a formula that no program has computed yet."""
    return _has(stream, path, _UNCOMPUTED)


def _has(stream: IO[bytes], path: str, pattern: re.Pattern[bytes]) -> bool:
    stream.seek(0)
    end = b""
    with zipfile.ZipFile(stream) as archive, archive.open(path) as content:
        while chunk := content.read(1 << 20):
            if pattern.search(end + chunk):
                return True
            end = chunk[-_LONGEST_FORMULA:]
    return False


#: A result that is an empty text is one.
_UNCOMPUTED = re.compile(
    rb"""<(?:\w+:)?c (?![^>]*t="str")[^>]*>\s*<(?:\w+:)?f[^>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*"""
    rb"""(?:<(?:\w+:)?v ?/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</"""
)
#: Bytes of a cell: a formula has 8,192 characters at most.
_LONGEST_FORMULA = 1 << 16


def _end_of(stream: IO[bytes], path: str) -> bytes:
    """Return the XML after the cells of a sheet; b"" where it is longer than any should be."""
    stream.seek(0)
    last = b""
    with zipfile.ZipFile(stream) as archive, archive.open(path) as content:
        while chunk := content.read(1 << 20):
            last = (last + chunk)[-(1 << 22) :]
    return last.partition(b"sheetData>")[2]


class Merged(NamedTuple):
    """A range of merged cells: its column from 0, its first and last row from 1."""

    column: int
    first: int
    last: int


def _merged_downwards(tail: bytes) -> list[Merged]:
    """Return the ranges of more than one row, by their first row."""
    found = []
    for letters, first, last in _MERGED.findall(tail):
        if int(first) < int(last):
            column = 0
            for letter in letters:
                column = column * 26 + letter - 64
            found.append(Merged(column - 1, int(first), int(last)))
    return sorted(found, key=lambda merged: merged.first)


_MERGED = re.compile(rb"""mergeCell\s[^>]*ref=["']([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})["']""")


def merged_blocks(blocks: Iterator[Block], ranges: Sequence[Merged]) -> Iterator[Block]:
    """Yield rows with the value of a cell merged downwards in each of its rows."""
    if not ranges:
        yield from blocks
        return
    coming = list(reversed(ranges))
    open_now: list[tuple[Merged, Any, str]] = []
    number = 0
    for block in blocks:
        formats: list[Sequence[str]] = list(block.formats)
        for place, cells in enumerate(block.cells):
            number += 1
            open_now = [one for one in open_now if one[0].last >= number]
            for merged, value, style in open_now:
                column = merged.column
                cells += [None] * (column + 1 - len(cells))
                if cells[column] is None:
                    cells[column] = value
                    if formats[place] or style != GENERAL:
                        shown = [*formats[place], *[GENERAL] * (len(cells) - len(formats[place]))]
                        formats[place] = [*shown[:column], style, *shown[column + 1 :]]
            while coming and coming[-1].first <= number:
                merged = coming.pop()
                column = merged.column
                if merged.first == number and column < len(cells) and cells[column] is not None:
                    given = formats[place]
                    open_now.append((merged, cells[column], given[column] if column < len(given) else GENERAL))
        yield block._replace(formats=formats)
