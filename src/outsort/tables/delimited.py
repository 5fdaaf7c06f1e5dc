"""CSV and TSV: read as bytes while it is plain, by the csv module where it is not."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outsort.buffers import first_told
from outsort.encodings import USUAL, detect, is_encoding, likely
from outsort.errors import DataError, raised_as
from outsort.files import NOT_TEXT, csv_cell, csv_record
from outsort.tables.base import (
    BATCH_ROWS,
    MAX_CELL,
    Categorical,
    Dialect,
    Location,
    Rows,
    beyond_header,
    in_hexadecimal,
    plain_cell,
    rows_of,
    texts_of,
)
from outsort.tables.csv_head import SEP_LINE, checked_delimiter, find_head
from outsort.tables.letters import letters_of
from outsort.tables.marks import LAST, Marks, after_table, marked
from outsort.tables.not_work import NOTE, TOTAL_PARTS
from outsort.tables.records import Records, parse_prefix

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch, BatchTexts, ReadOptions, TextColumns

#: Share of rows that begin with a code, where a last line of words is none of them.
_SHARE_CODES = 0.9
#: Bytes of plain CSV that make a batch.
_BATCH_BYTES = 1 << 21

#: How a separator begins. Dashes within a line are common: many messages quote others below a line of these.
_SEPARATORS = (b"\n---", b"\n===", b"\n|--", b"\n+--")


@dataclass(frozen=True)
class PlainBatch:
    """A batch of plain records as bytes; see `base.Batch`."""

    columns: Sequence[str]
    records: Records
    numbers: range
    #: Only plain records get here: those of rows that are no work, see `marks`.
    faults: Mapping[int, str] = field(default_factory=dict)

    @property
    def header(self) -> Sequence[str]:
        """See `base.Batch`."""
        return self.columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.records.n_records

    def cells_at(self, place: int) -> Sequence[object]:
        """Return the cells of a row."""
        return self.rows(place, place + 1)[0]

    def head(self, n: int) -> PlainBatch:
        """Return the first n rows."""
        faults = {place: why for place, why in self.faults.items() if place < n}
        return PlainBatch(self.columns, self.records.head(n), self.numbers[:n], faults)

    def rows(self, start: int, stop: int) -> list[list[str]]:
        """Return the cells of some rows."""
        return self.records._replace(starts=self.records.starts[start : stop + 1]).cells()

    def suspects(self, header: str) -> list[int]:
        """Return the places of rows that may be no work: totals, separators, blank ones and the header again."""
        records = self.records
        # With a line end before the first record as before the others.
        first = int(records.starts[0]) - 1
        data = b"\n" + records.data[first + 1 : int(records.starts[-1])].tobytes()
        blank = b"\n" + records.delimiter.encode() * (len(self.columns) - 1)
        wanted = [*map(str.encode, TOTAL_PARTS), header.strip("\r\n").encode("utf-8", "surrogateescape"), *_SEPARATORS]
        wanted += [blank + b"\n", blank + b"\r"] if len(self.columns) > 1 else []
        found: set[int] = set()
        for part in filter(None, wanted):
            at = data.find(part)
            while at >= 0:
                # The line end before a blank record belongs to the record before.
                place = int(np.searchsorted(records.starts, first + at + part.startswith(b"\n"), side="right")) - 1
                found.add(place)
                at = data.find(part, max(at + 1, int(records.starts[place + 1]) - first - 1))
        return sorted(found)

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows as lists of cells."""
        return self.records.cells()

    def texts(self, columns: TextColumns) -> BatchTexts:
        """Return the text of each row."""
        if len(columns) > 1:
            return texts_of(columns, self.records.cells())
        return first_told(self.records.texts(column.place) for column in columns[0])


@dataclass(frozen=True)
class LineRows(Rows):
    """Rows of a CSV file each of which came on one line.

    Attributes:
        lines: n_rows lines.
        delimiter: between cells.
    """

    _per_row: ClassVar = (*Rows._per_row, "lines")

    lines: Sequence[str]
    delimiter: str

    @property
    def records(self) -> Records:
        """The lines as bytes."""
        raw = [line.encode("utf-8", "surrogateescape") for line in self.lines]
        starts = np.cumsum([0, *map(len, raw)])
        return Records(np.frombuffer(b"".join(raw), np.uint8), starts, self.delimiter)


