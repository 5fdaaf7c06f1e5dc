"""Excel workbooks: one sheet, values as Excel last showed them."""

from __future__ import annotations

import datetime
import zipfile
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from outsort.errors import DataError, OutputError, first_line
from outsort.files import for_workbook
from outsort.tables.base import BATCH_ROWS, Batch, Cell, as_cell, plain_rows, rows_of
from outsort.tables.packing import GROWTH_ASKED, MAX_GROWTH, bomb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outsort.tables.base import Added

#: Rows that an Excel sheet can hold, and characters that a cell can.
_EXCEL_ROWS, EXCEL_CELL = 1_048_576, 32_767

MACROS = "is a workbook with macros. Save it as .xlsx."


class ExcelReader:
    """One sheet of a workbook: values as Excel last showed them, formulas as their results."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes], sheet: str | None) -> None:
        """Read the header."""
        import openpyxl

        _check_workbook(source, stream)
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            names = book.sheetnames
            if sheet is not None and sheet not in names:
                raise DataError(f"{source}: no sheet {sheet!r}; it has {', '.join(map(repr, names))}.")
            page = book[sheet or names[0]]
            # Rows are as long as what they hold: a sheet may claim to be larger than memory.
            page.reset_dimensions()
            self._rows = page.iter_rows()
            header = next(self._rows, ())
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001 - a damaged workbook raises whatever it happens to hit
            raise DataError(f"{source}: is damaged, or no workbook ({first_line(error)}).") from None
        self.source = source
        self.columns = ["" if cell.value is None else str(cell.value) for cell in header]
        while self.columns and not self.columns[-1]:
            self.columns.pop()
        if not self.columns:
            raise DataError(f"{source}: the sheet is empty. It needs a header and rows.")

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows; blank ones behind the last are left out."""
        rows: list[list[Cell]] = []
        n_cells = len(self.columns)
        blank, n_blank = [Cell(None, "General")] * n_cells, 0
        try:
            for raw in self._rows:
                cells = [Cell(c.value, getattr(c, "number_format", "General")) for c in raw]
                cells = (cells + blank)[: max(n_cells, _filled(cells))]
                if all(cell.value is None for cell in cells):
                    n_blank += 1
                    continue
                while n_blank:
                    n = min(n_blank, BATCH_ROWS - len(rows))
                    rows += [blank] * n
                    n_blank -= n
                    if len(rows) == BATCH_ROWS:
                        yield self._batch(rows)
                        rows = []
                rows.append(cells)
                if len(rows) == BATCH_ROWS:
                    yield self._batch(rows)
                    rows = []
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise DataError(f"{self.source}: is damaged ({first_line(error)}).") from None
        if rows:
            yield self._batch(rows)

    def close(self) -> None:
        """Nothing is held."""

    def _batch(self, rows: list[list[Cell]]) -> Batch:
        # Cells right of the header are data without a name: they come along, and the row says so.
        n = len(self.columns)
        why = "has cells beyond the header"
        return Batch(rows, {i: why for i, cells in enumerate(rows) if len(cells) > n})


def _filled(cells: Sequence[Cell]) -> int:
    return max((i + 1 for i, cell in enumerate(cells) if cell.value is not None), default=0)


