"""Open a table for reading, from a file or from standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from outsort.encodings import detect
from outsort.errors import COPY_AGAIN, DataError, raised_as
from outsort.files import open_binary
from outsort.tables.archives import extracted
from outsort.tables.base import ReadOptions
from outsort.tables.contents import is_damaged_zip, is_table, is_text, kind_in, packing_in
from outsort.tables.formats import FORMATS, Format, Unread, format_of, is_refused, split_packing
from outsort.tables.packing import unpacked

if TYPE_CHECKING:
    from outsort.tables.base import Reader


class Opened(NamedTuple):
    """A table that is being read.

    Attributes:
        raw: its bytes.
        reader: its rows.
        format: its format.
        packing: how it is packed, "" for not at all.
        notes: what was guessed about it, each as a sentence.
    """

    raw: IO[bytes]
    reader: Reader
    format: Format
    packing: str
    notes: tuple[str, ...]


@contextmanager
def opened(source: str, options: ReadOptions) -> Iterator[Opened]:
    """Open a table to be read as the options say, for as long as the block lasts.

    A file is what its bytes say, whatever its name is; where these leave a choice, its name or the options tell.

    Args:
        source: the file; - for standard input. What comes through a pipe is CSV unless its name or the options
            say otherwise.
        options: how to read it.

    Raises:
        DataError: it cannot be read, with the row where there is one; also while iterating.
    """
    name = "standard input" if source == "-" else source
    with ExitStack() as stack:
        raw = stack.enter_context(_stream(source, name))
        packing, said = packing_in(raw), split_packing(source)[0]
        if said and not packing and not is_text(raw) and kind_in(raw) is None:
            raise DataError(f"{name}: is damaged, or not compressed. {COPY_AGAIN}")
        named, content = source, raw
        if packing == "zip":
            named, content = stack.enter_context(extracted(name, raw))
        elif packing:
            content = unpacked(name, raw, packing)
        inner = packing_in(content) if packing else ""
        if inner:
            raise DataError(f"{name}: is compressed twice, the second time by {inner}. Unpack it first.")
        given = options.read_as or ("csv" if _is_nameless(source) and packing != "zip" else None)
        has_columns = bool(options.delimiter or options.header_row or not options.has_header)
        style, notes = _format_in(name, named, given, content, has_columns=has_columns)
        if said != packing and not _is_nameless(source):
            how = f"is compressed by {packing}" if packing else "is not compressed"
            notes = [f"{how}, whatever its name says", *notes]
        if packing and not style.may_be_packed and packing != "zip":
            raise DataError(f"{name}: {style.name} is compressed already. Unpack the file first.")
        if style.names_columns and (options.header_row is not None or not options.has_header):
            raise DataError(f"{name}: {style.name} names its columns itself. Leave out --header-row and --no-header.")
        if style.has_encoding and options.encoding is None:
            found = detect(content, name)
            options = replace(options, encoding=found.encoding)
            notes += [found.note] if found.note else []
        reader = stack.enter_context(closing(style.open_reader(name, content, options)))
        notes += getattr(reader, "notes", ())
        yield Opened(raw, reader, style, packing, tuple(notes))


def _format_in(
    name: str, named: str, given: str | None, content: IO[bytes], *, has_columns: bool
) -> tuple[Format, list[str]]:
    """Return the format that some bytes are in, and what to tell of it.

    Args:
        name: what to call the file in messages.
        named: the name that tells its format.
        given: the name of the format, where the user gave it.
        content: the bytes, from their beginning.
        has_columns: whether an option speaks of its columns, so that text is a table.

    Raises:
        DataError: it is a kind of file that is not read, or nothing tells its format.
    """
    style, refusal = _named(named, given)
    if style and style.name == "txt" and not given:
        style = _of_text(content, has_columns=has_columns)
    if refusal and is_refused(named):
        raise refusal
    found = kind_in(content, style.name if style else "")
    if isinstance(found, Unread):
        raise DataError(f"{name}: is {found.words}, which is not read. {found.hint}")
    if found and style:
        _check_kind(name, found, style)
    if not found and is_damaged_zip(content) and not (style and any(style.inside)):
        raise DataError(f"{name}: is a damaged archive or workbook. {COPY_AGAIN}")
    if found and not found.magic and given and style and not style.magic:
        # Which kind of text it is, the user knows best.
        found = None
    if not found and style and style.magic and style.name != "html" and is_text(content):
        found = _of_text(content, has_columns=has_columns) if style.is_document else FORMATS["csv"]
    if found and found != style:
        return found, [f"is {found.words}, whatever its name says, and is read as that"]
    if style is None:
        raise refusal or DataError(f"{name}: its format is not known.")
    is_guess = style.name == "txt" and not given
    return style, ["if its lines are rows of a table, pass --from csv"] if is_guess else []


def _of_text(content: IO[bytes], *, has_columns: bool) -> Format:
    """Return the format of text that its name calls a document: prose, unless it looks like a table."""
    return FORMATS["csv" if has_columns or is_table(content) else "txt"]


def _named(named: str, given: str | None) -> tuple[Format | None, DataError | None]:
    """Return the format that a name tells, or why it tells none."""
    try:
        return format_of(named, given)[0], None
    except DataError as error:
        return None, error


def _check_kind(name: str, found: Format, named: Format) -> None:
    """Refuse a document that is named a table: programs call a web page .xls, and it would be read as one row."""
    if found.is_document and not named.is_document:
        hint = f"Save its table as .xlsx or .csv; or pass --from {found.name} to read it as a document."
        raise DataError(f"{name}: is {found.words}, not a table. {hint}")


def count_rows(path: Path) -> int:
    """Return how many rows a table in a file has.

    Raises:
        DataError: it cannot be read.
    """
    with opened(str(path), ReadOptions(keep=True)) as table:
        return sum(len(batch) for batch in table.reader)


@contextmanager
def _stream(source: str, name: str) -> Iterator[IO[bytes]]:
    """Open a file, or keep on disk what comes through a pipe, because some formats must be read twice."""
    if source == "-":
        with _spooled(sys.stdin.buffer, name) as spool:
            yield spool
        return
    hint = "Name a table with a text column, or files by a pattern such as 'folder/*.csv'."
    with (
        open_binary(Path(source), hint=hint) as file,
        nullcontext(file) if file.seekable() else _spooled(file, name) as raw,
    ):
        yield raw


@contextmanager
def _spooled(stream: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as spool:
        with raised_as(DataError, f"{name}: cannot be read", "Name a file, or send one.", OSError):
            shutil.copyfileobj(stream, spool)
        spool.seek(0)
        yield spool


def _is_nameless(source: str) -> bool:
    """Return whether a source has no name that could tell its format, as <(...) of a shell has none."""
    path = Path(source)
    return not path.suffix and (source == "-" or path.parts[:2] == ("/", "dev") or not path.is_file())
