"""Whole tables in memory, read from any format and written back like the original."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from outsort.data.identity import as_text
from outsort.data.problems import listed
from outsort.errors import DataError, OutputError
from outsort.files import replacing
from outsort.tables.base import (
    SURPLUS,
    Batch,
    Column,
    Dialect,
    Location,
    ReadOptions,
    Rows,
    TextColumns,
    paths_in,
    texts_of,
    used_columns,
    value_at,
    warn,
)
from outsort.tables.columns import N_JUDGED, Found, answers_in, find_text_columns
from outsort.tables.editing import EDITORS, Edits
from outsort.tables.formats import Format, output_format_of
from outsort.tables.not_work import NOT_WORK
from outsort.tables.packing import packed_output, unpacked
from outsort.tables.reading import Reading, describe
from outsort.tables.sources import opened


@dataclass(frozen=True)
class Table:
    """A table as read: cells of CSV are strings.

    Attributes:
        frame: its rows; the index is the row's number in a spreadsheet, where the header is row 1 and a
            record with line breaks in a cell is one row.
        source: its name in messages.
        encoding: the encoding found.
        dialect: how to write it.
        style: its format; None to go by the name of its source.
        packing: how it is packed.
        location: where in the file it is.
        notes: what was guessed about it, each as a sentence.
    """

    frame: pd.DataFrame
    source: str = "the frame"
    encoding: str = "utf-8"
    dialect: Dialect = field(default_factory=Dialect)
    style: Format | None = None
    packing: str = ""
    location: Location = field(default_factory=Location)
    notes: Sequence[str] = ()

    @property
    def columns(self) -> tuple[str, list[str]]:
        """Its name and those of its columns."""
        return self.source, [str(column) for column in self.frame.columns]

    def find_texts(self, wanted: str | None, *others: str | None, fall_back: bool = True) -> Found:
        """Return the text columns; see `tables.columns.find_text_columns`.

        Args:
            wanted: the requested one, which may be a path into objects, or None.
            others: names of columns that have another role.
            fall_back: see there.

        Raises:
            NoColumnError: there is no such column, or none that is clear.
        """
        source, names = self.columns
        nested = [] if wanted is None or wanted in names else paths_in(self._objects())
        return find_text_columns(
            source,
            names,
            () if wanted is None else (wanted,),
            lambda place: self._cells(Column([*names, *nested][place], place), N_JUDGED),
            nested=nested,
            others=others,
            fall_back=fall_back,
            may_be_row=not self.location.is_given,
        )

    def texts(self, columns: TextColumns) -> list[str]:
        """Return the text of each row."""
        used, by_place = used_columns(columns)
        cells = [self._cells(column) for column in used]
        return texts_of(by_place, zip(*cells, strict=True))

    def describe(
        self, texts: Found, reading: ReadOptions, *, label: str | None = None, line: str | None = None
    ) -> Reading:
        """Return what was read; see `tables.reading.describe`."""
        source, columns = self.columns
        return describe(
            source,
            self.location,
            columns,
            texts,
            reading,
            n_rows=len(self.frame),
            encoding=self.encoding,
            notes=self.notes,
            label=label,
            line=line,
        )

    def _cells(self, column: Column, n: int | None = None) -> list[str]:
        """Return the first n cells of a column, or all, as text; its place may be beyond the columns, for a path."""
        if column.place < len(self.frame.columns):
            return [as_text(cell) for cell in self.frame.iloc[:n, column.place]]
        return [as_text(value_at(row, column.name)) for row in self._objects(n)]

    def _objects(self, n: int | None = None) -> Iterator[dict[str, object]]:
        """Yield the first n rows, or all, as objects."""
        _, names = self.columns
        for row in self.frame.iloc[:n].itertuples(index=False, name=None):
            yield dict(zip(names, row, strict=True))


def read_table(
    data: Path | str | pd.DataFrame,
    *,
    drop_surplus: bool = False,
    only_work: bool = False,
    reading: ReadOptions | None = None,
) -> Table:
    """Read a table in any format that `outsort score` reads; a frame is one already.

    Args:
        data: a file, or a frame.
        drop_surplus: drop cells beyond the header of a sheet, such as notes in the margin, instead of
            refusing their row.
        only_work: leave out, and note, totals and other rows that are no work; also those that `score` found.
        reading: how to read a file, `ReadOptions()` when None.

    Raises:
        DataError: the file cannot be read or is empty; or rows cannot be read, which are listed.
    """
    if isinstance(data, pd.DataFrame):
        return Table(data)
    source = str(data)
    cells: list[list[object]] = []
    numbers: list[int] = []
    problems: list[str] = []
    with opened(source, replace(reading or ReadOptions(), keep=True)) as table:
        reader = table.reader
        columns = reader.columns
        scored = answers_in(columns) if only_work else None
        reason = scored.reason(columns) if scored else None
        at = None if reason is None else columns.index(reason)
        n_left_out = 0
        for batch in reader:
            values = list(batch.values(columns))
            no_work = _no_work(batch, values, at) if only_work else set()
            n_left_out += len(no_work)
            problems += (
                f"row {batch.numbers[place]} {why}"
                for place, why in batch.faults.items()
                if place not in no_work and not (drop_surplus and why.startswith(SURPLUS))
            )
            cells += (row[: len(columns)] for place, row in enumerate(values) if place not in no_work)
            numbers += (number for place, number in enumerate(batch.numbers) if place not in no_work)
    if problems:
        raise DataError(listed(source, problems))
    if not cells:
        raise DataError(f"{source}: has a header but no rows. Add the rows to learn from.")
    dialect = replace(reader.dialect, encoding=reader.encoding, origin=None)
    index = pd.Index(numbers, name="row")
    frame = pd.DataFrame(cells, columns=columns, index=index, dtype=object)
    left_out = f"{n_left_out} row{'s are' if n_left_out > 1 else ' is'} no work, such as a total, and left out"
    notes = (*table.notes, *([left_out] if n_left_out else []))
    about = (table.format, table.packing, reader.location, notes)
    return Table(frame, source, reader.encoding.removesuffix("-sig"), dialect, *about)


def _no_work(batch: Batch, values: Sequence[Sequence[object]], at: int | None) -> set[int]:
    """Return the places of rows that are no work, as they were read, or as `score` said in the column at a place."""
    found = {place for place, why in batch.faults.items() if why.startswith(NOT_WORK)}
    if at is not None:
        found |= {place for place, row in enumerate(values) if as_text(row[at]).startswith(NOT_WORK)}
    return found


def write_edits(table: Table, path: Path, edits: Edits, before: bytes) -> None:
    """Write a file of a table with some changes, atomically; what does not change in a text keeps its bytes.

    Args:
        table: the table; the format is that of its source.
        path: the file that its source leads to, which is `files.locked`.
        edits: the changes.
        before: the content of the file when the table was read; b"" for none.

    Raises:
        OutputError: it cannot be written, would lose what only the file holds, or has changed meanwhile.
    """
    if table.dialect.lost:
        message = f"{table.source}: holds {table.dialect.lost}, which would be lost. Copy its rows to a CSV file."
        raise OutputError(message)
    style, packing = (table.style, table.packing) if table.style else output_format_of(table.source)
    if packing == "zip":
        raise OutputError(f"{table.source}: is an archive, which is only read. Unpack it, and name the table in it.")
    edit = EDITORS.get(style.name)
    with replacing(path, before=before) as file, packed_output(file, packing, table.source) as stream:
        if edit and before:
            content = io.BytesIO(before)
            text = unpacked(table.source, content, packing).read() if packing else before
            stream.write(edit(text, table.dialect, edits))
        else:
            frame = _edited(table.frame, edits)
            columns = [str(column) for column in frame.columns]
            cells = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
            writer = style.open_writer(stream, columns, {}, table.dialect)
            writer.write(Rows(columns, cells, range(2, len(cells) + 2), {}), {})
            writer.close()
            for change in writer.changes:
                warn(f"{path}: {change}")


def _edited(frame: pd.DataFrame, edits: Edits) -> pd.DataFrame:
    frame = frame.assign(**dict.fromkeys(edits.columns, ""))
    for number, cells in edits.cells.items():
        for column, cell in cells.items():
            frame.loc[number, column] = cell
    new = pd.DataFrame(edits.rows, columns=frame.columns, dtype=object).fillna("")
    return pd.concat([frame, new])
