"""What every table format has in common: batches of rows, readers and writers.

A reader yields batches of rows in their order; a writer takes them back and appends new columns. A row
that a reader cannot make sense of is a fault: it raises, or (`keep`) passes whatever there is of the row
along with the reason. Memory is bounded by a batch, whatever the size of the file.
"""

from __future__ import annotations

import datetime
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias

from numpy.typing import NDArray

from outsort.buffers import Utf8Column
from outsort.errors import DataError, DataWarning
from outsort.files import NOT_TEXT

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    #: The texts of a batch, in whichever form costs least.
    BatchTexts: TypeAlias = list[str] | Utf8Column | pa.Array
    #: Appended columns by name: shares from 0 to 1 of six decimals, float64 (n_rows,), or `Categorical`.
    Added = dict[str, NDArray[np.float64] | "Categorical"]

#: Rows in a batch; fewer where they hold more than so many bytes.
BATCH_ROWS, BATCH_BYTES = 8192, 1 << 24
#: Most characters in one cell or line; more means an open quote, or a bomb.
MAX_CELL = 1 << 25
#: How the fault of a row of a workbook begins that holds data without a name.
SURPLUS = "has cells beyond the header"


@dataclass(frozen=True)
class ReadOptions:
    """How a table is read.

    Attributes:
        read_as: the name of its format; None to go by the file name.
        encoding: of CSV and TSV; None to detect it.
        sheet: of a workbook; None for the first.
        keep: pass rows that cannot be read along with the reason instead of raising.
    """

    read_as: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    keep: bool = False


class Origin(NamedTuple):
    """A workbook that a table came from, and may go back into.

    Attributes:
        stream: its bytes, which can seek.
        header_row: the number of the row with the names of the columns.
    """

    stream: IO[bytes]
    header_row: int = 1


@dataclass(frozen=True)
class Dialect:
    """How a table is written: like the one it came from.

    Attributes:
        delimiter: of CSV.
        newline: of CSV.
        encoding: of CSV and TSV; UTF-8 with a mark where the input was anything but plain UTF-8, because
            Excel takes UTF-8 without a mark for something else.
        sheet: the name of a workbook's sheet.
        schema: the Arrow schema of a Parquet file, or None.
        safe_for_excel: put an apostrophe before cells of CSV and TSV that spreadsheets take for formulas.
        lost: what writing the table as it was read would lose, in words; "" for nothing.
        origin: the workbook that gets the new columns, in its sheet `sheet`; None to write a new one.
    """

    delimiter: str = ","
    newline: str = "\n"
    encoding: str = "utf-8"
    sheet: str = "outsort"
    schema: pa.Schema | None = None
    safe_for_excel: bool = False
    lost: str = ""
    origin: Origin | None = None


class Batch(Protocol):
    """Some rows of a table.

    Attributes:
        faults: place of each row that could not be read, and why; the row holds what there is of it. Cells
            beyond the header, which have no column, are told in the fault.
        numbers: n_rows row numbers as a spreadsheet shows them: the header is row 1, in every format.
    """

    @property
    def faults(self) -> Mapping[int, str]: ...  # noqa: D102

    @property
    def numbers(self) -> Sequence[int]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def head(self, n: int) -> Batch:
        """Return the first n rows."""

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:
        """Return the rows as lists of values, one for each of all the reader's `columns`."""

    def texts(self, columns: Sequence[str]) -> BatchTexts:
        """Return the text of each row: the values of some columns, joined by a space."""


