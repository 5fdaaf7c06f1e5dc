"""Tables in files, batch by batch, every cell as it was: CSV, TSV, JSON lines, Parquet and Excel.

A reader yields batches of rows in their order; a writer takes them back with columns added behind. What
a reader cannot make sense of is a fault with its row: it is raised, or (`keep`) the row comes along with
what there is of it and the reason. Memory is that of a batch, whatever the size of the file.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import re
import zipfile
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from outsort.errors import DataError, OutputError
from outsort.files import delimiter_of, for_workbook, sniff_encoding
from outsort.records import Records, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    #: Columns added, by name: shares from 0 to 1 of six decimals, float64 (n_rows,), or `Coded`.
    Added = dict[str, NDArray[np.float64] | "Coded"]

FORMATS = ("csv", "tsv", "jsonl", "parquet", "xlsx")
_OTHER_SUFFIXES = {"ndjson": "jsonl", "tab": "tsv", "pq": "parquet", "txt": "csv"}
_REFUSED = {
    "xlsm": "is a workbook with macros. Save it as .xlsx.",
    "xls": "is a workbook of the old format. Save it as .xlsx.",
    "xlsb": "is a binary workbook. Save it as .xlsx.",
    "ods": "is an OpenDocument sheet. Save it as .xlsx or .csv.",
}
_PACKINGS = {".gz": "gzip", ".zst": "zstd"}

#: Rows in a batch.
BATCH_ROWS = 8192
#: Bytes of plain CSV that make a batch.
_BATCH_BYTES = 1 << 21
#: Characters of one cell or line, at most; more is a quote left open, or a bomb.
MAX_CELL = 1 << 25
#: A packed file may grow so many times when unpacked; nobody asks below this many bytes.
_MAX_GROWTH, _GROWTH_ASKED = 300, 1 << 28
#: Rows that an Excel sheet can hold, and characters that a cell can.
_EXCEL_ROWS, EXCEL_CELL = 1_048_576, 32_767


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


def format_of(path: Path | str, given: str | None = None) -> tuple[str, str]:
    """Return the format and the packing ("", gzip, zstd) that a file's name tells.

    Raises:
        DataError: the name tells none that is known, and none is given.

    >>> format_of("tasks.csv.gz")
    ('csv', 'gzip')
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packing = _PACKINGS.get(suffixes[-1], "") if suffixes else ""
    suffix = "".join((suffixes[:-1] if packing else suffixes)[-1:]).removeprefix(".")
    found = given or _OTHER_SUFFIXES.get(suffix, suffix)
    if found in _REFUSED:
        raise DataError(f"{path}: {_REFUSED[found]}")
    if found not in FORMATS:
        known = ", ".join(FORMATS)
        raise DataError(f"{path}: the name does not tell the format. Name one with --from or --to: {known}.")
    return found, packing


def open_reader(
    source: str,
    stream: IO[bytes],
    style: str,
    *,
    packing: str = "",
    encoding: str | None = None,
    sheet: str | None = None,
    keep: bool = False,
) -> Reader:
    """Open a table for reading.

    Args:
        source: the name to call it by in messages.
        stream: its bytes, at the beginning; one that can seek.
        style: one of `FORMATS`.
        packing: "", gzip or zstd, for the formats of text.
        encoding: of CSV and TSV; found when None.
        sheet: the sheet of a workbook; the first when None.
        keep: give rows that cannot be read as faults rather than raise.

    Raises:
        DataError: the table cannot be read, with the row where there is one; also while iterating.
    """
    if packing and style in ("parquet", "xlsx"):
        raise DataError(f"{source}: {style} is packed in itself. Unpack the file first.")
    if packing:
        stream = unpacked(source, stream, packing)
    if style in ("csv", "tsv"):
        return CsvReader(source, stream, "\t" if style == "tsv" else None, encoding, keep=keep)
    if style == "jsonl":
        return JsonlReader(source, stream, keep=keep)
    return ParquetReader(source, stream) if style == "parquet" else ExcelReader(source, stream, sheet)


