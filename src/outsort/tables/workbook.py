"""Write workbooks: text stays text, and no cell is a formula."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import IO, Any

from outsort.errors import OutputError
from outsort.files import for_workbook
from outsort.tables.base import plain_cell

#: Rows that a sheet can hold, and characters that a cell can.
MAX_ROWS, MAX_CELL = 1_048_576, 32_767


class Workbook:
    """A workbook being written to a stream.

    Attributes:
        book: the workbook of XlsxWriter, for its formats.
    """

    def __init__(self, stream: IO[bytes], *, row_by_row: bool) -> None:
        """Begin; `row_by_row` keeps memory bounded, and then rows are written in their order."""
        import xlsxwriter

        options = {
            "constant_memory": row_by_row,
            "in_memory": not row_by_row,
            # What begins with = + - @ is text, and so are addresses.
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "remove_timezone": True,
            "nan_inf_to_errors": True,
        }
        self.book = xlsxwriter.Workbook(stream, options)
        self._header = self.book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})

    def add_sheet(self, name: str, columns: Sequence[str], widths: Sequence[float], *, n_frozen: int = 0) -> Sheet:
        """Add a sheet with its header row, which stays in view, as do its first columns."""
        sheet = self.book.add_worksheet(name)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width)
        sheet.freeze_panes(1, n_frozen)
        sheet.write_row(0, 0, columns, self._header)
        return Sheet(sheet, len(columns))

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


class Sheet:
    """A sheet being written.

    Attributes:
        n_rows: rows so far, the header not counted.
    """

    def __init__(self, sheet: Any, n_columns: int) -> None:  # noqa: ANN401 - of XlsxWriter
        """Begin below the header."""
        self._sheet, self._n_columns = sheet, n_columns
        self.n_rows = 0

    def add_row(self) -> None:
        """Go to the next row.

        Raises:
            OutputError: the sheet is full.
        """
        self.n_rows += 1
        if self.n_rows >= MAX_ROWS:
            raise OutputError(f"a sheet holds {MAX_ROWS:,} rows. Write CSV or Parquet instead.")

    def write(self, column: int, value: object, cell_format: object = None) -> None:
        """Write a cell of the row at hand; a blank one only where it has a format.

        Raises:
            OutputError: the text is longer than a cell.
        """
        if value is None or value == "":
            if cell_format:
                self._sheet.write_blank(self.n_rows, column, None, cell_format)
        elif isinstance(value, (str, dict, list, tuple)):
            text = str(plain_cell(value))
            if len(text) > MAX_CELL:
                raise OutputError(
                    f"row {self.n_rows + 1}: a cell of {len(text):,} characters, where Excel holds "
                    f"{MAX_CELL:,}. Write CSV or Parquet instead."
                )
            self._sheet.write_string(self.n_rows, column, for_workbook(text), cell_format)
        else:
            self._sheet.write(self.n_rows, column, value, cell_format)

    def offer(self, column: int, source: Sequence[str] | str) -> None:
        """Let the cells of a column be chosen from a list, or from the cells that a reference names."""
        last = max(1, self.n_rows)
        self._sheet.data_validation(1, column, last, column, {"validate": "list", "source": source})

    def add_filters(self) -> None:
        """Put filters on the header, once all rows are written."""
        self._sheet.autofilter(0, 0, max(1, self.n_rows), self._n_columns - 1)


def number_format_of(value: object, given: str) -> str | None:
    """Return the number format that shows a value as it was, or None for the general one."""
    if given == "General" and isinstance(value, (datetime.date, datetime.time)):
        if isinstance(value, datetime.time):
            return "hh:mm:ss"
        return "yyyy-mm-dd hh:mm:ss" if isinstance(value, datetime.datetime) else "yyyy-mm-dd"
    return None if given in ("General", "@") else given
