"""Which sheet of a workbook is the table: the one named, all, or the first that looks like it."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from outsort.errors import DataError, did_you_mean
from outsort.tables.base import BATCH_BYTES, BATCH_ROWS, Location, ReadOptions, is_filled
from outsort.tables.columns import N_JUDGED, NoColumnError, find_text_columns
from outsort.tables.header import LOOKED_AT, columns_of, find_header
from outsort.tables.letters import letters_of
from outsort.tables.workbooks.books import Book, naming_damage
from outsort.tables.workbooks.contents import SheetPart
from outsort.tables.workbooks.sheet_rows import Block
from outsort.tables.workbooks.workbook import SUMMARY, SUMMARY_TITLE

#: Columns of a codebook, and the names of another sheet's columns that it must have most of.
_WIDEST_CODEBOOK, _LEAST_NAMED = 4, 3
#: What names all sheets.
ALL = "all"


@dataclass
class SheetTable:
    """The table of a sheet.

    Attributes:
        name: the sheet.
        columns: the names of its columns.
        header_row: the row that has them, from 1; 0 for none.
        above: the cells of the rows above it.
    """

    name: str
    columns: list[str]
    header_row: int
    above: Sequence[Sequence[object]]
    _head: list[Block] = field(repr=False)
    _rest: Iterator[Block] = field(repr=False)

    def first_cells(self, place: int) -> list[str]:
        """Return the first cells of a column as text, as far as they have been read."""
        rows = (row for block in self._head for row in block.cells)
        found = (row[place] if place < len(row) else None for row in islice(rows, self.header_row, N_JUDGED))
        return ["" if cell is None else str(cell) for cell in found]

    @property
    def n_seen(self) -> int:
        """The rows that are not blank among the first."""
        rows = list(chain.from_iterable(block.cells for block in self._head))[self.header_row :]
        return sum(any(map(is_filled, row)) for row in rows)

    def is_larger(self, other: SheetTable) -> bool:
        """Return whether it has more columns than another table, and as many rows or more as far as they are seen."""
        return len(self.columns) > len(other.columns) and self.n_seen >= other.n_seen

    def blocks(self) -> Iterator[Block]:
        """Yield the rows below the header, once."""
        to_skip = self.header_row
        for block in chain(self._head, self._rest):
            n = len(block.cells)
            if to_skip < n:
                yield block.part(to_skip, n) if to_skip else block
            to_skip = max(0, to_skip - n)


class Chosen(NamedTuple):
    """The tables to read.

    Attributes:
        tables: one, or those of all sheets.
        location: where they are.
        is_all: whether all sheets were asked for.
    """

    tables: list[SheetTable]
    location: Location
    is_all: bool


def choose_sheets(source: str, book: Book, options: ReadOptions) -> Chosen:
    """Return the tables of a workbook that the options ask for.

    Raises:
        DataError: there is no such sheet, or none with a table.
    """
    named = _named(source, book.sheets, options.sheet)
    if named is not None:
        table = _read(source, book, named, options)
        return Chosen([table], Location(named.name, table.header_row, options=_guesses(table, options)), is_all=False)
    seen = [sheet for sheet in book.sheets if sheet.is_visible and sheet.is_worksheet]
    if len(seen) > 1:
        seen = [sheet for sheet in seen if not is_summary(book, sheet)]
    hidden = [sheet for sheet in book.sheets if not (sheet.is_visible and sheet.is_worksheet)]
    passed = [f"{sheet.name!r} is {_kind(sheet)}" for sheet in hidden]
    if options.sheet == ALL:
        return _all(source, book, seen, options, passed)
    return _first(source, book, seen, options, passed)


class _EmptySheetError(DataError):
    """A sheet without a filled cell."""


class _Likely(IntEnum):
    """How likely the table of a sheet is the one that is meant."""

    BY_HEADING = 0
    #: A column reads like descriptions, as one of a list of terms may.
    BY_CELLS = 1
    #: It says what the columns of another sheet mean.
    CODEBOOK = 2
    #: A sentence on a cover is a column of one cell: it is the table only if nothing else is.
    NARROW = 3


class _Looked(NamedTuple):
    """What was found on sheets.

    Attributes:
        tables: those with a text column, the likeliest first.
        undecided: those with no clear text column, and what is said of them.
        errors: what spoke against all others than `tables`.
    """

    tables: list[tuple[_Likely, SheetTable]]
    undecided: list[tuple[SheetTable, NoColumnError]]
    errors: list[DataError]

    def best(self) -> list[SheetTable]:
        """Return the tables that are as likely as any."""
        return [table for likely, table in self.tables if likely == self.tables[0][0]]

    def choice(self) -> SheetTable:
        """Return the first of the best; where no heading tells, one that is larger."""
        first, *others = self.best()
        if self.tables[0][0] is _Likely.BY_HEADING:
            return first
        return next((table for table in others if table.is_larger(first)), first)


def _look(source: str, book: Book, seen: Sequence[SheetPart], options: ReadOptions, *, for_all: bool) -> _Looked:
    """Look for tables on sheets; unless for all, up to the first that is no codebook and whose headings tell."""
    looked = _Looked([], [], [])
    for sheet in seen:
        try:
            table = _read(source, book, sheet, options)
        except DataError as error:
            looked.errors.append(error)
            continue
        try:
            may_be_row = options.header_row is None
            find_text_columns(source, table.columns, options.text_columns, table.first_cells, may_be_row=may_be_row)
        except NoColumnError as error:
            looked.undecided.append((table, error))
            looked.errors.append(error)
            continue
        likely = _Likely.NARROW if len(table.columns) == 1 and len(seen) > 1 else _Likely.BY_HEADING
        if likely is _Likely.BY_HEADING:
            try:
                find_text_columns(source, table.columns, options.text_columns)
            except DataError:
                likely = _Likely.BY_CELLS
        looked.tables.append((likely, table))
        if likely is _Likely.BY_HEADING and len(table.columns) > _WIDEST_CODEBOOK and not for_all:
            break
    found = [table for _, table in looked.tables] + [table for table, _ in looked.undecided]
    for place, (_, table) in enumerate(looked.tables):
        if any(_names_columns(table, other) for other in found if other is not table):
            looked.tables[place] = (_Likely.CODEBOOK, table)
    looked.tables.sort(key=itemgetter(0))
    return looked


def _names_columns(table: SheetTable, other: SheetTable) -> bool:
    """Return whether a column of a narrow table lists the names of another's columns, most of them."""
    names = {name.strip().casefold() for name in other.columns if name.strip()}
    if len(names) < _LEAST_NAMED or not 1 < len(table.columns) <= _WIDEST_CODEBOOK:
        return False
    for place in range(len(table.columns)):
        cells = {cell.strip().casefold() for cell in table.first_cells(place)}
        if 2 * len(cells & names) > len(names):
            return True
    return False