def count_rows(path: Path) -> int:
    """Return how many rows a table in a file has.

    Raises:
        DataError: it cannot be read.
    """
    style, packing = format_of(path)
    with path.open("rb") as file:
        reader = open_reader(str(path), file, style, packing=packing, keep=True)
        n_rows = sum(batch.n_rows for batch in reader)
        reader.close()
    return n_rows


class CsvReader:
    """CSV and its kin: cells are strings and stay what they are. Blank lines are no rows."""

    def __init__(
        self, source: str, stream: IO[bytes], delimiter: str | None, encoding: str | None, *, keep: bool
    ) -> None:
        """Read the header."""
        self.source, self._keep = source, keep
        head = stream.read(1 << 16)
        stream.seek(0)
        self.encoding = encoding or sniff_encoding(head)
        start = head.decode(self.encoding, "replace")
        if not start.strip("\ufeff\0 \r\n\t"):
            raise DataError(f"{source}: is empty. It needs a header and rows.")
        self.newline = "\r\n" if "\r\n" in start else "\n"
        self.delimiter = delimiter or delimiter_of(start)
        # A table goes out as CSV with the delimiter it came with as CSV; TSV has no other.
        self.csv_delimiter = "," if delimiter else self.delimiter
        csv.field_size_limit(MAX_CELL)
        self._stream = stream
        self._read_text(self.encoding)
        try:
            self.columns: list[str] = next(self._reader, [])
        except csv.Error as error:
            self.close()
            raise DataError(f"{source}: the header cannot be read as CSV ({error}).") from None
        except BaseException:
            self.close()
            raise
        self._header = "".join(self._lines.used)
        self._lines.used.clear()

    def _read_text(self, encoding: str) -> None:
        """Read the stream as text from where it stands."""
        # Bytes that are no text come through as lone surrogates, by which their row is found.
        self._text = io.TextIOWrapper(self._stream, encoding, errors="surrogateescape", newline="")
        self._parse_lines(())

    def _parse_lines(self, before: Sequence[str]) -> None:
        """Go through some lines, and then those of the text, with the csv module."""
        self._lines = _Lines(chain(before, iter(partial(self._text.readline, MAX_CELL), "")))
        self._reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)

    def close(self) -> None:
        """Let go of the stream, which is its owner's to close."""
        # A signal or an error may come between two hands on the stream, when it is let go already.
        with suppress(ValueError):
            self._text.detach()

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""
        number = 1  # of the last record, as a spreadsheet counts
        if self.encoding in ("utf-8", "utf-8-sig"):
            for plain in self._plain_records():
                number += plain.n_records
                yield Batch(plain, {})
        while True:
            records, faults = self._records(number)
            if not records:
                return
            lines, self._lines.used = self._lines.used, []
            faults = self._odd_rows(records, number) | faults
            number += len(records)
            if len(self.columns) == 1:
                records = [cells or [""] for cells in records]
            elif not all(records):
                # Places move up where a blank line goes.
                kept = [i for i, cells in enumerate(records) if cells]
                faults = {place: faults[i] for place, i in enumerate(kept) if i in faults}
                records = [records[i] for i in kept]
            n_cells = len(self.columns)
            for place in faults:
                records[place] += [""] * (n_cells - len(records[place]))
            one_each = not faults and len(lines) == len(records)
            yield Batch(records, faults, lines if one_each else None)

    def _plain_records(self) -> Iterator[Records]:
        """Yield records as bytes as long as they are plain, and leave the others to the csv module."""
        self._text.detach()
        self._stream.seek(0)
        self._stream.read(len(self._header.encode(self.encoding, "surrogateescape")))
        self._read_text("utf-8")
        rest = b""
        go_on = True
        while go_on:
            more = self._stream.read(_BATCH_BYTES)
            rest += more
            records, go_on = cut(rest, self.delimiter, len(self.columns), is_last=not more)
            if records.n_records:
                yield records
                rest = rest[records.starts[-1] :]
            if not more:
                break
            # A record that is longer than a batch is no case for speed.
            go_on &= len(rest) < _BATCH_BYTES
        rest += self._stream.readline(MAX_CELL)
        text = io.StringIO(rest.decode("utf-8", "surrogateescape"), newline="")
        self._parse_lines(list(text))

    def _records(self, number: int) -> tuple[list[list[str]], dict[int, str]]:
        """Return the next records as they stand, and the places of those that are no CSV."""
        records: list[list[str]] = []
        faults: dict[int, str] = {}
        while len(records) < BATCH_ROWS:
            try:
                if not self._keep:
                    records.extend(islice(self._reader, BATCH_ROWS - len(records)))
                    break
                for cells in islice(self._reader, BATCH_ROWS - len(records)):
                    records.append(cells)
                    self._lines.used.clear()
                break
            except csv.Error as error:
                why = f"cannot be read as CSV ({error}): is a quote left open, or not doubled inside quotes?"
                self._raise(number + len(records) + 1, why)
                faults[len(records)] = why
                records.append([self._lines.first_of_broken_record().rstrip("\r\n")])
        return records, faults

    def _odd_rows(self, records: Sequence[Sequence[str]], number: int) -> dict[int, str]:
        """Return the places of rows with too many or too few cells, NUL bytes, or bytes that are no text."""
        n_cells = len(self.columns)
        odd_length = {len(cells) for cells in records} - {0, n_cells}
        together = "".join(chain.from_iterable(records))
        odd_text = "\0" in together or (not together.isascii() and _NO_TEXT.search(together))
        faults = {}
        if odd_length or odd_text:
            for place, cells in enumerate(records):
                why = ""
                if cells and len(cells) != n_cells:
                    why = f"has {len(cells)} cells where the header has {n_cells}"
                elif odd_text and any("\0" in cell for cell in cells):
                    why = "holds a NUL byte"
                elif odd_text and any(_NO_TEXT.search(cell) for cell in cells):
                    why = f"holds bytes that are no {self.encoding} text"
                if why:
                    self._raise(number + place + 1, why)
                    faults[place] = why
        return faults

    def _raise(self, row: int, why: str) -> None:
        if not self._keep:
            raise DataError(f"{self.source}, row {row} {why}. Mend it, or pass --on-error keep.")


