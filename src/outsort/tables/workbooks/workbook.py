"""Write workbooks: text stays text, no cell is a formula, and what a cell cannot hold as it is becomes text."""

from __future__ import annotations

import datetime
import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import IO, Any, TypeAlias

from xlsxwriter import Workbook as Book
from xlsxwriter.worksheet import Worksheet

from outsort.errors import OutputError
from outsort.tables.base import plain_cell
from outsort.tables.not_work import TOTAL

#: Adds sheets to a workbook of XlsxWriter that is being written; takes the names of its other sheets, too.
SheetsAdder: TypeAlias = Callable[[Any, Sequence[str]], None]
#: Characters of a sheet's name in Excel.
MAX_TITLE = 31
#: Rows and columns that a sheet can hold, and UTF-16 units that a cell can.
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 1_048_576, 16_384, 32_767
#: The name of the sheet with the picture of the rows, and what its first line has between its amounts and its sources.
SUMMARY, SUMMARY_TITLE = "summary", " by label: "
#: The fill and the colour of cells that hold a decision.
DECISIONS = {"accept": ("DDF2E0", "14532D"), "review": ("FDE9D2", "7C2D12")}
#: Numbers of more digits are cut by Excel; it has no others between the greatest and the smallest than 0.
_DIGITS, _GREATEST, _SMALLEST = 15, 1.7976931348623157e308, 2.2250738585072014e-308
#: Excel takes 1900 for a leap year: what day an earlier number means depends on the program.
_FIRST_DAY = datetime.date(1900, 3, 1)

#: Least width of any column, and of one of reasons: most are short, and the totals that are told of come last.
_LEAST_WIDTH, _WIDTH_OF_REASONS = 8, len(TOTAL) + 2


def width_of(name: str, longest: int) -> int:
    """Return how wide a column is, in characters: room for its name with a button, and for most of its texts.

    Args:
        name: its name.
        longest: the characters of the longest text that has to fit.
    """
    least = _WIDTH_OF_REASONS if name.endswith("reason") else _LEAST_WIDTH
    return max(len(name) + 4, longest + 2, least)


def length(text: str) -> int:
    """Return the length of a text as Excel counts, for which an emoji is two characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def free_title(taken: Iterable[str], wanted: str) -> str:
    """Return a name for a sheet that no other has, whatever its capitals.

    >>> free_title(["data", "Summary"], "summary")
    'summary (2)'
    """
    others = {title.casefold() for title in taken}
    title, n = wanted[:MAX_TITLE], 1
    while title.casefold() in others:
        n += 1
        end = f" ({n})"
        title = wanted[: MAX_TITLE - len(end)] + end
    return title


class _Page(Worksheet):  # type: ignore[misc]
    """A sheet that writes each number with all its digits, and no text as markup."""

    def _xml_number_element(self, number: float, attributes: Any = ()) -> None:  # noqa: ANN401
        # XlsxWriter rounds to 16 digits, where a float may need 17.
        cell = "".join(f' {key}="{value}"' for key, value in attributes)
        self.fh.write(f"<c{cell}><v>{number!r}</v></c>")

    def _xml_rich_inline_string(self, string: str, attributes: Any = ()) -> None:  # noqa: ANN401
        # XlsxWriter takes a text between <r> and </r> for markup of its own.
        self._xml_inline_string(string, True, attributes)  # noqa: FBT003


class _Abandonable:
    """A stream that takes what is written until it is abandoned.

    An archive that an error or a signal left unfinished is finished when it is deleted; the stream is closed by then.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)

    def abandon(self) -> None:
        self._stream = io.BytesIO()


class Workbook:
    """A workbook being written to a stream.

    Attributes:
        book: the workbook of XlsxWriter, for its formats.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Begin. Memory is bounded, and rows are written in their order."""
        # XlsxWriter keeps its parts in temporary files, and leaves them where they cannot be written to the end.
        self._folder = tempfile.TemporaryDirectory(prefix="outsort-")
        options = {
            "constant_memory": True,
            "tmpdir": self._folder.name,
            # What begins with = + - @ is text, and so are addresses.
            "strings_to_formulas": False,
            "strings_to_urls": False,
        }
        self._stream = _Abandonable(stream)
        self.book = Book(self._stream, options)
        self._header = self.book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})

    def add_sheet(self, name: str, columns: Sequence[str], widths: Sequence[float], *, n_frozen: int = 0) -> Sheet:
        """Add a sheet with its header row, which stays in view, as do its first columns.

        Raises:
            OutputError: there are too many columns, or a name is longer than a cell.
        """
        if len(columns) > MAX_COLUMNS:
            raise OutputError(f"{len(columns):,} columns, where a sheet holds {MAX_COLUMNS:,}. {INSTEAD}")
        sheet = self.book.add_worksheet(name, _Page)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width)
        sheet.freeze_panes(1, n_frozen)
        added = Sheet(sheet, columns)
        for place, column in enumerate(columns):
            added.write(place, column, self._header)
        return added

    def close(self) -> None:
        """Write the workbook.

        Raises:
            OSError: the stream or the disk is full, or fails otherwise.
        """
        from xlsxwriter.exceptions import FileCreateError

        try:
            self.book.close()
        except FileCreateError as error:
            # What it wraps says why.
            raise error.args[0] from None
        finally:
            self._stream.abandon()
            self._remove_parts()

    def __del__(self) -> None:
        """Remove the parts of a workbook that was given up."""
        self._remove_parts()

    def _remove_parts(self) -> None:
        for sheet in self.book.worksheets():
            # What is still to be written fails again where the disk is full.
            with suppress(OSError):
                sheet.row_data_fh.close()
        self._folder.cleanup()