def _first(source: str, book: Book, seen: Sequence[SheetPart], options: ReadOptions, passed: list[str]) -> Chosen:
    looked = _look(source, book, seen, options, for_all=False)
    if looked.tables:
        chosen = looked.choice()
        if looked.tables[0][0] is not _Likely.BY_HEADING and not options.text_columns:
            _check_rivals(source, chosen, looked)
    elif len(seen) == 1 and isinstance(looked.errors[0], NoColumnError):
        # What its columns are is told where the text column is looked for.
        chosen = looked.undecided[0][0]
    else:
        raise _no_table(source, book, seen, looked.errors, passed)
    others = [sheet.name for sheet in seen if sheet.name != chosen.name]
    location = Location(chosen.name, chosen.header_row, options=_guesses(chosen, options))
    if others:
        location.options.insert(0, f"--sheet {shlex.quote(chosen.name)}")
        location.remarks.append(f"not read: {', '.join(map(repr, others))} (--sheet NAME, or all)")
    if passed:
        location.remarks.append("; ".join(passed))
    return Chosen([chosen], location, is_all=False)


def _check_rivals(source: str, chosen: SheetTable, looked: _Looked) -> None:
    """Refuse to read notes in place of a larger table whose text column is not clear, or of one with no clear header.

    Raises:
        DataError: there is such a table.
    """
    if looked.tables[0][0] is not _Likely.BY_CELLS:
        for refused in looked.errors:
            if not isinstance(refused, (NoColumnError, _EmptySheetError)):
                raise refused
    for table, error in looked.undecided:
        if table.is_larger(chosen) and error.candidates:
            named, why = shlex.quote(table.name), re.split(r"; it |\. Name ", str(error).removeprefix(f"{source}: "))[0]
            may_be = " or ".join(map(repr, error.candidates[:3]))
            raise NoColumnError(
                f"{source}: sheet {table.name!r} has {why}; it may be {may_be}. Name it with --sheet {named} "
                f"--text-column NAME; or read {chosen.name!r} with --sheet {shlex.quote(chosen.name)}.",
                error.columns,
                error.samples,
            )


def _all(source: str, book: Book, seen: Sequence[SheetPart], options: ReadOptions, passed: list[str]) -> Chosen:
    looked = _look(source, book, seen, options, for_all=True)
    if not looked.tables:
        raise _no_table(source, book, seen, looked.errors, passed)
    tables = looked.best()
    names = [table.name for table in tables]
    location = Location(", ".join(names), tables[0].header_row)
    skipped = [sheet.name for sheet in seen if sheet.name not in names]
    if skipped:
        location.remarks.append(f"no table with a text column: {', '.join(map(repr, skipped))}")
    if passed:
        location.remarks.append("; ".join(passed))
    return Chosen(tables, location, is_all=True)