#: What the error handler surrogateescape makes of bytes that are no text.
_NO_TEXT = re.compile("[\udc80-\udcff]")


class _Lines:
    """The lines of a file, those of the record at hand recorded, so that they can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.unrecorded = lines
        self.used: list[str] = []
        self._again: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self.unrecorded)
        self.used.append(line)
        return line

    def first_of_broken_record(self) -> str:
        """Return the line a broken record began with, and give back those it swallowed after it."""
        first, *rest = self.used
        self._again.extend(reversed(rest))
        self.used.clear()
        return first


class JsonlReader:
    """JSON lines: one object a line. Blank lines are no rows."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes], *, keep: bool) -> None:
        """Nothing is read yet."""
        self.source, self._stream, self._keep = source, stream, keep

    @cached_property
    def columns(self) -> list[str]:
        """The keys of all lines, in the order they come: reads the file once."""
        keys: dict[str, None] = {}
        for batch in self:
            for record in batch.rows:
                keys.update(dict.fromkeys(record))
        return list(keys)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the objects."""
        self._stream.seek(0)
        lines = enumerate(iter(partial(self._stream.readline, MAX_CELL), b""), 1)
        while True:
            records: list[Record] = []
            faults: dict[int, str] = {}
            for number, raw in lines:
                if not raw.strip():
                    continue
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").rstrip("\r\n")
                why, content = _parsed(line)
                if why:
                    if not self._keep:
                        raise DataError(
                            f"{self.source}, line {number} {why}. Mend it, or pass --on-error keep."
                        )
                    faults[len(records)] = why
                records.append(Record(json.dumps(content) if why else line, content))
                if len(records) == BATCH_ROWS:
                    break
            if not records:
                return
            yield Batch(records, faults)

    def close(self) -> None:
        """Nothing is held."""


def _parsed(line: str) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a JSON line, "" for nothing, and its object, or one that holds the line."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is no JSON ({error})", {"line": line}
    if not isinstance(content, dict):
        return "is no JSON object", {"line": line}
    return ("holds bytes that are no utf-8 text", {"line": line}) if _NO_TEXT.search(line) else ("", content)


class ParquetReader:
    """Parquet: batches are Arrow record batches, their types untouched."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        """Read the schema."""
        arrow = need_arrow(source)
        try:
            self._file = arrow.parquet.ParquetFile(stream)
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{source}: cannot be read as Parquet ({_first_line(error)}).") from None
        self.source, self._arrow = source, arrow
        self.columns = list(self._file.schema_arrow.names)
        self.schema = self._file.schema_arrow

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""
        try:
            for batch in self._file.iter_batches(BATCH_ROWS):
                yield Batch(batch, {})
        except (self._arrow.ArrowException, OSError) as error:
            raise DataError(f"{self.source}: is damaged ({_first_line(error)}).") from None

    def close(self) -> None:
        """Nothing is held."""


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
            raise DataError(f"{source}: is damaged, or no workbook ({_first_line(error)}).") from None
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
            raise DataError(f"{self.source}: is damaged ({_first_line(error)}).") from None
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
        raise DataError(f"{source}: is damaged, or no workbook ({_first_line(error)}).") from None
    finally:
        stream.seek(0)
    if any(member.filename.lower().endswith("vbaproject.bin") for member in members):
        raise DataError(f"{source}: {_REFUSED['xlsm']}")
    size, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    if size > max(_GROWTH_ASKED, _MAX_GROWTH * packed):
        raise DataError(_bomb(source))


def _bomb(source: str) -> str:
    return f"{source}: unpacks to more than {_MAX_GROWTH} times its size. If that is right, unpack it first."


class _Bounded(io.RawIOBase):
    """A stream being unpacked, which stops where it grows beyond reason."""

    def __init__(self, source: str, packed: IO[bytes], unpacked: IO[bytes]) -> None:
        self._source, self._packed, self._unpacked = source, packed, unpacked
        self._size = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._size = 0
        return self._unpacked.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        try:
            content = self._unpacked.read(len(buffer))
        except (OSError, EOFError, ValueError) as error:
            raise DataError(f"{self._source}: is damaged ({_first_line(error)}).") from None
        buffer[: len(content)] = content
        self._size += len(content)
        if self._size > max(_GROWTH_ASKED, _MAX_GROWTH * self._packed.tell()):
            raise DataError(_bomb(self._source))
        return len(content)


def unpacked(source: str, stream: IO[bytes], packing: str) -> IO[bytes]:
    """Return what a gzip or zstd stream holds, as a stream that can start again from its beginning.

    Raises:
        DataError: it is damaged, or grows beyond reason, found while reading; or pyarrow is missing.
    """
    content: Any = gzip.GzipFile(fileobj=stream) if packing == "gzip" else _ZstdFile(source, stream)
    return io.BufferedReader(_Bounded(source, stream, content), 1 << 20)


class _Unclosed:
    """A stream that Arrow, which closes what it is done with, cannot close: it is its owner's."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self.read, self.write, self.flush = stream.read, stream.write, stream.flush

    def close(self) -> None:
        pass


