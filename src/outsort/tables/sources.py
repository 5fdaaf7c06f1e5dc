"""Open a table for reading, from a file or from standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from outsort.errors import DataError
from outsort.tables.formats import format_of, open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outsort.scoring.files import Options
    from outsort.tables.base import Reader


class Opened(NamedTuple):
    """A table that is being read.

    Attributes:
        raw: its bytes.
        reader: its rows.
        style: its format, one of `tables.FORMATS`.
    """

    raw: IO[bytes]
    reader: Reader
    style: str


@contextmanager
def opened(source: str, options: Options) -> Iterator[Opened]:
    """Open a table to be read as the options say, for as long as the block lasts.

    Args:
        source: the file; - for standard input, which is CSV unless the options say otherwise.
        options: how to read it.

    Raises:
        DataError: it cannot be read, with the row where there is one; also while iterating.
    """
    is_stdin = source == "-"
    style, packing = ("csv", "") if is_stdin and not options.read_as else format_of(source, options.read_as)
    with _input(source) as raw:
        reader = open_reader(
            "standard input" if is_stdin else source,
            raw,
            style,
            packing=packing,
            encoding=options.encoding,
            sheet=options.sheet,
            keep=options.keep,
        )
        with closing(reader):
            yield Opened(raw, reader, style)


@contextmanager
def _input(source: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input on disk, because some formats must be read twice."""
    if source == "-":
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.seek(0)
            yield spool
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise DataError(f"{source}: no such file. Name a table with a column of texts.") from None
    except IsADirectoryError:
        raise DataError(f"{source}: is a directory. Name its files, as in {source}/*.csv.") from None
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}).") from error
    with file:
        yield file
