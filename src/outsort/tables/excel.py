"""Excel workbooks: one sheet, values as Excel last showed them, formulas as their results."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from outsort.errors import COPY_AGAIN, DataError, raised_as
from outsort.tables.base import BATCH_BYTES, BATCH_ROWS, SURPLUS, Dialect, Origin, Rows, beyond_header, rows_of, warn
from outsort.tables.copying import WorkbookCopy
from outsort.tables.packing import check_growth
from outsort.tables.workbook import DECISIONS, MAX_ROWS, Workbook, number_format_of

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch, ReadOptions, Writer

#: The last column of a sheet of Excel, and the tags in a workbook's styles: it has 65,490 formats at most.
MAX_COLUMNS, MAX_STYLE_TAGS = 16_384, 4 * 65_490
#: Bytes of a cell in memory, apart from its text.
_CELL_BYTES = 64


@dataclass(frozen=True)
class SheetRows(Rows):
    """Rows of a sheet.

    Attributes:
        number_formats: the number format of each cell, in the shape of `cells`.
    """

    _per_row: ClassVar = (*Rows._per_row, "number_formats")

    number_formats: Sequence[Sequence[str]]


class ExcelReader:
    """One sheet of a workbook; see `base.Reader`."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:
        """Read the header."""
        import openpyxl

        _check_workbook(source, stream)
        with _naming_damage(source):
            _check_styles(source, stream)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            names = book.sheetnames
            if options.sheet is not None and options.sheet not in names:
                has = ", ".join(map(repr, names))
                raise DataError(f"{source}: no sheet {options.sheet!r}; it has {has}.")
            page = book[options.sheet or names[0]]
            # Rows are as long as what they hold: a sheet may claim to be larger than memory.
            page.reset_dimensions()
            self._rows = _bounded(source, page.iter_rows())
            header = next(self._rows, ())
            lost = _lost_by_rewriting(stream, len(names))
            lacks_results = "formulas" in lost and _lacks_results(stream, page._worksheet_path)
        self.source = source
        self.dialect = Dialect(sheet=page.title, lost=lost, origin=Origin(stream))
        if lacks_results:
            warn(f"{source}: has formulas without a result, which are read as blank. Save it in Excel first.")
        self.columns = ["" if cell.value is None else str(_unescaped(cell.value)) for cell in header]
        while self.columns and not self.columns[-1]:
            self.columns.pop()
        if not self.columns:
            raise DataError(f"{source}: the sheet is empty. It needs a header and rows.")
        self.head_columns = self.columns

    def __iter__(self) -> Iterator[SheetRows]:
        """Yield the rows; blank ones after the last are left out."""
        rows: list[Sequence[Any]] = []
        first, n_bytes = 2, 0
        for row in self._filled_rows():
            rows.append(row)
            n_bytes += _CELL_BYTES * max(len(row), len(self.columns))
            n_bytes += sum(len(cell.value) for cell in row if isinstance(cell.value, str))
            if len(rows) == BATCH_ROWS or n_bytes >= BATCH_BYTES:
                yield self._batch(list(range(first, first + len(rows))), rows)
                first, n_bytes, rows = first + len(rows), 0, []
        if rows:
            yield self._batch(list(range(first, first + len(rows))), rows)

    def close(self) -> None:
        """Nothing is held."""

    def _filled_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the cells of each row up to the last that holds anything."""
        n_blank = 0
        with _naming_damage(self.source):
            for cells in self._rows:
                if all(cell.value is None for cell in cells):
                    n_blank += 1
                    continue
                yield from [()] * n_blank
                n_blank = 0
                yield cells

    def _batch(self, numbers: list[int], rows: list[Sequence[Any]]) -> SheetRows:
        n = len(self.columns)
        cells, faults = [], {}
        with _naming_damage(self.source):
            # A cell looks up its style now, which need not exist.
            given = [[getattr(cell, "number_format", "General") for cell in row[:n]] for row in rows]
        formats = [found + ["General"] * (n - len(found)) for found in given]
        for place, row in enumerate(rows):
            width = max((i + 1 for i, cell in enumerate(row) if cell.value is not None), default=0)
            values = [_unescaped(cell.value) for cell in row[: max(n, width)]]
            if width > n:
                # They are data without a name: the row says what they are, however far away.
                faults[place] = f"{SURPLUS}: {beyond_header([value for value in values[n:] if value is not None])}"
            cells.append(values[:n] + [None] * max(0, n - len(row)))
        return SheetRows(self.columns, cells, numbers, faults, formats)


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


def _naming_damage(source: str) -> AbstractContextManager[None]:
    # A damaged workbook makes openpyxl and zipfile raise whatever they happen to hit.
    return raised_as(DataError, f"{source}: is damaged, or not a workbook", COPY_AGAIN, Exception)


def _bounded(source: str, rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield rows as far as Excel has any: a few bytes can claim a row or a column far beyond."""
    for n, cells in enumerate(rows, 1):
        if n > MAX_ROWS or len(cells) > MAX_COLUMNS:
            raise DataError(
                f"{source}: has cells beyond row {MAX_ROWS:,} or column {MAX_COLUMNS:,} (XFD), where a sheet of "
                f"Excel ends. Save it with Excel or LibreOffice."
            )
        yield cells


