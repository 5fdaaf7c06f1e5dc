"""Where the table begins in a text of CSV: its delimiter, its header, and what its rows have besides."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from outsort.errors import DataError
from outsort.files import delimiter_of
from outsort.tables.base import ReadOptions
from outsort.tables.header import LOOKED_AT, find_header, is_filled

_DELIMITERS = (",", ";", "\t", "|")
#: What Excel writes to tell the delimiter.
_SEPARATOR = re.compile(r"\ufeff?sep=([,;|\t])\r?\n", re.IGNORECASE)


class CsvHead(NamedTuple):
    """Where a table begins.

    Attributes:
        delimiter: between cells.
        place: the record with the names of the columns, from 0; -1 for none.
        n_columns: the most cells of a record.
        ends_in_delimiter: whether each row has one delimiter more than the header, at its end.
    """

    delimiter: str
    place: int
    n_columns: int
    ends_in_delimiter: bool


def find_head(source: str, text: str, delimiter: str | None, options: ReadOptions) -> CsvHead:
    """Find where a table begins.

    Args:
        source: the table in messages.
        text: the beginning of the file.
        delimiter: None to find it.
        options: how to read the table.

    Raises:
        DataError: two rows could be the header, or the one that was named is blank.
    """
    separator = _SEPARATOR.match(text)
    if delimiter is None and separator:
        delimiter = separator[1]
    found = delimiter or _delimiter_of_row(text, options.header_row) or delimiter_of(text)
    records = _records(text, found, skipped=bool(separator))
    widest = max(map(len, records), default=0)
    if not options.has_header:
        return CsvHead(found, -1, widest, ends_in_delimiter=False)
    place = find_header(source, records, options.header_row)
    if delimiter is None and options.header_row is None and _fits_no_row(records, place):
        # A title in row 1 says nothing of the delimiter.
        for other in _DELIMITERS:
            others = _records(text, other, skipped=False)
            with suppress(DataError):
                further = find_header(source, others)
                if further > place and len(others[further]) > 1:
                    found, records, place = other, others, further
                    break
    return CsvHead(found, place, widest, _end_in_delimiter(records, place))


def _fits_no_row(records: Sequence[Sequence[str]], place: int) -> bool:
    """Return whether a header has one cell, or other rows all have one and it has not."""
    width = len(records[place]) if place < len(records) else 0
    return width == 1 or (width > 1 and {len(row) for row in records[place + 1 :] if row} == {1})


def _records(text: str, delimiter: str, *, skipped: bool) -> list[list[str]]:
    """Return the first records; the first one blank where it only tells the delimiter."""
    records: list[list[str]] = []
    # What is no CSV is told where the table is read.
    with suppress(csv.Error):
        for record in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 2 * LOOKED_AT):
            records.append(record)  # noqa: PERF402 - those before an error count
    if skipped and records:
        records[0] = []
    return records


def _delimiter_of_row(text: str, row: int | None) -> str | None:
    """Return the delimiter that splits a row into the most cells; None where no row is named."""
    if row is None:
        return None

    def n_cells(delimiter: str) -> int:
        return max(map(len, _records(text, delimiter, skipped=False)[row - 1 : row]), default=0)

    return max(_DELIMITERS, key=n_cells)


def _end_in_delimiter(records: Sequence[Sequence[str]], place: int) -> bool:
    # The last one may be cut off.
    rows = [row for row in records[place + 1 :] if row]
    rows = rows[:-1] if len(records) > 2 and len(rows) > 2 else rows
    width = len(records[place]) + 1 if place < len(records) else 0
    return bool(rows) and all(len(row) == width and not is_filled(row[-1]) for row in rows)
