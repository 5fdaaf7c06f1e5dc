"""Workbooks: the tables of their sheets, values as Excel last showed them, formulas as their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from outsort.tables.base import BATCH_ROWS, SURPLUS, UNCOMPUTED, Dialect, Origin, Rows, beyond_header, rows_of
from outsort.tables.letters import letters_of
from outsort.tables.marks import Marks, marked
from outsort.tables.workbooks.books import OTHER_SHEETS, Book, PackageBook, check_workbook, naming_damage
from outsort.tables.workbooks.copying import WorkbookCopy
from outsort.tables.workbooks.sheet_rows import GENERAL, Block
from outsort.tables.workbooks.sheets import SheetTable, choose_sheets, free_name, merged_columns, places_of
from outsort.tables.workbooks.workbook import DECISIONS, Workbook, number_format_of, width_of

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch, ReadOptions, Writer
    from outsort.tables.workbooks.workbook import SheetsAdder


@dataclass(frozen=True)
class SheetRows(Rows):
    """Rows of a sheet.

    Attributes:
        number_formats: the number format of each cell, in the shape of `cells`.
        n_uncomputed: how many formulas without a result a row has, by its place; none for those that are not there.
    """

    _per_row: ClassVar = (*Rows._per_row, "number_formats")

    number_formats: Sequence[Sequence[str]]
    n_uncomputed: Mapping[int, int]

    def cells_at(self, place: int) -> Sequence[object]:
        """Return the cells of a row, and a 0 for each formula without a result."""
        return [*self.cells[place], *[0] * self.n_uncomputed.get(place, 0)]


class ExcelReader:
    """One sheet of a workbook, or all of them; see `base.Reader`.

    Without a name it is the first sheet that a person sees and that holds a table with a text column.
    """

    encoding = "utf-8"
    nested_columns = ()

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:
        """Find the table and read its header."""
        self.source = source
        self._book = self._open(source, stream)
        chosen = choose_sheets(source, self._book, options)
        self._tables, self.location = chosen.tables, chosen.location
        self.location.is_given = options.header_row is not None
        self._is_all = chosen.is_all
        first = self._tables[0]
        self.columns = list(first.columns)
        if self._is_all:
            self.columns = merged_columns([table.columns for table in self._tables])
            self._name_column = free_name("sheet", self.columns)
            self.columns.append(self._name_column)
        self.head_columns = self.columns
        lost = ["sheets of their own" if self._is_all and what == OTHER_SHEETS else what for what in self._book.lost()]
        if self.location.header_row > 1:
            lost.append("rows above the header")
        self.dialect = Dialect(
            sheet=first.name,
            header_row=self.location.header_row,
            lost=", ".join(lost),
            # The names of new columns need a row, and new columns one sheet.
            origin=None if self._is_all or not self.location.header_row else self._origin(stream),
        )

    def _open(self, source: str, stream: IO[bytes]) -> Book:
        check_workbook(source, stream)
        return PackageBook(source, stream)

    def _origin(self, stream: IO[bytes]) -> Origin | None:
        """Return the workbook that new columns may go into, if it is of a format that is written."""
        return Origin(stream, self.location.header_row)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows; blank ones after the last are left out."""
        for table in self._tables:
            marks = Marks(table.columns, self.location, table.above)
            places = None
            if self._is_all:
                places = places_of(table.columns, self.columns)
            for batch in marked(self._batches(table), marks):
                yield self._spread(cast("SheetRows", batch), places, table.name) if places else batch

    def close(self) -> None:
        """Let go of what reads the workbook."""
        self._book.close()

    def _spread(self, batch: SheetRows, places: Sequence[int], name: str) -> SheetRows:
        """Return the rows of one sheet under the columns of all."""
        n = len(self.columns)
        cells, formats = [], []
        for row, found in zip(batch.cells, batch.number_formats, strict=True):
            wide: list[Any] = [None] * n
            shown = [GENERAL] * n
            for place, value, style in zip(places, row, found, strict=True):
                wide[place], shown[place] = value, style
            wide[-1] = name
            cells.append(wide)
            formats.append(shown)
        return SheetRows(self.columns, cells, batch.numbers, batch.faults, formats, batch.n_uncomputed)

    def _batches(self, table: SheetTable) -> Iterator[SheetRows]:
        number, n_blank = table.header_row + 1, 0
        with naming_damage(self.source):
            for block in table.blocks():
                end = block.end()
                if not end:
                    n_blank += len(block.cells)
                    continue
                while n_blank:
                    n = min(n_blank, BATCH_ROWS)
                    yield self._batch(table, number, Block([[] for _ in range(n)], [()] * n, {}))
                    number, n_blank = number + n, n_blank - n
                n_blank = len(block.cells) - end
                yield self._batch(table, number, block.part(0, end) if n_blank else block)
                number += end

    def _batch(self, table: SheetTable, number: int, block: Block) -> SheetRows:
        n = len(table.columns)
        cells = block.cells
        faults = {}
        if set(map(len, cells)) != {n}:
            beyond = [[value for value in row[n:] if value is not None] for row in cells]
            # They are data without a name: the row says what they are, however far away.
            faults = {place: f"{SURPLUS}: {beyond_header(values)}" for place, values in enumerate(beyond) if values}
            cells = [row[:n] + [None] * (n - len(row)) for row in cells]
        for place, columns in block.uncomputed.items():
            names = ", ".join(f"{letters_of(column)}{number + place}" for column in columns)
            faults[place] = f"{UNCOMPUTED}: {names}"
            self.location.n_uncomputed += len(columns)
        numbers, formats = range(number, number + len(cells)), _formats(block.formats, n)
        n_uncomputed = {place: len(columns) for place, columns in block.uncomputed.items()}
        return SheetRows(table.columns, cells, numbers, faults, formats, n_uncomputed)


