"""Read a file in a process of its own, bounded in memory and time, which may end without harm to this one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

from outsort.errors import COPY_AGAIN, DataError

#: Bytes of memory and seconds of processor time that reading such a file may take.
MAX_MEMORY, MAX_SECONDS = 1 << 31, 900
_CHILD = Path(__file__).with_name("bounded_child.py")
#: How a process ends that took more time than it may.
_OUT_OF_TIME = -24


def on_disk(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream that a process can be given: the same, or a copy of it, to be closed by the caller."""
    try:
        stream.fileno()
    except OSError:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
        copyfileobj(stream, copy)
        copy.flush()
        return copy
    return stream


def answers(
    source: str, stream: IO[bytes], module: str, *arguments: str, what: str, instead: str, seconds: int = MAX_SECONDS
) -> Iterator[Any]:
    """Yield what `answers(stream, *arguments)` of a module of this package yields in a process of its own.

    Args:
        source: the name of the file for messages.
        stream: the file, see `on_disk`.
        module: the name of the module within `outsort.tables`.
        arguments: strings.
        what: what the file should be, in words, such as "a workbook".
        instead: what to do about one that is too large, as a sentence.
        seconds: of processor time that it may take.

    Raises:
        DataError: what the function raises, or the process had to be ended.
    """
    stream.seek(0)
    command = [sys.executable, "-P", str(_CHILD), str(MAX_MEMORY), str(seconds), module, *arguments]
    with subprocess.Popen(  # noqa: S603 - our own file
        command, stdin=stream.fileno(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            if child.stdout is None:
                raise OSError("no pipe")
            last: Any = None
            for line in child.stdout:
                last = json.loads(line)
                if isinstance(last, dict):
                    break
                yield last
            code = child.wait()
        finally:
            child.kill()
    if code:
        raise DataError(f"{source}: {_failure(last, code, what, instead, seconds)}")


def _failure(last: object, code: int, what: str, instead: str, seconds: int) -> str:
    told = last if isinstance(last, dict) else {}
    if "refused" in told:
        return str(told["refused"])
    if "error" in told:
        return f"is damaged, or not {what} ({told['error']}). {COPY_AGAIN}"
    if code == _OUT_OF_TIME:
        return f"takes longer than {seconds // 60} minutes to read. {instead}"
    return f"needs more than {MAX_MEMORY >> 30} GB of memory, or is damaged. {instead}"