class _ZstdFile:
    """A zstd file that can start again from its beginning."""

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        self._arrow, self._stream = need_arrow(source), stream
        self.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset or whence:
            raise OSError("a packed file can only be read from its beginning")
        self._stream.seek(0)
        self._content = self._arrow.CompressedInputStream(
            self._arrow.PythonFile(_Unclosed(self._stream), "r"), "zstd"
        )
        return 0

    def read(self, size: int) -> bytes:
        return bytes(self._content.read(size))


def need_arrow(source: str) -> Any:  # noqa: ANN401
    """Return the module pyarrow with its Parquet part.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{source}: needs pyarrow; install it with pip install 'outsort[arrow]'.") from None
    return pa


@contextmanager
def packed_output(stream: IO[bytes], packing: str, source: str) -> Iterator[Any]:
    """Pack what is written into `stream`; it stays open.

    Raises:
        DataError: the packing needs pyarrow, which is not installed.
    """
    if not packing:
        yield stream
    elif packing == "gzip":
        # No name and no time inside: the same rows give the same bytes.
        with gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0) as packed:
            yield packed
    else:
        pa = need_arrow(source)
        with pa.CompressedOutputStream(pa.PythonFile(_Unclosed(stream), "w"), "zstd") as packed:
            yield packed


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


def open_writer(
    stream: IO[bytes], style: str, columns: Sequence[str], added: Mapping[str, type], reader: Reader
) -> Writer:
    """Open a table for writing.

    Args:
        stream: where to.
        style: one of `FORMATS`.
        columns: the names of the columns that batches bring.
        added: the names of the columns added behind, and the Python type of each.
        reader: where the batches come from: a CSV file goes out in the dialect it came in.
    """
    if style in ("csv", "tsv"):
        return CsvWriter(stream, columns, list(added), reader, "\t" if style == "tsv" else None)
    if style == "jsonl":
        return JsonlWriter(stream, columns)
    if style == "parquet":
        return ParquetWriter(stream, columns, added, reader)
    return ExcelWriter(stream, columns, list(added))


class CsvWriter:
    """CSV in the delimiter and line ends of the CSV it came from; comma and newline otherwise."""

    def __init__(
        self,
        stream: IO[bytes],
        columns: Sequence[str],
        added: Sequence[str],
        reader: Reader,
        delimiter: str | None,
    ) -> None:
        """Write the header."""
        self._stream, self._columns = stream, columns
        self._delimiter = delimiter or str(getattr(reader, "csv_delimiter", ","))
        self._newline = str(getattr(reader, "newline", "\n"))
        self._same_dialect = getattr(reader, "delimiter", None) == self._delimiter
        # Excel takes UTF-8 without a mark for something else; who did not send plain UTF-8 has Excel.
        self._write_text("" if reader.encoding == "utf-8" else "\ufeff")
        self._write_text(self._line([*columns, *added]))

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows; one that came as a line goes out as that line with the new cells behind."""
        if isinstance(batch.rows, Records) and self._same_dialect:
            self._stream.write(self._extended(batch.rows, added))
            return
        if batch.lines is not None and self._same_dialect:
            raw = [line.encode("utf-8", "surrogateescape") for line in batch.lines]
            starts = np.cumsum([0, *map(len, raw)])
            records = Records(np.frombuffer(b"".join(raw), np.uint8), starts, self._delimiter)
            self._stream.write(self._extended(records, added))
            return
        rows = zip(plain_rows(batch, self._columns), _rows_of(added), strict=True)
        self._write_text("".join(self._line([*row, *new]) for row, new in rows))

    def close(self) -> None:
        """Nothing is left."""

    def _write_text(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "surrogateescape"))

    def _line(self, values: Iterable[object]) -> str:
        return self._delimiter.join(map(self._quoted, values)) + self._newline

    def _extended(self, records: Records, added: Added) -> bytes:
        codes: list[NDArray[Any]] = []
        cells: list[str] = []
        for column in added.values():
            if isinstance(column, Coded):
                codes.append(column.codes + len(cells))
                cells += map(self._quoted, column.values)
            else:
                codes.append(column)
        return records.extended(codes, cells, self._newline)

    def _quoted(self, value: object) -> str:
        """Return a value as a cell, in quotes where it must be.

        Not by the csv module: some of its versions leave a lone carriage return bare, and others end the
        row there.
        """
        cell = "" if value is None else str(_as_cell(value))
        if self._delimiter in cell or _MARKS.search(cell):
            cell = '"' + cell.replace('"', '""') + '"'
        return cell