def _check_workbook(source: str, stream: IO[bytes]) -> None:
    """Refuse what is no workbook, is locked, holds macros, or would unpack beyond reason."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            f"{source}: is protected by a password, or of the old format. Save it as plain .xlsx."
        )
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"{source}: is damaged, or no workbook ({first_line(error)}).") from None
    finally:
        stream.seek(0)
    if any(member.filename.lower().endswith("vbaproject.bin") for member in members):
        raise DataError(f"{source}: {MACROS}")
    size, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    if size > max(GROWTH_ASKED, MAX_GROWTH * packed):
        raise DataError(bomb(source))


class ExcelWriter:
    """A workbook as a person would make it: header frozen, filters on, decision coloured."""

    def __init__(self, stream: IO[bytes], columns: Sequence[str], added: Sequence[str]) -> None:
        """Write the header."""
        import xlsxwriter

        self._columns = columns
        self._names = [*columns, *added]
        # Row by row to disk; what begins with = + - @ is text, and so are addresses.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(
            stream, {**options, "remove_timezone": True, "nan_inf_to_errors": True}
        )
        self._sheet = self._book.add_worksheet("outsort")
        self._formats: dict[str, Any] = {}
        self._decisions = {
            "accept": self._book.add_format({"bg_color": "#DDF2E0", "font_color": "#14532D"}),
            "review": self._book.add_format({"bg_color": "#FDE9D2", "font_color": "#7C2D12"}),
        }
        self._share = self._book.add_format({"num_format": "0.00"})
        self._header = self._book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        self._n_rows = 0
        self._ready = False

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        rows = plain_rows(batch, self._columns)
        if not self._ready:
            self._lay_out(list(islice(iter(rows), 200)), added)
        first = batch.rows[0] if isinstance(batch.rows, list) else ()
        formatted = batch.rows if isinstance(first, list) and first and isinstance(first[0], Cell) else None
        for i, (row, new) in enumerate(zip(rows, rows_of(added), strict=True)):
            self._n_rows += 1
            if self._n_rows >= _EXCEL_ROWS:
                raise OutputError(
                    f"a sheet holds {_EXCEL_ROWS:,} rows at most. Write CSV or Parquet instead."
                )
            for j, value in enumerate(row):
                number_format = formatted[i][j].number_format if formatted else "General"
                self._write_cell(j, value, self._format(value, number_format))
            for j, value in enumerate(new, len(self._columns)):
                # A row with more cells than the header pushes nothing over: its surplus stands behind.
                cell_format = self._decisions.get(value) if isinstance(value, str) else self._share
                self._write_cell(max(j, len(row) + j - len(self._columns)), value, cell_format)

    def close(self) -> None:
        """Write the workbook."""
        if not self._ready:
            self._lay_out([], {})
        self._sheet.autofilter(0, 0, max(1, self._n_rows), len(self._names) - 1)
        self._book.close()

    def _lay_out(self, rows: Sequence[Sequence[Any]], added: Added) -> None:
        self._ready = True
        samples = [[str(row[j]) for row in rows if j < len(row)] for j in range(len(self._columns))]
        samples += [[str(v) for v in values.tolist()[:200]] for values in added.values()]
        samples += [[]] * (len(self._names) - len(samples))
        for j, (name, sample) in enumerate(zip(self._names, samples, strict=True)):
            longest = sorted(map(len, sample))[int(0.9 * len(sample))] if sample else 0
            self._sheet.set_column(j, j, min(60, max(len(name) + 4, longest + 2, 8)))
        self._sheet.freeze_panes(1, 0)
        self._sheet.write_row(0, 0, self._names, self._header)

    def _format(self, value: object, number_format: str) -> Any:  # noqa: ANN401
        if number_format == "General" and isinstance(value, (datetime.date, datetime.time)):
            number_format = "hh:mm:ss" if isinstance(value, datetime.time) else "yyyy-mm-dd"
            if isinstance(value, datetime.datetime):
                number_format = "yyyy-mm-dd hh:mm:ss"
        if number_format in ("General", "@"):
            return None
        if number_format not in self._formats:
            self._formats[number_format] = self._book.add_format({"num_format": number_format})
        return self._formats[number_format]

    def _write_cell(self, column: int, value: Any, cell_format: Any) -> None:  # noqa: ANN401
        if value is None or value == "":
            return
        if isinstance(value, str):
            if len(value) > EXCEL_CELL:
                raise OutputError(
                    f"row {self._n_rows + 1}: a cell of {len(value):,} characters, where Excel holds "
                    f"{EXCEL_CELL:,}. Write CSV or Parquet instead."
                )
            self._sheet.write_string(self._n_rows, column, for_workbook(value), cell_format)
        elif isinstance(value, (dict, list, tuple)):
            self._sheet.write_string(self._n_rows, column, str(as_cell(value)), cell_format)
        else:
            self._sheet.write(self._n_rows, column, value, cell_format)
