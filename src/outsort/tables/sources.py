"""Open a table for reading, from a file or from standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from outsort.files import open_binary
from outsort.tables.base import ReadOptions
from outsort.tables.formats import FORMATS, Format, format_of
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
        source: the file; - for standard input, which is CSV unless the options say otherwise.
        options: how to read it.

    Raises:
        DataError: it cannot be read, with the row where there is one; also while iterating.
    """
    is_stdin = source == "-"
    name = "standard input" if is_stdin else source
    with _stream(source) as raw:
        style, packing = (
            (FORMATS["csv"], "") if is_stdin and not options.read_as else format_of(source, options.read_as)
        )
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
def _stream(source: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input on disk, because some formats must be read twice."""
    if source == "-":
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.seek(0)
            yield spool
        return
    hint = "Name a table with a text column, or files by a pattern such as 'folder/*.csv'."
    with open_binary(Path(source), hint=hint) as file:
        yield file
