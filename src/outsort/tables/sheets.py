"""Which sheet of a workbook is the table: the one named, all, or the first that looks like it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from outsort.errors import DataError
from outsort.tables.base import BATCH_BYTES, BATCH_ROWS, Found, ReadOptions
from outsort.tables.books import Book, naming_damage
from outsort.tables.columns import NoColumnError, find_text_columns
from outsort.tables.header import LOOKED_AT, column_letter, columns_of, find_header, is_filled
from outsort.tables.package_parts import SheetPart
from outsort.tables.sheet_rows import Block

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
        found: where they are.
        is_all: whether all sheets were asked for.
    """

    tables: list[SheetTable]
    found: Found
    is_all: bool


def choose_sheets(source: str, book: Book, options: ReadOptions) -> Chosen:
    """Return the tables of a workbook that the options ask for.

    Raises:
        DataError: there is no such sheet, or none with a table.
    """
    named = _named(source, book.sheets, options.sheet)
    if named is not None:
        table = _read(source, book, named, options)
        return Chosen([table], Found(named.name, table.header_row, options=_guesses(table, options)), is_all=False)
    seen = [sheet for sheet in book.sheets if sheet.is_visible and sheet.is_worksheet]
    passed = [f"{sheet.name!r} is {_kind(sheet)}" for sheet in book.sheets if sheet not in seen]
    if options.sheet == ALL:
        return _all(source, book, seen, options, passed)
    return _first(source, book, seen, options, passed)


def _first(source: str, book: Book, seen: Sequence[SheetPart], options: ReadOptions, passed: list[str]) -> Chosen:
    narrow: SheetTable | None = None
    errors: list[DataError] = []
    skipped: list[str] = []
    chosen: SheetTable | None = None
    for sheet in seen:
        try:
            table = _read(source, book, sheet, options)
            find_text_columns(source, table.columns, options.text_columns)
        except DataError as error:
            errors.append(error)
            skipped.append(sheet.name)
            continue
        if len(table.columns) > 1 or len(seen) == 1:
            chosen = table
            break
        # A sentence on a cover is a column of one cell: it is the table only if nothing else is.
        narrow = narrow or table
        skipped.append(sheet.name)
    chosen = chosen or narrow
    if chosen is None:
        fallback = next((error for error in errors if isinstance(error, NoColumnError)), None)
        chosen = (
            next((_read(source, book, s, options) for s in seen if s.name == skipped[0]), None) if fallback else None
        )
        if chosen is None or len(seen) > 1:
            raise _no_table(source, book, seen, errors, passed)
    others = [sheet.name for sheet in seen if sheet.name != chosen.name]
    found = Found(chosen.name, chosen.header_row, options=_guesses(chosen, options))
    if others:
        found.options.insert(0, f"--sheet {_quoted(chosen.name)}")
        found.remarks.append(f"not read: {', '.join(map(repr, others))} (--sheet NAME, or all)")
    if passed:
        found.remarks.append("; ".join(passed))
    return Chosen([chosen], found, is_all=False)


def _all(source: str, book: Book, seen: Sequence[SheetPart], options: ReadOptions, passed: list[str]) -> Chosen:
    tables, errors, skipped = [], [], []
    for sheet in seen:
        try:
            table = _read(source, book, sheet, options)
            find_text_columns(source, table.columns, options.text_columns)
        except DataError as error:
            errors.append(error)
            skipped.append(sheet.name)
            continue
        tables.append(table)
    wide = [table for table in tables if len(table.columns) > 1]
    if wide:
        skipped += [table.name for table in tables if len(table.columns) == 1]
        tables = wide
    if not tables:
        raise _no_table(source, book, seen, errors, passed)
    found = Found(", ".join(table.name for table in tables), tables[0].header_row)
    if skipped:
        found.remarks.append(f"no table with a text column: {', '.join(map(repr, skipped))}")
    if passed:
        found.remarks.append("; ".join(passed))
    return Chosen(tables, found, is_all=True)


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
        raise DataError(f"{source}: {where} is empty. It needs a header and rows.")
    if not options.has_header:
        width = max(len(columns_of(row)) for row in cells)
        return SheetTable(sheet.name, [column_letter(place) for place in range(width)], 0, [], head, blocks)
    where = f"{source}, sheet {sheet.name!r}" if len(book.sheets) > 1 else source
    if options.header_row is None:
        # Blank rows at the top may be many.
        first = _first_filled(cells)
        place = find_header(where, cells[first:], above=first) + first
    else:
        place = find_header(where, cells, options.header_row)
    return SheetTable(sheet.name, columns_of(cells[place]), place + 1, cells[:place], head, blocks)


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
        has = ", ".join(repr(sheet.name) for sheet in sheets)
        raise DataError(f"{source}: no sheet {wanted!r}; it has {has}.")
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


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


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
