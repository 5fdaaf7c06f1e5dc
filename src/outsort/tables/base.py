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
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias

from numpy.typing import NDArray

from outsort.buffers import Utf8Column
from outsort.errors import DataWarning
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
#: Paths that may be named within the columns of a table, and how deep they go.
MAX_PATHS, _MAX_DEPTH = 1000, 8
#: How the fault of a row of a workbook begins that holds data without a name.
SURPLUS = "has cells beyond the header"
#: How the fault of a row of a workbook begins that has a formula which no program has computed yet.
UNCOMPUTED = "has a formula without a result"


class Column(NamedTuple):
    """A column of a table: its name, and its place among the columns, which tells those of one name apart.

    A path into objects, see `Reader.nested_columns`, has a place behind all of them.
    """

    name: str
    place: int


#: Where texts are: the parts of a text, which are joined; each is in its first column that is not blank in a row.
TextColumns: TypeAlias = Sequence[Sequence[Column]]


@dataclass(frozen=True)
class ReadOptions:
    """How a table is read.

    Attributes:
        read_as: the name of its format; None to go by the file name.
        encoding: of CSV and TSV; None to detect it.
        delimiter: of CSV and TSV, one character; None to detect it.
        sheet: of a workbook, its name or its number from 1, or "all"; None for the first that a person sees and
            that holds a table with a text column.
        keep: pass rows that cannot be read along with the reason instead of raising.
        header_row: the number of the row with the names of the columns, as a spreadsheet shows it; None to find it.
        has_header: whether there is such a row; without one, columns are named A, B, C.
        text_columns: the text columns, joined by a space if there are several: names, numbers from 1, or letters
            such as A or AB; `a|b` for b where a is blank. Found by headings and cells if empty.
        split: one row for each passage of a document, not one for the whole; of any table, for each clause of a row
            (see `scoring.split`).
        name: what a document is called in its rows; "" for the name of its file.
    """

    read_as: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    keep: bool = False
    header_row: int | None = None
    has_header: bool = True
    text_columns: Sequence[str] = ()
    split: bool = False
    name: str = ""


@dataclass
class Location:
    """Where in a file the table is.

    Attributes:
        sheet: the sheet of a workbook; "" for none.
        header_row: the row with the names of the columns, as a spreadsheet shows it; 0 for none.
        header: the header as it is written, in CSV.
        options: the options that lead to the same reading, where something was guessed.
        remarks: what a person should know, such as sheets that were passed over; grows while rows are read.
        n_uncomputed: formulas without a result, so far.
        is_given: whether the user named the header row.
    """

    sheet: str = ""
    header_row: int = 1
    header: str = ""
    options: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    n_uncomputed: int = 0
    is_given: bool = False


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
        header_row: the row with the names of the columns, from 1; 0 for none.
        schema: the Arrow schema of a Parquet file, or None.
        safe_for_excel: put an apostrophe before cells of CSV and TSV that spreadsheets take for formulas.
        lost: what writing the table as it was read would lose, in words; "" for nothing.
        origin: the workbook that gets the new columns, in its sheet `sheet`; None to write a new one.
    """

    delimiter: str = ","
    newline: str = "\n"
    encoding: str = "utf-8"
    sheet: str = "outsort"
    header_row: int = 1
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

    @property
    def header(self) -> Sequence[str]:
        """The names in the header over the cells of its rows; none in formats without one, as JSON and Parquet."""

    def __len__(self) -> int: ...

    def head(self, n: int) -> Batch:
        """Return the first n rows."""

    def cells_at(self, place: int) -> Sequence[object]:
        """Return the cells of a row under a header; a formula without a result is a 0, as a number not yet known."""

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:
        """Return the rows as lists of values, one for each of all the reader's `columns`."""

    def texts(self, columns: TextColumns) -> BatchTexts:
        """Return the text of each row: the values of some columns, joined by a space; see `TextColumns`."""


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

    @property
    def header(self) -> Sequence[str]:
        """See `Batch`."""
        return self.columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.cells)

    def cells_at(self, place: int) -> Sequence[object]:
        """Return the cells of a row."""
        cells: Sequence[object] = self.cells[place]
        return cells

    def head(self, n: int) -> Self:
        """Return the first n rows."""
        faults = {place: why for place, why in self.faults.items() if place < n}
        return replace(self, faults=faults, **{name: getattr(self, name)[:n] for name in self._per_row})

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows."""
        return self.cells

    def texts(self, columns: TextColumns) -> list[str]:
        """Return the text of each row."""
        return texts_of(columns, self.cells)


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
    def nested_columns(self) -> Sequence[str]:
        """Paths into objects that the cells hold, as in ``tender.description``: text columns that may be named."""

    @property
    def encoding(self) -> str:
        """The encoding of its text; utf-8 where the format leaves no choice."""

    @property
    def dialect(self) -> Dialect:
        """How to write such a table."""

    @property
    def location(self) -> Location:
        """Where the table is, as far as it was looked for."""

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


def limited(batches: Iterable[Batch], limit: int | None) -> Iterator[Batch]:
    """Yield the batches as far as the first `limit` rows; all for None."""
    left = limit
    for batch in batches:
        if left is None:
            yield batch
            continue
        yield batch.head(left)
        left -= len(batch)
        if left <= 0:
            return


def joined(values: Iterable[Any]) -> str:
    """Return the text of a row: its values joined by a space, missing ones left out.

    >>> joined(["audit", None, 2024])
    'audit 2024'
    """
    return " ".join(v if isinstance(v, str) else str(v) for v in values if v is not None)


def plain_texts(texts: BatchTexts | Sequence[str]) -> list[str]:
    """Return the texts of a batch as strings, "" for a missing one.

    >>> plain_texts(["audit", None])
    ['audit', '']
    """
    plain: Any = texts.to_pylist() if hasattr(texts, "to_pylist") else texts
    return [text or "" for text in plain]


def used_columns(columns: TextColumns) -> tuple[list[Column], TextColumns]:
    """Return the distinct columns of text columns, and the same text columns by their places among these.

    >>> used_columns([[Column("b", 7), Column("a", 2)]])
    ([Column(name='b', place=7), Column(name='a', place=2)], [[Column(name='b', place=0), Column(name='a', place=1)]])
    """
    used = list(dict.fromkeys(column for part in columns for column in part))
    return used, [[Column(column.name, used.index(column)) for column in part] for part in columns]


def texts_of(columns: TextColumns, rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return the texts of rows of cells, those of text columns joined; see `TextColumns`.

    >>> texts_of([[Column("a", 0), Column("b", 1)], [Column("c", 2)]], [["", "audit", 2024], ["tax", "", None]])
    ['audit 2024', 'tax']
    """
    places = [[column.place for column in part] for part in columns]
    if all(len(part) == 1 for part in places):
        return [joined(row[part[0]] for part in places) for row in rows]
    return [joined(_first_told(row, part) for part in places) for row in rows]


