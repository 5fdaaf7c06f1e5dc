"""Standard streams that may be closed, full, or of any encoding."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Make the standard streams fit for data: each is open, and in UTF-8 unless it is a terminal."""
    is_ours = sys.stdout is sys.__stdout__
    sys.stdin = sys.stdin or _unusable("r", os.O_WRONLY)
    sys.stdout = sys.stdout or _unusable("w", os.O_RDONLY)
    # Messages may get lost: the exit code is the same.
    sys.stderr = sys.stderr or _unusable("w", os.O_WRONLY)
    if is_ours and not sys.stdout.isatty():
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False)))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Other encodings lack letters, and what reads the data takes them for UTF-8. A terminal may lack some
            # too; that must not lose their row.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def _unusable(mode: str, flags: int) -> TextIO:
    """Return a stream in the place of a closed one, which the next file to be opened would take otherwise.

    That file would get what is meant for the stream. This one is open the other way round: using it is an error.
    """
    return cast("TextIO", os.fdopen(os.open(os.devnull, flags), mode, closefd=False))


class _Output(io.FileIO):
    """Standard output, whose error says so, and comes once: what follows, such as the last flush, is dropped."""

    _failed = False

    def write(self, data: ReadableBuffer) -> int:
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._failed = True
            what = f"cannot be written ({error.strerror}). Send it elsewhere"
            raise OSError(error.errno, what, "standard output") from None