def _read(source: str, book: Book, sheet: SheetPart, options: ReadOptions) -> SheetTable:
    """Return the table of a sheet.

    Raises:
        DataError: it has none, or is damaged.
    """
    if not sheet.is_worksheet:
        raise DataError(f"{source}: sheet {sheet.name!r} is {_kind(sheet)}, which has no rows. Name another --sheet.")
    head: list[Block] = []
    cells: list[list[object]] = []
    with naming_damage(source):
        blocks = book.rows(sheet, BATCH_ROWS, BATCH_BYTES)
        wanted = options.header_row or 0
        # A few bytes can claim a row far below.
        while (len(cells) < max(LOOKED_AT, wanted) or not _holds_any(cells)) and (block := next(blocks, None)):
            head.append(block)
            cells += block.cells
    cells = cells[: max(wanted, _first_filled(cells) + LOOKED_AT)]
    if not _holds_any(cells):
        where = f"sheet {sheet.name!r}" if len(book.sheets) > 1 else "the sheet"
        raise _EmptySheetError(f"{source}: {where} is empty. It needs a header and rows.")
    if not options.has_header:
        width = max(len(columns_of(row)) for row in cells)
        return SheetTable(sheet.name, [letters_of(place) for place in range(width)], 0, [], head, blocks)
    where = f"{source}, sheet {sheet.name!r}" if len(book.sheets) > 1 else source
    if options.header_row is None:
        # Blank rows at the top may be many.
        first = _first_filled(cells)
        place = find_header(where, cells[first:], above=first) + first
    else:
        place = find_header(where, cells, options.header_row)
    return SheetTable(sheet.name, columns_of(cells[place]), place + 1, cells[:place], head, blocks)


def is_summary(book: Book, sheet: SheetPart) -> bool:
    """Return whether a sheet is the summary that a run before added."""
    if not re.fullmatch(rf"{SUMMARY}( \(\d+\))?", sheet.name):
        return False
    first = next(book.rows(sheet, 1, BATCH_BYTES), None)
    cells = first.cells[0] if first else []
    return bool(cells) and SUMMARY_TITLE in str(cells[0])


def _holds_any(cells: Sequence[Sequence[object]]) -> bool:
    return _first_filled(cells) < len(cells)


def _first_filled(cells: Sequence[Sequence[object]]) -> int:
    return next((place for place, row in enumerate(cells) if any(map(is_filled, row))), len(cells))


def _named(source: str, sheets: Sequence[SheetPart], wanted: str | None) -> SheetPart | None:
    """Return the sheet of a name or a number; None where none or all are wanted."""
    if wanted is None:
        return None
    found = next((sheet for sheet in sheets if sheet.name == wanted), None)
    if found is None and wanted.isdecimal() and 0 < int(wanted) <= len(sheets):
        found = sheets[int(wanted) - 1]
    if found is None and wanted != ALL:
        names = [sheet.name for sheet in sheets]
        meant = did_you_mean(wanted, names)
        raise DataError(f"{source}: no sheet {wanted!r}; it has {', '.join(map(repr, names))}.{meant}")
    return found


def _no_table(
    source: str, book: Book, seen: Sequence[SheetPart], errors: Sequence[DataError], passed: Sequence[str]
) -> DataError:
    if len(book.sheets) == 1 and errors:
        return errors[0]
    names = ", ".join(repr(sheet.name) for sheet in seen) or "none"
    also = f" Besides, {'; '.join(passed)}." if passed else ""
    why = f" ({str(errors[0]).removeprefix(f'{source}: ').rstrip('.')})" if errors else ""
    return DataError(
        f"{source}: no visible sheet holds a table with a text column; it has {names}{why}.{also} Name one with "
        "--sheet and its column with --text-column."
    )


def _kind(sheet: SheetPart) -> str:
    return "hidden" if sheet.is_worksheet else "a chart or macro sheet"


def _guesses(table: SheetTable, options: ReadOptions) -> list[str]:
    return [f"--header-row {table.header_row}"] if table.header_row > 1 and options.header_row is None else []


def merged_columns(tables: Sequence[Sequence[str]]) -> list[str]:
    """Return the columns of several tables: those of the first, then what others have besides.

    >>> merged_columns([["a", "b"], ["b", "c", "c"]])
    ['a', 'b', 'c', 'c']
    """
    result: list[str] = []
    for columns in tables:
        there = Counter(result)
        for name, n in Counter(columns).items():
            result += [name] * (n - there[name])
    return result


def places_of(columns: Sequence[str], merged: Sequence[str]) -> list[int]:
    """Return where each column of a table is among merged ones, the second of a name at the second place of it.

    >>> places_of(["b", "c", "c"], ["a", "b", "c", "c"])
    [1, 2, 3]
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(merged):
        places.setdefault(name, []).append(place)
    taken: Counter[str] = Counter()
    result = []
    for name in columns:
        result.append(places[name][taken[name]])
        taken[name] += 1
    return result


def free_name(name: str, columns: Sequence[str]) -> str:
    """Return a name that no column has.

    >>> free_name("sheet", ["sheet", "text"])
    'sheet 2'
    """
    number, free = 1, name
    while free in columns:
        number += 1
        free = f"{name} {number}"
    return free
