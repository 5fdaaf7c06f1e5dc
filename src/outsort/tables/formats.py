"""The registry of table formats."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

from outsort.errors import DataError
from outsort.tables.delimited import CsvReader, CsvWriter
from outsort.tables.excel import MACROS, ExcelReader, ExcelWriter
from outsort.tables.jsonl import JsonlReader, JsonlWriter
from outsort.tables.packing import unpacked
from outsort.tables.parquet import ParquetReader, ParquetWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from outsort.tables.base import Reader, Writer

FORMATS = ("csv", "tsv", "jsonl", "parquet", "xlsx")
_OTHER_SUFFIXES = {"ndjson": "jsonl", "tab": "tsv", "pq": "parquet", "txt": "csv"}
REFUSED = {
    "xlsm": MACROS,
    "xls": "is a workbook of the old format. Save it as .xlsx.",
    "xlsb": "is a binary workbook. Save it as .xlsx.",
    "ods": "is an OpenDocument sheet. Save it as .xlsx or .csv.",
}
_PACKINGS = {".gz": "gzip", ".zst": "zstd"}


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
    if found in REFUSED:
        raise DataError(f"{path}: {REFUSED[found]}")
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