class Sheet:
    """A sheet being written.

    Attributes:
        n_rows: rows so far, the header not counted.
    """

    def __init__(self, sheet: Any, columns: Sequence[str]) -> None:  # noqa: ANN401 - of XlsxWriter
        """Begin at the header."""
        self._sheet, self._columns = sheet, columns
        self.n_rows = 0
        #: How many cells were kept as text and where the first is, by what they were.
        self._as_text: dict[str, tuple[int, str]] = {}

    @property
    def changes(self) -> list[str]:
        """The cells kept as text, in words."""
        return [f"{what} ({n:,}, first in {where})" for what, (n, where) in self._as_text.items()]

    def add_row(self, height: float | None = None) -> None:
        """Go to the next row, of a height in points; by default as the program that opens it finds best.

        Raises:
            OutputError: the sheet is full.
        """
        self.n_rows += 1
        if self.n_rows >= MAX_ROWS:
            raise OutputError(f"a sheet holds {MAX_ROWS:,} rows. {INSTEAD}")
        if height is not None:
            self._sheet.set_row(self.n_rows, height)

    def write_header_formula(self, column: int, formula: str, result: str, cell_format: object) -> None:
        """Write a formula into the header, before any row, with its result as long as no cell is changed."""
        self._sheet.write_formula(0, column, formula, cell_format, result)

    def hide(self, column: int) -> None:
        """Hide a column."""
        self._sheet.set_column(column, column, None, None, {"hidden": True})

    def write(self, column: int, value: object, cell_format: object = None) -> None:
        """Write a cell of the row at hand; a blank one only where it has a format.

        What Excel would round, shift or reject becomes text, see `changes`.

        Raises:
            OutputError: the text is longer than a cell.
        """
        if value is None or value == "":
            if cell_format:
                self._sheet.write_blank(self.n_rows, column, None, cell_format)
        elif isinstance(value, (int, float, Decimal, datetime.date, datetime.time, datetime.timedelta)):
            what = _not_held(value)
            if what:
                self._note(column, f"{what}, kept as text")
                self._write_text(column, str(plain_cell(value)), None)
            else:
                number = float(value) if isinstance(value, Decimal) else value
                self._sheet.write(self.n_rows, column, number, cell_format)
        else:
            self._write_text(column, str(plain_cell(value)), cell_format)

    def _write_text(self, column: int, text: str, cell_format: object) -> None:
        if self._sheet.write_string(self.n_rows, column, text, cell_format):
            where = f"row {self.n_rows + 1}, column {column + 1}"
            raise OutputError(
                f"{where}: {length(text):,} characters, where a cell of Excel holds {MAX_CELL:,}. {INSTEAD}"
            )

    def _note(self, column: int, what: str) -> None:
        n, where = self._as_text.get(what, (0, f"row {self.n_rows + 1}, column {self._columns[column]!r}"))
        self._as_text[what] = n + 1, where

    def offer(self, column: int, source: str, *, title: str, message: str, error: str) -> None:
        """Let the cells of a column be chosen from the cells that a formula for its first row names.

        Args:
            column: its place.
            source: the formula.
            title: above the message, up to 32 characters.
            message: shown beside a chosen cell, up to 255 characters.
            error: shown where something else was entered, up to 255 characters.
        """
        rule = {"validate": "list", "source": source, "input_title": title, "input_message": message}
        last = max(1, self.n_rows)
        self._sheet.data_validation(1, column, last, column, {**rule, "error_title": title, "error_message": error})

    def add_filters(self) -> None:
        """Put filters on the header, once all rows are written."""
        self._sheet.autofilter(0, 0, max(1, self.n_rows), len(self._columns) - 1)


INSTEAD = "Write CSV or Parquet instead."


def _not_held(value: object) -> str:
    """Return what a value is that Excel holds only as text; "" if it holds it as it is.

    >>> _not_held(1234567890123456)
    'numbers of more than 15 digits'
    >>> _not_held(0.1)
    ''
    """
    if isinstance(value, Decimal) and value.is_finite():
        n_digits = len(value.normalize().as_tuple().digits)
        return "numbers of more than 15 digits" if n_digits > _DIGITS else _not_held(float(value))
    if isinstance(value, int):
        return "numbers of more than 15 digits" if abs(value) >= 10**_DIGITS else ""
    if isinstance(value, (float, Decimal)):
        is_held = value == 0 or _SMALLEST <= abs(float(value)) <= _GREATEST
        return "" if is_held else "NaN, infinite or extreme numbers"
    if isinstance(value, datetime.timedelta):
        is_fine = value.microseconds % 1000 or getattr(value, "nanoseconds", 0)
        return "negative durations" if value.days < 0 else _TOO_FINE if is_fine else ""
    if isinstance(value, datetime.date):
        day = value.date() if isinstance(value, datetime.datetime) else value
        if day < _FIRST_DAY:
            return "dates before 1900-03-01"
    if getattr(value, "tzinfo", None) is not None:
        return "times with a time zone"
    return _TOO_FINE if getattr(value, "microsecond", 0) % 1000 or getattr(value, "nanosecond", 0) else ""


_TOO_FINE = "times finer than a millisecond"


def number_format_of(value: object, given: str) -> str | None:
    """Return the number format that shows a value as it was, or None for the general one."""
    if given == "General" and isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        if isinstance(value, datetime.time):
            return "hh:mm:ss"
        if isinstance(value, datetime.timedelta):
            return "[h]:mm:ss"
        return "yyyy-mm-dd hh:mm:ss" if isinstance(value, datetime.datetime) else "yyyy-mm-dd"
    return None if given in ("General", "@") else given
