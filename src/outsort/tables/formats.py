"""The registry of table formats: one entry each, read by the command line, the service and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from outsort.errors import DataError

if TYPE_CHECKING:
    from outsort.tables.base import Dialect, Reader, ReaderType, ReadOptions, Writer, WriterType


class Format(NamedTuple):
    """A format of tables.

    Attributes:
        name: what users call it, and the suffix of its files.
        other_suffixes: suffixes of its files besides.
        media_types: of HTTP; the first is the one that answers carry.
        module: the module of this package that holds its classes, imported when first needed: the command
            line names formats long before it needs what reads them.
        reader: its class of readers.
        writer: its class of writers, or what returns one.
        may_be_packed: whether its files may be compressed as a whole.
    """

    name: str
    other_suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    module: str
    reader: str
    writer: str
    may_be_packed: bool = True

    def open_reader(self, source: str, stream: IO[bytes], options: ReadOptions) -> Reader:
        """Open a table of this format for reading; see `base.Reader`."""
        return cast("ReaderType", self._class(self.reader))(source, stream, options)

    def open_writer(
        self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect
    ) -> Writer:
        """Open a table of this format for writing; see `base.Writer`."""
        return cast("WriterType", self._class(self.writer))(stream, columns, added, dialect)

    def _class(self, name: str) -> object:
        return getattr(import_module(f"outsort.tables.{self.module}"), name)


FORMATS = {
    found.name: found
    for found in (
        Format("csv", ("txt",), ("text/csv",), "delimited", "CsvReader", "CsvWriter"),
        Format("tsv", ("tab",), ("text/tab-separated-values",), "delimited", "TsvReader", "TsvWriter"),
        Format(
            "jsonl",
            ("ndjson",),
            ("application/jsonl", "application/x-ndjson", "application/ndjson", "application/x-jsonlines"),
            "jsonl",
            "JsonlReader",
            "JsonlWriter",
        ),
        Format(
            "parquet",
            ("pq",),
            ("application/vnd.apache.parquet",),
            "parquet",
            "ParquetReader",
            "ParquetWriter",
            may_be_packed=False,
        ),
        Format(
            "xlsx",
            (),
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
            "excel",
            "ExcelReader",
            "open_workbook",
            may_be_packed=False,
        ),
    )
}


class Packing(NamedTuple):
    """A compression of whole files."""

    name: str
    suffix: str
    media_type: str


PACKINGS = {
    found.name: found
    for found in (Packing("gzip", ".gz", "application/gzip"), Packing("zstd", ".zst", "application/zstd"))
}

#: The formats in words.
KNOWN = ", ".join(
    name + (f" (also {', '.join(p.suffix for p in PACKINGS.values())})" if found.may_be_packed else "")
    for name, found in FORMATS.items()
)
_BY_SUFFIX = {suffix: f.name for f in FORMATS.values() for suffix in (f.name, *f.other_suffixes)}
_NOT_READ = {
    "xlsm": "is a workbook with macros. Save it as .xlsx.",
    "xls": "is a workbook of the old format. Save it as .xlsx.",
    "xlsb": "is a binary workbook. Save it as .xlsx.",
    "ods": "is an OpenDocument sheet. Save it as .xlsx or .csv.",
}


def format_of(path: Path | str, given: str | None = None) -> tuple[Format, str]:
    """Return the format and the packing ("", gzip, zstd) that a file's name tells.

    Args:
        path: the file.
        given: the name of the format, where the user gave it.

    Raises:
        DataError: the name tells none that is known, or the format cannot be packed.

    >>> found, packing = format_of("tasks.csv.gz")
    >>> found.name, packing
    ('csv', 'gzip')
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packing = next((p.name for p in PACKINGS.values() if suffixes[-1:] == [p.suffix]), "")
    suffix = "".join((suffixes[:-1] if packing else suffixes)[-1:]).removeprefix(".")
    name = given or _BY_SUFFIX.get(suffix, suffix)
    if name in _NOT_READ:
        raise DataError(f"{path}: {_NOT_READ[name]}")
    if name not in FORMATS:
        what = f"the format {name!r} is not supported" if name else "the name does not tell the format"
        raise DataError(f"{path}: {what}. Known are {KNOWN}. Rename the file; score also takes --from, --to.")
    if packing and not FORMATS[name].may_be_packed:
        raise DataError(f"{path}: {name} is compressed already. Unpack the file first.")
    return FORMATS[name], packing


def packed_suffix(packing: str) -> str:
    """Return the suffix of a packing; "" for none."""
    return PACKINGS[packing].suffix if packing else ""
