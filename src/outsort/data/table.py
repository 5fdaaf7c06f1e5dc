"""Whole tables in memory, read from any format and written back like the original."""

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from outsort.data.problems import listed
from outsort.errors import DataError, OutputError
from outsort.files import replacing
from outsort.tables.base import SURPLUS, Dialect, ReadOptions, Rows, warn
from outsort.tables.editing import EDITORS, Edits
from outsort.tables.formats import format_of
from outsort.tables.packing import packed_output, unpacked
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
    """

    frame: pd.DataFrame
    source: str = "the frame"
    encoding: str = "utf-8"
    dialect: Dialect = field(default_factory=Dialect)

    @property
    def columns(self) -> tuple[str, list[str]]:
        """Its name and those of its columns."""
        return self.source, [str(column) for column in self.frame.columns]


def read_table(data: Path | str | pd.DataFrame, *, drop_surplus: bool = False) -> Table:
    """Read a table in any format that `outsort score` reads; a frame is one already.

    Args:
        data: a file, or a frame.
        drop_surplus: drop cells beyond the header of a sheet, such as notes in the margin, instead of
            refusing their row.

    Raises:
        DataError: the file cannot be read or is empty; or rows cannot be read, which are listed.
    """
    if isinstance(data, pd.DataFrame):
        return Table(data)
    source = str(data)
    cells: list[list[object]] = []
    numbers: list[int] = []
    problems: list[str] = []
    with opened(source, ReadOptions(keep=True)) as table:
        reader = table.reader
        columns = reader.columns
        for batch in reader:
            problems += (
                f"row {batch.numbers[place]} {why}"
                for place, why in batch.faults.items()
                if not (drop_surplus and why.startswith(SURPLUS))
            )
            cells += (row[: len(columns)] for row in batch.values(columns))
            numbers += batch.numbers
    if problems:
        raise DataError(listed(source, problems))
    if not cells:
        raise DataError(f"{source}: has a header but no rows. Add the rows to learn from.")
    dialect = replace(reader.dialect, encoding=reader.encoding, origin=None)
    index = pd.Index(numbers, name="row")
    frame = pd.DataFrame(cells, columns=columns, index=index, dtype=object)
    return Table(frame, source, reader.encoding.removesuffix("-sig"), dialect)


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
    style, packing = format_of(table.source)
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
