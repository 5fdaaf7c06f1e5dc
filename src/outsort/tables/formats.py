"""The registry of table formats: one entry each, read by the command line, the service and the page."""

from __future__ import annotations

import re
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
        words: what a file of it is, in words.
        other_suffixes: suffixes of its files besides.
        media_types: of HTTP; the first is the one that answers carry.
        module: the module of this package that holds its classes, imported when first needed: the command
            line names formats long before it needs what reads them.
        reader: its class of readers.
        writer: its class of writers, or what returns one; "" for a format that is only read.
        may_be_packed: whether its files may be compressed as a whole.
        magic: a pattern of what all its files begin with; None for text.
        inside: what the names of some members of its archives or compound files begin with, one of these.
        has_encoding: whether its files are text in any encoding.
        of_objects: whether its rows are JSON objects, which need not have the same keys.
        names_columns: whether each value has a name, so that no row is the header.
    """

    name: str
    words: str
    other_suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    module: str
    reader: str
    writer: str
    may_be_packed: bool = True
    magic: re.Pattern[bytes] | None = None
    inside: tuple[str, ...] = ("",)
    has_encoding: bool = False
    of_objects: bool = False
    names_columns: bool = False

    @property
    def is_document(self) -> bool:
        """Whether its files are documents, of which the text is read."""
        return self.module.startswith("documents.")

    @property
    def only_read(self) -> str:
        """What to do with a format that is only read."""
        return f"{self.name} is read, not written. Name a file that ends in .xlsx or .csv, or pass --to."

    def open_reader(self, source: str, stream: IO[bytes], options: ReadOptions) -> Reader:
        """Open a table of this format for reading; see `base.Reader`."""
        return cast("ReaderType", self._class(self.reader))(source, stream, options)

    def open_writer(
        self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect
    ) -> Writer:
        """Open a table of this format for writing; see `base.Writer`.

        Raises:
            DataError: the format is only read.
        """
        if not self.writer:
            raise DataError(self.only_read)
        return cast("WriterType", self._class(self.writer))(stream, columns, added, dialect)

    def _class(self, name: str) -> object:
        return getattr(import_module(f"outsort.tables.{self.module}"), name)


_ZIP = b"PK\x03\x04"
_OLE, _ZIPPED = re.compile(rb"\xd0\xcf\x11\xe0"), re.compile(re.escape(_ZIP))
# The first member of a file of OpenDocument is its media type.
_ODF = rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument"

_TAGS = rb"(html|head|body|table|meta|script|style|div|title|article|main|section|h[1-6]|ul|ol|p)"
_HTML = re.compile(rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype html|" + _TAGS + rb"[\s>])", re.I | re.S)

FORMATS = {
    found.name: found
    for found in (
        Format("csv", "CSV", (), ("text/csv",), "delimited", "CsvReader", "CsvWriter", has_encoding=True),
        Format(
            "tsv",
            "TSV",
            ("tab",),
            ("text/tab-separated-values",),
            "delimited",
            "TsvReader",
            "TsvWriter",
            has_encoding=True,
        ),
        Format(
            "jsonl",
            "JSON lines",
            ("ndjson",),
            ("application/jsonl", "application/x-ndjson", "application/ndjson", "application/x-jsonlines"),
            "jsonl",
            "JsonlReader",
            "JsonlWriter",
            of_objects=True,
            names_columns=True,
        ),
        Format(
            "json",
            "JSON",
            (),
            ("application/json", "text/json"),
            "json",
            "JsonReader",
            "JsonWriter",
            of_objects=True,
            names_columns=True,
        ),
        Format(
            "parquet",
            "a Parquet file",
            ("pq",),
            ("application/vnd.apache.parquet",),
            "parquet",
            "ParquetReader",
            "ParquetWriter",
            may_be_packed=False,
            magic=re.compile(rb"PAR1"),
            names_columns=True,
        ),
        Format(
            "xlsx",
            "an Excel workbook",
            (),
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
            "workbooks.excel",
            "ExcelReader",
            "open_workbook",
            may_be_packed=False,
            magic=_ZIPPED,
            inside=("xl/",),
        ),
        *(
            Format(
                name,
                words,
                (),
                (media_type,),
                "workbooks.foreign",
                "ForeignReader",
                "",
                may_be_packed=False,
                magic=magic,
                inside=inside,
            )
            for name, words, media_type, magic, inside in (
                ("xls", "a workbook of the old format", "application/vnd.ms-excel", _OLE, ("Workbook", "Book")),
                (
                    "xlsb",
                    "a binary workbook",
                    "application/vnd.ms-excel.sheet.binary.macroenabled.12",
                    _ZIPPED,
                    ("xl/workbook.bin",),
                ),
                (
                    "ods",
                    "an OpenDocument sheet",
                    "application/vnd.oasis.opendocument.spreadsheet",
                    re.compile(_ODF + rb"\.spreadsheet", re.S),
                    ("",),
                ),
            )
        ),
        *(
            Format(
                name,
                words,
                others,
                media_types,
                "documents.reading",
                reader,
                "",
                may_be_packed=name != "docx",
                magic=magic,
                inside=("word/",) if name == "docx" else ("",),
                has_encoding=name in ("md", "txt"),
                names_columns=True,
            )
            for name, words, others, media_types, reader, magic in (
                ("pdf", "a PDF document", (), ("application/pdf",), "PdfReader", re.compile(rb"%PDF-")),
                (
                    "docx",
                    "a Word document",
                    ("docm",),
                    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
                    "DocxReader",
                    _ZIPPED,
                ),
                (
                    "html",
                    "a web page (HTML)",
                    ("htm", "xhtml"),
                    ("text/html", "application/xhtml+xml"),
                    "HtmlReader",
                    _HTML,
                ),
                ("md", "a text in Markdown", ("markdown",), ("text/markdown",), "MarkdownReader", None),
                ("txt", "plain text", (), ("text/plain",), "PlainReader", None),
            )
        ),
    )
}

#: Those of tables.
TABLES = {name: found for name, found in FORMATS.items() if not found.is_document}
#: Those that are written, too.
WRITTEN = {name: found for name, found in FORMATS.items() if found.writer}


class Packing(NamedTuple):
    """A compression of whole files.

    Attributes:
        name: what it is called.
        suffix: of its files.
        media_types: of HTTP; the first is the one that answers carry.
        magic: what its files begin with.
        is_written: whether outputs may be packed so; an archive is only read, for the one table in it.
    """

    name: str
    suffix: str
    media_types: tuple[str, ...]
    magic: bytes
    is_written: bool = True


PACKINGS = {
    found.name: found
    for found in (
        Packing("gzip", ".gz", ("application/gzip", "application/x-gzip"), b"\x1f\x8b\x08"),
        Packing("zstd", ".zst", ("application/zstd",), b"\x28\xb5\x2f\xfd"),
        Packing("zip", ".zip", ("application/zip", "application/x-zip-compressed"), _ZIP, is_written=False),
    )
}


class Unread(NamedTuple):
    """A kind of files that are not read, told by their bytes.

    Attributes:
        words: what a file of it is, in words.
        hint: what to do with one.
        magic: a pattern of what it begins with, after a byte-order mark and blanks.
        inside: see `Format`.
    """

    words: str
    hint: str
    magic: re.Pattern[bytes]
    inside: tuple[str, ...] = ("",)


_SAVE = "Save it as .xlsx."
_COPY = "Copy its table into a spreadsheet, and save that as .xlsx or .csv."
_AS_DOCUMENT = "Save it as .docx or .pdf."
_OPEN = "Open it in a spreadsheet program, and save it as .xlsx or .csv."
_PICTURE = rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF.{4}WEBP|BM.{4}\0\0\0\0"
_ARCHIVE = rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|BZh[1-9]1AY|\xfd7zXZ\0|.{257}ustar"
_LINE_OF_MAIL = rb"[A-Z][\w-]*:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*"
_MAIL = rb"(?=.{0,8000}^(MIME-Version|Message-ID|Received):)(" + _LINE_OF_MAIL + rb"){3}"
#: Kinds of files that are not read; the first that fits is named.
UNREAD = (
    Unread(
        "a workbook or document protected by a password", "Save it without the password.", _OLE, ("EncryptedPackage",)
    ),
    Unread("a Word document of the old format", _AS_DOCUMENT, _OLE, ("WordDocument",)),
    Unread("an e-mail", "Save the table attached to it.", _OLE, ("__substg1.0_",)),
    Unread("a document of an old Office program", _COPY, _OLE),
    Unread("a presentation", _COPY, _ZIPPED, ("ppt/",)),
    Unread("an OpenDocument file", _AS_DOCUMENT, re.compile(_ODF + rb"\.(?!spreadsheet)", re.S)),
    Unread("a Word document (RTF)", _AS_DOCUMENT, re.compile(rb"\{\\rtf")),
    Unread("a picture", "Type its table into a spreadsheet, or have its text recognised.", re.compile(_PICTURE, re.S)),
    Unread("an archive", "Unpack it, and name the table in it.", re.compile(_ARCHIVE, re.S)),
    Unread("a SQLite database", "Export its table as CSV.", re.compile(rb"SQLite format 3\0")),
    Unread("an XML document", _OPEN, re.compile(rb"<\?xml\s")),
    Unread("an e-mail", "Save the table attached to it.", re.compile(_MAIL, re.I | re.S | re.M)),
)

#: The formats in words.
KNOWN = ", ".join(
    name + (f" (also {', '.join(p.suffix for p in PACKINGS.values() if p.is_written)})" if found.may_be_packed else "")
    for name, found in FORMATS.items()
)
_BY_SUFFIX = {suffix: f.name for f in FORMATS.values() for suffix in (f.name, *f.other_suffixes)}
MACROS = "is a workbook with macros. Save it as .xlsx."


def format_of(path: Path | str, given: str | None = None) -> tuple[Format, str]:
    """Return the format and the packing ("", gzip, zstd, zip) that a file's name tells.

    Args:
        path: the file.
        given: the name of the format, where the user gave it.

    Raises:
        DataError: the name tells none that is known, or the format cannot be packed.

    >>> found, packing = format_of("tasks.csv.gz")
    >>> found.name, packing
    ('csv', 'gzip')
    """
    packing, stem = split_packing(path)
    suffix = Path(stem).suffix.lower().removeprefix(".")
    name = given or _BY_SUFFIX.get(suffix, suffix)
    if name == "xlsm":
        raise DataError(f"{path}: {MACROS}")
    if name not in FORMATS:
        what = f"the format {name!r} is not supported" if name else "the name does not tell the format"
        raise DataError(f"{path}: {what}. Known are {KNOWN}. Rename the file; score also takes --from, --to.")
    if packing in ("gzip", "zstd") and not FORMATS[name].may_be_packed:
        raise DataError(f"{path}: {name} is compressed already. Unpack the file first.")
    return FORMATS[name], packing


def output_format_of(path: Path | str, given: str | None = None) -> tuple[Format, str]:
    """Return the format and the packing that an output's name tells; see `format_of`.

    Raises:
        DataError: also where outputs cannot be packed so, or the format is only read.
    """
    packing, _ = split_packing(path)
    if packing and not PACKINGS[packing].is_written:
        suffix = PACKINGS[packing].suffix
        raise DataError(f"{path}: {suffix} is read, but not written. Name another output, or a format with --to.")
    found, packing = format_of(path, given)
    if not found.writer:
        raise DataError(f"{path}: {found.only_read}")
    return found, packing


def split_packing(path: Path | str) -> tuple[str, str]:
    """Return the packing that a file's name tells, "" for none, and the name without its suffix.

    >>> split_packing("tasks.csv.gz"), split_packing("tasks.csv")
    (('gzip', 'tasks.csv'), ('', 'tasks.csv'))
    """
    name = Path(path).name
    packing = next((p for p in PACKINGS.values() if name.lower().endswith(p.suffix)), None)
    return (packing.name, name[: -len(packing.suffix)]) if packing else ("", name)


def is_refused(path: Path | str) -> bool:
    """Return whether a file is refused for its name, whatever it holds: what reads it would lose its macros."""
    return Path(path).suffix.lower() == ".xlsm"


def packed_suffix(packing: str) -> str:
    """Return the suffix of a packing; "" for none."""
    return PACKINGS[packing].suffix if packing else ""