def _formats(given: Sequence[Sequence[str]], n: int) -> list[Sequence[str]]:
    """Return the number formats of rows of n cells; rows that share a list share one again."""
    made: dict[int, Sequence[str]] = {}
    formats = []
    for row in given:
        if id(row) not in made:
            made[id(row)] = [*row[:n], *[GENERAL] * (n - len(row))]
        formats.append(made[id(row)])
    return formats


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
        self._add: SheetsAdder | None = None

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
        formats = getattr(batch, "number_formats", None)
        new = rows_of(added) if added else [()] * len(rows)
        for i, (row, more) in enumerate(zip(rows, new, strict=True)):
            self._sheet.add_row()
            for j, value in enumerate(row):
                self._sheet.write(j, value, self._format(value, formats[i][j] if formats else "General"))
            for j, value in enumerate(more, len(self._columns)):
                is_text = isinstance(value, str)
                self._sheet.write(j, value, self._decisions.get(value) if is_text else self._share)

    def add_sheets(self, add: SheetsAdder) -> None:
        """Add sheets behind the others when this is closed: rows are written in their order."""
        self._add = add

    def close(self) -> None:
        """Write the workbook."""
        if self._sheet is None:
            self._sheet = self._laid_out([], {})
        self._sheet.add_filters()
        if self._add:
            self._add(self._workbook.book, [self._title])
        self._workbook.close()

    def _laid_out(self, rows: Sequence[Sequence[Any]], added: Added) -> Any:  # noqa: ANN401
        samples = [[str(row[j]) for row in rows] for j in range(len(self._columns))]
        samples += [[str(v) for v in values.tolist()[:200]] for values in added.values()]
        samples += [[]] * (len(self._names) - len(samples))
        longest = [sorted(map(len, sample))[int(0.9 * len(sample))] if sample else 0 for sample in samples]
        widths = [min(60, width_of(name, n)) for name, n in zip(self._names, longest, strict=True)]
        return self._workbook.add_sheet(self._title, self._names, widths)

    def _format(self, value: object, given: str) -> object:
        number_format = number_format_of(value, given)
        if number_format is None:
            return None
        if number_format not in self._formats:
            self._formats[number_format] = self._workbook.book.add_format({"num_format": number_format})
        return self._formats[number_format]