def _check_workbook(source: str, stream: IO[bytes]) -> None:
    """Refuse a file that is not a workbook, is locked, holds macros, or an unreasonable amount."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{source}: is protected by a password, or of the old format. Save it as plain .xlsx.")
    with _naming_damage(source), zipfile.ZipFile(stream) as archive:
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


def _lost_by_rewriting(stream: IO[bytes], n_sheets: int) -> str:
    """Return what a workbook holds besides the values of one sheet, "" for nothing."""
    place = stream.tell()
    with zipfile.ZipFile(stream) as archive:
        members = archive.namelist()
        found = {
            "other sheets": n_sheets > 1,
            "formulas": any(_has(archive, name, _FORMULA) for name in members if _SHEET.match(name)),
            "charts, pictures or comments": any(_DRAWN.match(name) for name in members),
        }
    stream.seek(place)
    return ", ".join(what for what, is_there in found.items() if is_there)


def _lacks_results(stream: IO[bytes], sheet: str) -> bool:
    """Return whether a sheet has a formula that no program has computed yet."""
    place = stream.tell()
    with zipfile.ZipFile(stream) as archive:
        found = _has(archive, sheet, _UNCOMPUTED)
    stream.seek(place)
    return found


def _has(archive: zipfile.ZipFile, name: str, pattern: re.Pattern[bytes]) -> bool:
    end = b""
    with archive.open(name) as content:
        while chunk := content.read(1 << 20):
            if pattern.search(end + chunk):
                return True
            end = chunk[-_LONGEST_FORMULA:]
    return False


_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml$")
_DRAWN = re.compile(r"xl/(charts|drawings|media|comments|pivotTables)")
_FORMULA = re.compile(rb"<f[ >]")
#: A result that is an empty text is one.
_UNCOMPUTED = re.compile(rb"""<c (?![^>]*t="str")[^>]*><f[^>]*(/>|>[^<]*</f>)(<v ?/>|<v></v>)?</c>""")
#: Bytes of a cell: a formula has 8,192 characters at most.
_LONGEST_FORMULA = 1 << 16

MACROS = "is a workbook with macros. Save it as .xlsx."


def open_workbook(stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect) -> Writer:
    """Write a copy of the workbook that the table came from, or a new one if it did not; see `base.Writer`."""
    if dialect.origin is None:
        return ExcelWriter(stream, columns, added, dialect)
    return WorkbookCopy(stream, columns, added, dialect, dialect.origin)


class ExcelWriter:
    """A workbook as a person would make it: header frozen, filters on, decisions coloured."""

    def __init__(self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect) -> None:
        """Wait for the first batch, which tells the widths."""
        self._columns, self._names, self._title = columns, [*columns, *added], dialect.sheet
        self._workbook = Workbook(stream)
        book = self._workbook.book
        self._formats: dict[str, object] = {}
        self._decisions = {
            name: book.add_format({"bg_color": f"#{fill}", "font_color": f"#{color}"})
            for name, (fill, color) in DECISIONS.items()
        }
        self._share = book.add_format({"num_format": "0.00"})
        self._sheet: Any = None

    @property
    def changes(self) -> Sequence[str]:
        """See `base.Writer`."""
        changes: list[str] = self._sheet.changes
        return changes

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        rows = list(batch.values(self._columns))
        if self._sheet is None:
            self._sheet = self._laid_out(rows[:200], added)
        formats = batch.number_formats if isinstance(batch, SheetRows) else None
        new = rows_of(added) if added else [()] * len(rows)
        for i, (row, more) in enumerate(zip(rows, new, strict=True)):
            self._sheet.add_row()
            for j, value in enumerate(row):
                self._sheet.write(j, value, self._format(value, formats[i][j] if formats else "General"))
            for j, value in enumerate(more, len(self._columns)):
                is_text = isinstance(value, str)
                self._sheet.write(j, value, self._decisions.get(value) if is_text else self._share)

    def close(self) -> None:
        """Write the workbook."""
        if self._sheet is None:
            self._sheet = self._laid_out([], {})
        self._sheet.add_filters()
        self._workbook.close()

    def _laid_out(self, rows: Sequence[Sequence[Any]], added: Added) -> Any:  # noqa: ANN401
        samples = [[str(row[j]) for row in rows] for j in range(len(self._columns))]
        samples += [[str(v) for v in values.tolist()[:200]] for values in added.values()]
        samples += [[]] * (len(self._names) - len(samples))
        longest = [sorted(map(len, sample))[int(0.9 * len(sample))] if sample else 0 for sample in samples]
        widths = [min(60, max(len(name) + 4, n + 2, 8)) for name, n in zip(self._names, longest, strict=True)]
        return self._workbook.add_sheet(self._title, self._names, widths)

    def _format(self, value: object, given: str) -> object:
        number_format = number_format_of(value, given)
        if number_format is None:
            return None
        if number_format not in self._formats:
            self._formats[number_format] = self._workbook.book.add_format({"num_format": number_format})
        return self._formats[number_format]
