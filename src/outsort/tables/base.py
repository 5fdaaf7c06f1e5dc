"""Tables in files, batch by batch, every cell as it was: CSV, TSV, JSON lines, Parquet and Excel.

A reader yields batches of rows in their order; a writer takes them back with columns added behind. What
a reader cannot make sense of is a fault with its row: it is raised, or (`keep`) the row comes along with
what there is of it and the reason. Memory is that of a batch, whatever the size of the file.
"""

from __future__ import annotations

import datetime
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from outsort.tables.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    #: Columns added, by name: shares from 0 to 1 of six decimals, float64 (n_rows,), or `Coded`.
    Added = dict[str, NDArray[np.float64] | "Coded"]

#: Rows in a batch.
BATCH_ROWS = 8192
#: Characters of one cell or line, at most; more is a quote left open, or a bomb.
MAX_CELL = 1 << 25


class Batch(NamedTuple):
    """Some rows of a table.

    Attributes:
        rows: `Records` (plain CSV, TSV), lists of cells (other CSV), lists of `Cell` (Excel), `Record`
            (JSON lines), or an Arrow record batch (Parquet).
        faults: place in `rows` of each row that could not be read, and why; it holds what there is of it.
        lines: the line of each row of a CSV file, where each row is one line; else None.
    """

    rows: Any
    faults: dict[int, str]
    lines: Sequence[str] | None = None

    def head(self, n: int) -> Batch:
        """Return the first n rows."""
        faults = {place: why for place, why in self.faults.items() if place < n}
        rows = self.rows.head(n) if isinstance(self.rows, Records) else self.rows[:n]
        return Batch(rows, faults, None if self.lines is None else self.lines[:n])

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.rows.n_records if isinstance(self.rows, Records) else len(self.rows)


class Coded(NamedTuple):
    """A column of few different values.

    Attributes:
        codes: int64 (n_rows,), places in `values`.
        values: strings, or None for a cell without a value.
    """

    codes: NDArray[np.int64]
    values: Sequence[str | None]

    def tolist(self) -> list[str | None]:
        """Return the value of every row."""
        return [self.values[code] for code in self.codes.tolist()]


class Cell(NamedTuple):
    """A cell of a workbook: its value and its number format."""

    value: Any
    number_format: str


class Record(dict[str, Any]):
    """An object of a JSON line, with the line itself, which goes out as it came."""

    __slots__ = ("line",)

    def __init__(self, line: str, content: Mapping[str, Any]) -> None:
        """Hold the content of a line, and the line."""
        super().__init__(content)
        self.line = line


class Reader(Protocol):
    """A table being read: its columns, the encoding found, and its rows in batches."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns, in order."""

    @property
    def encoding(self) -> str:
        """The encoding of its text; utf-8 where the format has no choice."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""

    def close(self) -> None:
        """Let go of the stream, which is its owner's to close."""


class Writer(Protocol):
    """A table being written."""

    def write(self, batch: Batch, added: Added) -> None:
        """Write the rows of a batch with the columns added behind, each as long as the batch."""

    def close(self) -> None:
        """Write what is left; the stream stays open."""


#: What the error handler surrogateescape makes of bytes that are no text.
NO_TEXT = re.compile("[\udc80-\udcff]")


def plain_rows(batch: Batch, columns: Sequence[str]) -> Iterable[list[Any]]:
    """Return the rows of a batch as lists of values, whatever it came from."""
    rows = batch.rows
    if isinstance(rows, Records):
        return rows.cells()
    if not isinstance(rows, list):
        return [list(values) for values in zip(*(column.to_pylist() for column in rows.columns), strict=True)]
    if rows and isinstance(rows[0], Record):
        return [[record.get(name) for name in columns] for record in rows]
    if rows and rows[0] and isinstance(rows[0][0], Cell):
        return [[cell.value for cell in cells] for cells in rows]
    return rows


def rows_of(added: Added) -> Iterator[tuple[Any, ...]]:
    """Yield the values of the added columns row by row."""
    return zip(*(column.tolist() for column in added.values()), strict=True)


def as_cell(value: object) -> object:
    """Return a value as CSV shows it: dates in ISO form, lists and objects as JSON."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value