class CsvReader:
    """CSV and its kin: cells are strings and stay what they are. Blank lines are not rows."""

    #: None to find it.
    _delimiter: str | None = None
    nested_columns = ()

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:
        """Read the header."""
        self.source, self._keep = source, options.keep
        head = stream.read(1 << 16)
        stream.seek(0)
        self.encoding = _encoding_of(source, stream, head, options.encoding)
        not_text = f"{source}: the header is not valid {self.encoding}"
        with raised_as(DataError, not_text, _NAME_IT, UnicodeError):
            start = head.decode(self.encoding, "replace")
        if not start.strip("\ufeff\0 \r\n\t"):
            raise DataError(f"{source}: is empty. It needs a header and rows.")
        start = start.removeprefix("\ufeff")
        sep_line = SEP_LINE.match(start)
        told = checked_delimiter(source, options.delimiter) or (sep_line and sep_line[1]) or self._delimiter
        where = find_head(source, start[sep_line.end() :] if sep_line else start, told, options)
        self.delimiter, self._has_surplus = where.delimiter, where.ends_in_delimiter
        self.dialect = Dialect(
            # TSV that goes out as CSV is separated by commas.
            delimiter="," if self.delimiter == self._delimiter else self.delimiter,
            newline="\r\n" if "\r\n" in start else "\n",
            encoding="utf-8" if self.encoding == "utf-8" else "utf-8-sig",
            header_row=where.place + 1,
            lost="a delimiter at the end of every row" if self._has_surplus else "",
        )
        csv.field_size_limit(MAX_CELL)
        self._stream = stream
        self._read_text(self.encoding)
        try:
            not_csv, hint = f"{source}: the header cannot be read as CSV", "Is a quote left open?"
            with raised_as(DataError, not_text, _NAME_IT, UnicodeError), raised_as(DataError, not_csv, hint, csv.Error):
                before = self._text.readline() if sep_line else ""
                above = list(islice(self._reader, max(0, where.place)))
                self.columns: list[str] = next(self._reader, [])
            if NOT_TEXT.search("".join(self.columns)):
                raise DataError(f"{not_text}. {_another(self.columns, self.encoding)}".rstrip())
        except BaseException:
            self.close()
            raise
        header = "".join(self._lines.used)
        if where.place < 0:
            # What was read is the first row.
            self._parse_lines(self._lines.used)
            header, self.columns = "", [letters_of(place) for place in range(where.n_columns)]
        self._before = before + header
        self._lines.used.clear()
        self.head_columns = self.columns
        guessed = where.place > 0 and options.header_row is None
        self.location = Location(
            header_row=where.place + 1,
            header=header if where.place == 0 else "",
            options=[f"--header-row {where.place + 1}"] if guessed else [],
            is_given=options.header_row is not None,
            remarks=[where.remark] if where.remark else [],
        )
        self._marks = Marks(self.columns, self.location, above)

    def _read_text(self, encoding: str) -> None:
        """Read the stream as text from its current position."""
        self._text = io.TextIOWrapper(self._stream, encoding, errors=_ESCAPE, newline="")
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
        return marked(self._batches(), self._marks)

    def _batches(self) -> Iterator[Batch]:
        number = self.location.header_row  # of the last record
        last: list[list[str]] = []
        if self.encoding in ("utf-8", "utf-8-sig") and not self._has_surplus:
            for plain in self._plain_records():
                yield PlainBatch(self.columns, plain, range(number + 1, number + 1 + plain.n_records))
                number += plain.n_records
                last = plain._replace(starts=plain.starts[-1 - min(LAST, plain.n_records) :]).cells()
        while True:
            records, faults = self._records(number)
            if not records:
                return
            lines, self._lines.used = self._lines.used, []
            if self._has_surplus:
                records = [cells[:-1] if self._is_surplus(cells) else cells for cells in records]
                lines = []
            yield self._batch(records, self._odd_rows(records, number, last) | faults, number, lines)
            number += len(records)
            last = records[-LAST:]

    def _is_surplus(self, cells: Sequence[str]) -> bool:
        """Return whether a row has one cell more than the header, a blank one."""
        return len(cells) == len(self.columns) + 1 and not cells[-1].strip()

    def _batch(self, records: list[list[str]], faults: dict[int, str], number: int, lines: list[str]) -> Rows:
        numbers = range(number + 1, number + 1 + len(records))
        one_each = not faults and len(lines) == len(records)
        if len(self.columns) == 1:
            records = [cells or [""] for cells in records]
        elif not all(records):
            # Places move up where a blank line goes.
            kept = [i for i, cells in enumerate(records) if cells]
            faults = {place: faults[i] for place, i in enumerate(kept) if i in faults}
            records = [records[i] for i in kept]
            lines = [lines[i] for i in kept] if one_each else lines
            return self._rows(records, faults, [numbers[i] for i in kept], lines if one_each else None)
        return self._rows(records, faults, numbers, lines if one_each else None)

    def _rows(
        self, records: list[list[str]], faults: dict[int, str], numbers: Sequence[int], lines: list[str] | None
    ) -> Rows:
        for place in faults:
            cells = list(map(in_hexadecimal, records[place]))
            records[place] = cells + [""] * (len(self.columns) - len(cells))
        if lines is None:
            return Rows(self.columns, records, numbers, faults)
        return LineRows(self.columns, records, numbers, faults, lines, self.delimiter)

    def _plain_records(self) -> Iterator[Records]:
        """Yield records as bytes as long as they are plain, and leave the others to the csv module."""
        self._text.detach()
        self._stream.seek(0)
        self._stream.read(len(self._before.encode(self.encoding, "surrogateescape")))
        self._read_text("utf-8")
        rest = b""
        go_on = True
        while go_on:
            more = self._stream.read(_BATCH_BYTES)
            rest += more
            records, go_on = parse_prefix(rest, self.delimiter, len(self.columns), is_last=not more)
            if records.n_records:
                yield records
                rest = rest[records.starts[-1] :]
            if not more:
                break
            # A record longer than a batch need not be fast.
            go_on &= len(rest) < _BATCH_BYTES
        rest += self._stream.readline(MAX_CELL)
        text = io.StringIO(rest.decode("utf-8", "surrogateescape"), newline="")
        self._parse_lines(list(text))

    def _records(self, number: int) -> tuple[list[list[str]], dict[int, str]]:
        """Return the next records unchanged, and the places of those that are not valid CSV."""
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
                why = f"cannot be read as CSV ({error}; is a quote left open, or not doubled inside quotes?)"
                self._raise(number + len(records) + 1, why)
                faults[len(records)] = why
                records.append([self._lines.first_of_broken_record().rstrip("\r\n")])
            except UnicodeError as error:
                why = f"is not valid {self.encoding} ({error})"
                raise DataError(f"{self.source}, row {number + len(records) + 1} {why}. {_NAME_IT}") from None
        return records, faults

    def _odd_rows(self, records: Sequence[list[str]], number: int, before: Sequence[Sequence[str]]) -> dict[int, str]:
        """Return the places of rows with too many or too few cells, NUL bytes, or bytes that are no text.

        Cells beyond the header go from the row to what is said of it. Some rows before these tell what a row is like.
        """
        n_cells = len(self.columns)
        odd_length = {len(cells) for cells in records} - {0, n_cells}
        together = "".join(chain.from_iterable(records))
        odd_text = "\0" in together or (not together.isascii() and NOT_TEXT.search(together))
        faults = {}
        if odd_length or odd_text:
            marks = self._marks_of_short_rows(records, number, before) if odd_length else {}
            for place, cells in enumerate(records):
                why = ""
                if place in marks:
                    faults[place] = marks[place]
                    continue
                if cells and len(cells) != n_cells:
                    why = f"has {len(cells)} cell{'s' * (len(cells) != 1)} where the header has {n_cells}"
                elif odd_text and any("\0" in cell for cell in cells):
                    why = "holds a NUL byte"
                elif odd_text and any(NOT_TEXT.search(cell) for cell in cells):
                    why = f"is not valid {self.encoding}"
                if why:
                    self._raise(number + place + 1, why, cells)
                    surplus = f": {beyond_header(cells[n_cells:])}" if len(cells) > n_cells else ""
                    faults[place] = why + surplus
                    del cells[n_cells:]
        return faults

    def _marks_of_short_rows(
        self, records: Sequence[list[str]], number: int, before: Sequence[Sequence[str]]
    ) -> dict[int, str]:
        """Return the places of rows with too few cells that are notes and the like, and what they are."""
        n_cells = len(self.columns)
        # Who writes a note does not quote its commas.
        whole = [[self.delimiter.join(cells)] if 0 < len(cells) < n_cells else cells for cells in records]
        is_end = len(records) < BATCH_ROWS
        has_table = number > self.location.header_row
        end = after_table(whole, range(len(whole)), has_table=has_table) if is_end else len(whole)
        if is_end and end == len(whole):
            end = self._closing_line(records, before)
        reasons = {place: self._marks.reason(cells) for place, cells in enumerate(whole) if cells}
        reasons |= {place: reasons.get(place) or NOTE for place in range(end, len(whole)) if whole[place]}
        return {place: why for place, why in reasons.items() if why and len(records[place]) < n_cells}

    def _closing_line(self, records: Sequence[Sequence[str]], before: Sequence[Sequence[str]]) -> int:
        """Return the place of a last line that is a note, with no blank line before it; the number of lines for none.

        It is one cell of several words, where rows begin with a code or a number: half a row is not taken for a note.
        """
        place = next((p for p in reversed(range(len(records))) if records[p]), 0)
        firsts = [cells[0].strip() for cells in (*before, *records[:place]) if len(cells) == len(self.columns)]
        n_codes = sum(len(cell.split()) == 1 for cell in firsts)
        is_one = bool(records) and len(records[place]) == 1 and len(self.columns) > 2
        is_note = (
            is_one and len(records[place][0].split()) > 1 and bool(firsts) and n_codes >= _SHARE_CODES * len(firsts)
        )
        return place if is_note else len(records)

    def _raise(self, row: int, why: str, cells: Sequence[str] = ()) -> None:
        if not self._keep:
            hint = _another(cells, self.encoding) if why.startswith("is not valid") else ""
            raise DataError(f"{self.source}, row {row} {why}. {hint}Fix it, or pass --on-error keep.")