def _first_told(row: Sequence[Any], places: Sequence[int]) -> object:
    """Return the first cell that is not blank; the first one where all are."""
    return next((row[place] for place in places if is_filled(row[place])), row[places[0]])


def is_filled(cell: object) -> bool:
    """Return whether a cell holds anything but white space."""
    return cell is not None and not (isinstance(cell, str) and not cell.strip())


def value_at(content: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    """Return the value at a path of names with dots between them, None for no value; a whole name wins.

    >>> value_at({"tender": {"lot.no": 7}}, "tender.lot.no")
    7
    """
    if path in content:
        return content[path]
    for place, char in enumerate(path):
        inner = content.get(path[:place]) if char == "." else None
        found = value_at(inner, path[place + 1 :]) if isinstance(inner, Mapping) else None
        if found is not None:
            return found
    return None


def paths_in(contents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the paths of what objects within some objects hold, `MAX_PATHS` or fewer.

    >>> paths_in([{"id": 1, "tender": {"title": "x", "buyer": {"name": "y"}}}])
    ['tender.title', 'tender.buyer', 'tender.buyer.name']
    """
    paths: dict[str, None] = {}

    def add(content: Mapping[str, Any], before: str, depth: int) -> None:
        for name, value in content.items():
            if before and len(paths) < MAX_PATHS:
                paths[before + name] = None
            if isinstance(value, Mapping) and depth < _MAX_DEPTH:
                add(value, f"{before}{name}.", depth + 1)

    names: set[str] = set()
    for content in contents:
        names |= content.keys()
        add(content, "", 0)
    return [path for path in paths if path not in names]


def in_hexadecimal(text: str) -> str:
    r"""Return a text with what is not text in hexadecimal, which every format can hold.

    >>> print(in_hexadecimal(b"caf\xe9".decode("utf-8", "surrogateescape")))
    caf\xe9
    """
    return NOT_TEXT.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def rows_of(added: Added) -> Iterator[tuple[Any, ...]]:
    """Yield the values of the appended columns row by row."""
    return zip(*(column.tolist() for column in added.values()), strict=True)


def distinct_names(columns: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a name of its own for each column: of one name, they are told apart by their numbers.

    Args:
        columns: the names of the columns.
        taken: names that no column may have.

    >>> distinct_names(["description", "amount", "description"])
    ['description (1)', 'amount', 'description (3)']
    """
    n_of_name = Counter(columns)
    used = {*taken, *(name for name, n in n_of_name.items() if n == 1)}
    names = []
    for number, name in enumerate(columns, 1):
        new = name
        if n_of_name[name] > 1:
            new = f"{name} ({number})".lstrip()
            while new in used:
                new += "'"
            used.add(new)
        names.append(new)
    return names


def renaming(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return in words how columns were renamed, in at most one sentence."""
    new = [after for before, after in zip(columns, names, strict=True) if before != after]
    return [f"columns of one name are called {', '.join(map(repr, new))}"] if new else []


def warn(message: str) -> None:
    """Issue a `DataWarning`; a plain word about what was read is none."""
    if not getattr(message, "is_plain", False):
        warnings.warn(message, DataWarning, stacklevel=3)


def beyond_header(cells: Sequence[object]) -> str:
    """Return the cells beyond the header as part of the fault of their row."""
    return str(plain_cell(cells)).encode("utf-8", "backslashreplace").decode()


class Written(float):
    """A number, and how it is written.

    >>> Written("12.50") == 12.5, str(Written("12.50"))
    (True, '12.50')
    """

    __slots__ = ("digits",)
    digits: str

    def __new__(cls, digits: str) -> Self:
        """Read a number."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    def __str__(self) -> str:
        """Return it as it is written."""
        return self.digits


def plain_cell(value: object) -> object:
    """Return a value as a cell of text shows it: dates in ISO form, lists and objects as JSON, digits as written.

    >>> plain_cell({"amounts": [Written("12.50"), 7]})
    '{"amounts": [12.50, 7]}'
    """
    if isinstance(value, (dict, list, tuple)):
        # Deeper than this, digits are not looked for.
        with suppress(RecursionError):
            return _in_json(value)
        return json.dumps(value, ensure_ascii=False, default=lambda inner: str(plain_cell(inner)))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value


def _in_json(value: object) -> str:
    """Return a value as JSON with numbers as they are written, which the json module has no way to say."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(str(key), ensure_ascii=False)}: {_in_json(of)}" for key, of in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join([_in_json(of) for of in value])}]"
    if isinstance(value, (Written, Decimal)):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=lambda inner: str(plain_cell(inner)))
