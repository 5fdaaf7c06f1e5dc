"""Whole tables in memory, read from any format and written back like the original."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from outsort.data.problems import listed
from outsort.errors import DataError, OutputError
from outsort.files import written_whole
from outsort.tables.base import SURPLUS, Dialect, ReadOptions, Rows, warn
from outsort.tables.formats import format_of
from outsort.tables.packing import packed_output
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
    dialect = replace(reader.dialect, encoding=reader.encoding)
    index = pd.Index(numbers, name="row")
    frame = pd.DataFrame(cells, columns=columns, index=index, dtype=object)
    return Table(frame, source, reader.encoding.removesuffix("-sig"), dialect)


def write_table(frame: pd.DataFrame, path: Path, dialect: Dialect, *, before: bytes) -> None:
    """Write a frame as a table, atomically, in the format that the file's name tells.

    A file whose encoding lacks a letter that is to be written goes out as UTF-8.

    Args:
        frame: the rows.
        path: the file.
        dialect: how to write it.
        before: the content the file had when it was read; b"" for none.

    Raises:
        OutputError: it cannot be written, would lose what only the file holds, or has changed meanwhile.
    """
    if dialect.lost:
        raise OutputError(f"{path}: holds {dialect.lost}, which would be lost. Copy its rows to a CSV file.")
    columns = [str(column) for column in frame.columns]
    cells = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    try:
        _write(columns, cells, path, dialect, before)
    except UnicodeEncodeError:
        _write(columns, cells, path, replace(dialect, encoding="utf-8-sig"), before)


def _write(columns: Sequence[str], cells: list[list[object]], path: Path, dialect: Dialect, before: bytes) -> None:
    style, packing = format_of(path)
    with written_whole(path, force=True) as file:
        with packed_output(file, packing, str(path)) as stream:
            writer = style.open_writer(stream, columns, {}, dialect)
            writer.write(Rows(columns, cells, range(2, len(cells) + 2), {}), {})
            writer.close()
        for change in writer.changes:
            warn(f"{path}: {change}")
        if (path.read_bytes() if path.exists() else b"") != before:
            raise OutputError(f"{path}: changed while it was being merged into. Merge again.")