def _another(cells: Sequence[str], encoding: str) -> str:
    """Return what to do about some cells that are not valid in the encoding of their file, "" for nothing."""
    if encoding.startswith(("utf-16", "utf-32")):
        return ""
    raw = b"".join(bytes([ord(char) & 0xFF]) if NOT_TEXT.match(char) else char.encode() for char in " ".join(cells))
    return f"Name its --encoding: worth trying are {', '.join(likely(raw))}. "


def _encoding_of(source: str, stream: IO[bytes], head: bytes, given: str | None) -> str:
    """Return the encoding of a stream: the one given, where there is one."""
    if given is None:
        return detect(stream, source).encoding
    if not is_encoding(given):
        raise DataError(f"{source}: there is no encoding {given!r}. Name one such as utf-8 or cp1252, or none.")
    if codecs.lookup(given).name in ("utf-8", "utf-8-sig"):
        # The mark is no part of the first name, and is skipped only where there is one.
        return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    return given


_NAME_IT = f"Name its --encoding: worth trying are {', '.join(USUAL)}."


_ESCAPE = "outsort.escape"


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that are no text as lone surrogates, by which their row is found.

    As surrogateescape does, which leaves out bytes that UTF-16 may have and UTF-8 may not.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPE, _escape)


class TsvReader(CsvReader):
    """Tab-separated values."""

    _delimiter = "\t"


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


