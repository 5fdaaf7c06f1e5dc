"""ZIP archives with one table in them, or without tables one document."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO

from outsort.errors import COPY_AGAIN, DataError, raised_as
from outsort.tables.formats import format_of
from outsort.tables.packing import check_growth

#: What programs put into archives besides what was asked for.
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_MAX_NAMED = 5


@contextmanager
def extracted(source: str, stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """Unpack the one table of a ZIP archive to disk, for as long as the block lasts; yield its name and content.

    Raises:
        DataError: the archive is damaged, has a password, grows beyond reason, or does not hold exactly one table.
    """
    damaged = f"{source}: is damaged, or not a ZIP archive"
    # zipfile tells of a compression that it does not know by the second last, of a wrong password by the last.
    foreign = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
    with tempfile.TemporaryFile() as spool:
        with raised_as(DataError, damaged, COPY_AGAIN, *foreign), zipfile.ZipFile(stream) as archive:
            member = _table_of(source, archive)
            if member.flag_bits & 1:
                raise DataError(f"{source}: is protected by a password. Unpack it first.")
            with archive.open(member) as packed:
                size = 0
                for chunk in iter(partial(packed.read, 1 << 20), b""):
                    size += len(chunk)
                    check_growth(source, size, member.compress_size)
                    spool.write(chunk)
        spool.seek(0)
        yield member.filename, spool


def _table_of(source: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir() and not _is_litter(member.filename)]
    tables = [member for member in members if _is_read(member.filename, documents=False)]
    # What comes with a table, such as a read-me, is not asked for.
    tables = tables or [member for member in members if _is_read(member.filename, documents=True)]
    if len(tables) == 1:
        return tables[0]
    names = [repr(member.filename) for member in (tables or members)]
    more = f" and {len(names) - _MAX_NAMED:,} more" if len(names) > _MAX_NAMED else ""
    has = ", ".join(names[:_MAX_NAMED]) + more
    if tables:
        what = "documents" if format_of(tables[0].filename)[0].is_document else "tables"
        raise DataError(f"{source}: holds {len(tables):,} {what}: {has}. Unpack it, and name one, or all by a pattern.")
    raise DataError(f"{source}: holds no table; it has {has or 'nothing in it'}. Unpack it, and name a table.")


def _is_read(name: str, *, documents: bool) -> bool:
    """Return whether a name is that of a table, or of a document."""
    try:
        found, packing = format_of(name)
    except DataError:
        return False
    return packing != "zip" and found.is_document == documents


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER[0]) or name.rpartition("/")[2] in _LITTER[1:] or "/." in f"/{name}"
