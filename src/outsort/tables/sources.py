"""Open a table for reading, from a file or from standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from outsort.errors import DataError, raised_as
from outsort.files import open_binary
from outsort.tables.base import ReadOptions
from outsort.tables.formats import Format, format_of
from outsort.tables.packing import unpacked

if TYPE_CHECKING:
    from outsort.tables.base import Reader


class Opened(NamedTuple):
    """A table that is being read.

    Attributes:
        raw: its bytes.
        reader: its rows.
        format: its format.
    """

    raw: IO[bytes]
    reader: Reader
    format: Format


@contextmanager
def opened(source: str, options: ReadOptions) -> Iterator[Opened]:
    """Open a table to be read as the options say, for as long as the block lasts.

    Args:
        source: the file; - for standard input. What comes through a pipe is CSV unless its name or the options
            say otherwise.
        options: how to read it.

    Raises:
        DataError: it cannot be read, with the row where there is one; also while iterating.
    """
    name = "standard input" if source == "-" else source
    with _stream(source, name) as raw:
        style, packing = format_of(source, options.read_as or ("csv" if _is_nameless(source) else None))
        if style.names_columns and (options.header_row is not None or not options.has_header):
            raise DataError(f"{name}: {style.name} names its columns itself. Leave out --header-row and --no-header.")
        stream = unpacked(name, raw, packing) if packing else raw
        with closing(style.open_reader(name, stream, options)) as reader:
            yield Opened(raw, reader, style)


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