def records_as_written(text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    r"""Yield each record of a CSV text as it is written there, line end included, and its cells.

    Those of a blank line are none. The n-th record is row n of `CsvReader`.

    >>> list(records_as_written('a,"b"\r\n\n', ","))
    [('a,"b"\r\n', ['a', 'b']), ('\n', [])]
    """
    lines = _Lines(iter(io.StringIO(text, newline="")))
    for cells in csv.reader(lines, delimiter=delimiter, strict=True):
        yield "".join(lines.used), cells
        lines.used.clear()


class CsvWriter:
    """CSV in the delimiter, line ends and encoding of its dialect."""

    changes = ()
    #: None for that of the dialect.
    _delimiter_of_format: str | None = None

    def __init__(self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect) -> None:
        """Write the header."""
        self._stream, self._columns = stream, columns
        self._delimiter = self._delimiter_of_format or dialect.delimiter
        self._newline = dialect.newline
        self._is_safe = dialect.safe_for_excel
        self._is_utf8 = dialect.encoding in ("utf-8", "utf-8-sig")
        # Incremental: the mark comes once.
        self._encoder = codecs.getincrementalencoder(dialect.encoding)("surrogateescape")
        self._write_text(self._line([*columns, *added]))

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows; one that came as a line goes out as that line with the new cells appended."""
        if isinstance(batch, (PlainBatch, LineRows)) and added and self._is_utf8 and not self._is_safe:
            records = batch.records
            if records.delimiter == self._delimiter:
                self._stream.write(self._extended(records, added))
                return
        new = rows_of(added) if added else [()] * len(batch)
        rows = zip(batch.values(self._columns), new, strict=True)
        self._write_text("".join(self._line([*row, *more]) for row, more in rows))

    def close(self) -> None:
        """Nothing is left."""

    def _write_text(self, text: str) -> None:
        self._stream.write(self._encoder.encode(text))

    def _line(self, values: Sequence[object]) -> str:
        return csv_record(map(self._plain, values), self._delimiter) + self._newline

    def _extended(self, records: Records, added: Added) -> bytes:
        codes: list[NDArray[Any]] = []
        cells: list[str] = []
        for column in added.values():
            if isinstance(column, Categorical):
                codes.append(column.codes + len(cells))
                cells += (csv_cell(self._plain(value), self._delimiter) for value in column.values)
            else:
                codes.append(column)
        return records.extended(codes, cells, self._newline)

    def _plain(self, value: object) -> object:
        """Return a value as it is written, guarded against spreadsheets that would run it if that is asked for."""
        plain = plain_cell(value)
        if self._is_safe and isinstance(plain, str) and plain.startswith(_FORMULA_STARTS):
            return plain if _NUMBER.fullmatch(plain) else f"'{plain}"
        return plain


class TsvWriter(CsvWriter):
    """Tab-separated values."""

    _delimiter_of_format = "\t"


#: What a cell begins with that a spreadsheet may take for a formula: the full-width signs in East Asian Excel.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: A number, which runs nothing.
_NUMBER = re.compile(r"[+-]?[\d.,]*\d([eE][+-]?\d+)?%?", re.ASCII)