@dataclass(frozen=True)
class Rows:
    """A batch of rows as lists of cells.

    Attributes:
        columns: names of the columns.
        cells: n_rows lists of cells.
        numbers: see `Batch`.
        faults: see `Batch`.
    """

    #: The attributes that have one item per row.
    _per_row: ClassVar[tuple[str, ...]] = ("cells", "numbers")

    columns: Sequence[str]
    cells: Sequence[Any]
    numbers: Sequence[int]
    faults: Mapping[int, str]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.cells)

    def head(self, n: int) -> Self:
        """Return the first n rows."""
        faults = {place: why for place, why in self.faults.items() if place < n}
        return replace(self, faults=faults, **{name: getattr(self, name)[:n] for name in self._per_row})

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows."""
        return self.cells

    def texts(self, columns: Sequence[str]) -> list[str]:
        """Return the text of each row."""
        places = [self.columns.index(name) for name in columns]
        return [joined(row[place] for place in places) for row in self.cells]


class Categorical(NamedTuple):
    """A column of few distinct values.

    Attributes:
        codes: int64 (n_rows,), places in `values`.
        values: strings, or None for a cell without a value.
    """

    codes: NDArray[np.int64]
    values: Sequence[str | None]

    def tolist(self) -> list[str | None]:
        """Return the value of every row."""
        return [self.values[code] for code in self.codes.tolist()]


class Reader(Protocol):
    """A table being read, from a binary stream that its owner closes.

    A class of this kind is made from the source's name for messages, the stream (at its beginning, able to
    seek) and the `ReadOptions`. Making it and iterating raise `DataError`, with the row where there is one.
    """

    @property
    def columns(self) -> list[str]:
        """The names of its columns, in order."""

    @property
    def head_columns(self) -> list[str]:
        """The columns as far as the first batch tells: enough to find one by its name."""

    @property
    def encoding(self) -> str:
        """The encoding of its text; utf-8 where the format leaves no choice."""

    @property
    def dialect(self) -> Dialect:
        """How to write such a table."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""

    def close(self) -> None:
        """Let go of the stream."""


class Writer(Protocol):
    """A table being written to a binary stream that its owner closes.

    A class of this kind is made from the stream, the names of the columns that batches bring, the names
    and Python types of the columns to append, and the `Dialect`. Cells that the format cannot hold are
    refused with a `DataError` or an `OutputError`, or kept as text.

    Attributes:
        changes: the cells kept as text, in words, when it is closed.
    """

    @property
    def changes(self) -> Sequence[str]: ...  # noqa: D102

    def write(self, batch: Batch, added: Added) -> None:
        """Write the rows of a batch with the appended columns, each as long as the batch."""

    def close(self) -> None:
        """Write what is left."""


class ReaderType(Protocol):
    """A class of readers."""

    def __call__(self, source: str, stream: IO[bytes], options: ReadOptions) -> Reader: ...  # noqa: D102


class WriterType(Protocol):
    """A class of writers."""

    def __call__(  # noqa: D102
        self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect
    ) -> Writer: ...


def joined(values: Iterable[Any]) -> str:
    """Return the text of a row: its values joined by a space, missing ones left out.

    >>> joined(["audit", None, 2024])
    'audit 2024'
    """
    return " ".join(v if isinstance(v, str) else str(v) for v in values if v is not None)


def in_hexadecimal(text: str) -> str:
    r"""Return a text with what is not text in hexadecimal, which every format can hold.

    >>> print(in_hexadecimal(b"caf\xe9".decode("utf-8", "surrogateescape")))
    caf\xe9
    """
    return NOT_TEXT.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def rows_of(added: Added) -> Iterator[tuple[Any, ...]]:
    """Yield the values of the appended columns row by row."""
    return zip(*(column.tolist() for column in added.values()), strict=True)


def check_distinct(names: Sequence[str], format_name: str) -> None:
    """Refuse columns of one name for a format that finds columns by name.

    Raises:
        DataError: two columns have the same name.
    """
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise DataError(
            f"the header has {', '.join(map(repr, twice))} more than once, and {format_name} would keep one column "
            "of that name. Rename the others, or write CSV."
        )


def warn(message: str) -> None:
    """Issue a `DataWarning`."""
    warnings.warn(message, DataWarning, stacklevel=3)


def beyond_header(cells: Sequence[object]) -> str:
    """Return the cells beyond the header as part of the fault of their row."""
    return str(plain_cell(cells)).encode("utf-8", "backslashreplace").decode()


def plain_cell(value: object) -> object:
    """Return a value as a cell of text shows it: dates in ISO form, lists and objects as JSON."""
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=lambda inner: str(plain_cell(inner)))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value
