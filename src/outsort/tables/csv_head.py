"""Where the table begins in a text of CSV: its delimiter, its header, and what its rows have besides."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from outsort.errors import DataError
from outsort.tables.base import MAX_CELL, ReadOptions, is_filled
from outsort.tables.header import LOOKED_AT, find_header

#: A first line by which Excel is told the delimiter; it is no row.
SEP_LINE = re.compile('"?sep=([^"\r\n])"?(\r\n|\r|\n)', re.IGNORECASE)
_DELIMITERS = (",", ";", "\t", "|")
#: Signs that few programs write between cells, and that are rare in texts.
_RARE_DELIMITERS = ("^", "~")
#: Rows of one cell, with the header, of which is told what may part them.
_LEAST_UNDIVIDED = 3
#: Characters of a file that its delimiter is told from.
_SNIFFED = 100_000


class CsvHead(NamedTuple):
    """Where a table begins.

    Attributes:
        delimiter: between cells.
        place: the record with the names of the columns, from 0; -1 for none.
        n_columns: the most cells of a record.
        ends_in_delimiter: whether each row has one delimiter more than the header, at its end.
        remark: what a person should know of a table of one column that may have more; "" for nothing.
    """

    delimiter: str
    place: int
    n_columns: int
    ends_in_delimiter: bool
    remark: str = ""


def find_head(source: str, text: str, delimiter: str | None, options: ReadOptions) -> CsvHead:
    """Find where a table begins.

    Args:
        source: the table in messages.
        text: the beginning of the file, without a line that tells the delimiter.
        delimiter: None to find it.
        options: how to read the table.

    Raises:
        DataError: two rows could be the header, or the one that was named is blank.
    """
    found = delimiter or _delimiter_of_row(text, options.header_row) or delimiter_of(text)
    records = first_records(text, found)
    widest = max(map(len, records), default=0)
    if not options.has_header:
        return CsvHead(found, -1, widest, ends_in_delimiter=False)
    is_open = delimiter is None and options.header_row is None
    place, refusal = 0, None
    try:
        place = find_header(source, records, options.header_row)
    except DataError as error:
        # By commas within cells two rows may look like the header.
        refusal = error
    if is_open and (refusal or _fits_no_row(records, place)):
        # A title in row 1 says nothing of the delimiter.
        for other in _DELIMITERS:
            others = first_records(text, other)
            with suppress(DataError):
                further = find_header(source, others)
                if further > place and len(others[further]) > 1:
                    found, records, place, refusal = other, others, further, None
                    break
    if refusal:
        raise refusal
    remark = "" if delimiter else _undivided(records[place:])
    return CsvHead(found, place, widest, _end_in_delimiter(records, place), remark)


def _undivided(records: Sequence[Sequence[str]]) -> str:
    """Return what is to be said of records of one cell in each of which a sign comes equally often.

    >>> _undivided([["id^task"], ["1^Key invoices"], ["2^Mop floors"]])
    "each row has as many '^' as the header: if these part columns, pass --delimiter '^'"
    """
    cells = [record[0] for record in records if len(record) == 1]
    if len(cells) < max(_LEAST_UNDIVIDED, len(records)):
        return ""
    for sign in (*_DELIMITERS, *_RARE_DELIMITERS):
        counts = {cell.count(sign) for cell in cells}
        if len(counts) > 1 or 0 in counts:
            continue
        if sign in _DELIMITERS:
            return "each row is in quotes as a whole: take these away to have its columns"
        return f"each row has as many {sign!r} as the header: if these part columns, pass --delimiter {sign!r}"
    return ""


def _fits_no_row(records: Sequence[Sequence[str]], place: int) -> bool:
    """Return whether a header has one cell, or other rows all have one and it has not."""
    width = len(records[place]) if place < len(records) else 0
    return width == 1 or (width > 1 and {len(row) for row in records[place + 1 :] if row} == {1})


def first_records(text: str, delimiter: str, n: int = 2 * LOOKED_AT) -> list[list[str]]:
    """Return the first n records of a CSV text, or those before the first that cannot be read; blank lines are []."""
    records: list[list[str]] = []
    # What is no CSV is told where the table is read.
    with suppress(csv.Error):
        for record in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), n):
            records.append(record)  # noqa: PERF402 - those before an error count
    return records


def _delimiter_of_row(text: str, row: int | None) -> str | None:
    """Return the delimiter that splits a row into the most cells; None where no row is named."""
    if row is None:
        return None

    def n_cells(delimiter: str) -> int:
        return max(map(len, first_records(text, delimiter)[row - 1 : row]), default=0)

    return max(_DELIMITERS, key=n_cells)


def _end_in_delimiter(records: Sequence[Sequence[str]], place: int) -> bool:
    # The last one may be cut off.
    rows = [row for row in records[place + 1 :] if row]
    rows = rows[:-1] if len(records) > 2 and len(rows) > 2 else rows
    width = len(records[place]) + 1 if place < len(records) else 0
    return bool(rows) and all(len(row) == width and not is_filled(row[-1]) for row in rows)


def checked_delimiter(source: str, delimiter: str | None) -> str | None:
    """Return the delimiter given; refuse what cannot be one."""
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise DataError(f"{source}: {delimiter!r} cannot be a delimiter. Name one ASCII character, such as ; or a tab.")
    return delimiter


def delimiter_of(text: str) -> str:
    r"""Return the delimiter that a CSV text is most likely to have; comma if none is in its first record.

    It leaves no quote within a cell, gives most records as many cells as the first, and these are most.

    >>> delimiter_of('id;"a, b, c, d"\n1;"e, f, g, h"\n')
    ';'
    """
    head = text[:_SNIFFED]

    def records_by(delimiter: str) -> Iterator[list[str]]:
        return filter(None, csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))

    def fitness(delimiter: str) -> tuple[float, float, int]:
        records = list(records_by(delimiter))
        # The last record may be cut.
        records = records[:-1] if len(text) > _SNIFFED and len(records) > 1 else records
        n_cells = len(records[0])
        n_alike = sum(len(record) == n_cells for record in records)
        n_split = sum(any(cell.count('"') % 2 for cell in record) for record in records)
        return -round(n_split / len(records), 1), round(n_alike / len(records), 1), n_cells

    # Cells of megabytes are told of where they are read.
    csv.field_size_limit(MAX_CELL)
    found = [delimiter for delimiter in _DELIMITERS if len(next(records_by(delimiter), [])) > 1]
    return max(found, key=fitness) if len(found) > 1 else (found or _DELIMITERS)[0]