_MARKS = re.compile('["\r\n]')


def _rows_of(added: Added) -> Iterator[tuple[Any, ...]]:
    """Yield the values of the added columns row by row."""
    return zip(*(column.tolist() for column in added.values()), strict=True)


def _as_cell(value: object) -> object:
    """Return a value as CSV shows it: dates in ISO form, lists and objects as JSON."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value


class JsonlWriter:
    """JSON lines; an object that came as a line goes out as that line with the new keys behind."""

    def __init__(self, stream: IO[bytes], columns: Sequence[str]) -> None:
        """Nothing is written yet: there is no header."""
        self._stream, self._columns = stream, columns

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        new = (dict(zip(added, values, strict=True)) for values in _rows_of(added))
        if isinstance(batch.rows, list) and batch.rows and isinstance(batch.rows[0], Record):
            lines = (_spliced(record, more) for record, more in zip(batch.rows, new, strict=True))
        else:
            rows = plain_rows(batch, self._columns)
            lines = (
                _json(dict(zip(self._columns, row, strict=False)) | more)
                for row, more in zip(rows, new, strict=True)
            )
        self._stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """Nothing is left."""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _spliced(record: Record, more: Mapping[str, Any]) -> str:
    head = record.line.rstrip().removesuffix("}").rstrip()
    return f"{head}{', ' if record else ''}{_json(more)[1:]}"


class ParquetWriter:
    """Parquet; columns that came from Parquet keep their types, those of CSV are strings."""

    def __init__(
        self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], reader: Reader
    ) -> None:
        """Nothing is written before the first batch has told the types."""
        self._arrow = need_arrow("output")
        self._stream, self._columns, self._reader = stream, columns, reader
        types = {str: self._arrow.string(), float: self._arrow.float64()}
        self._added = {name: types[kind] for name, kind in added.items()}
        self._writer: Any = None
        self._schema = getattr(reader, "schema", None)

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        pa = self._arrow
        rows = batch.rows
        if isinstance(rows, (list, Records)):
            rows = self._table(plain_rows(batch, self._columns))
        for name, values in added.items():
            rows = rows.append_column(name, pa.array(values.tolist(), self._added[name]))
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        if self._writer is None:
            self._writer = pa.parquet.ParquetWriter(self._stream, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer; a table without rows has its columns."""
        pa = self._arrow
        if self._writer is None:
            schema = self._schema or pa.schema([(name, pa.string()) for name in self._columns])
            for name, kind in self._added.items():
                schema = schema.append(pa.field(name, kind))
            self._writer = pa.parquet.ParquetWriter(self._stream, schema, compression="zstd")
        self._writer.close()

    def _table(self, rows: Iterable[list[Any]]) -> Any:  # noqa: ANN401
        pa = self._arrow
        columns = list(zip(*rows, strict=True)) or [()] * len(self._columns)
        arrays = []
        for i, values in enumerate(columns):
            name = self._columns[i]
            kind = None if self._schema is None else self._schema.field(i).type
            try:
                arrays.append(pa.array(values, pa.string() if kind == pa.null() else kind))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                raise DataError(
                    f"column {name!r} holds values of several types ({_first_line(error)}), "
                    "which Parquet cannot. Write CSV or JSON lines instead."
                ) from None
        arrays = [a.cast(pa.string()) if a.type == pa.null() else a for a in arrays]
        if self._schema is None:
            self._schema = pa.schema([(n, a.type) for n, a in zip(self._columns, arrays, strict=True)])
        return pa.Table.from_arrays(arrays, schema=self._schema)


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
        for i, (row, new) in enumerate(zip(rows, _rows_of(added), strict=True)):
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
            self._sheet.write_string(self._n_rows, column, str(_as_cell(value)), cell_format)
        else:
            self._sheet.write(self._n_rows, column, value, cell_format)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
