"""Read and write files, with one clear message for each thing that can go wrong."""

import codecs
import contextlib
import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from outsort.errors import DataError, OutputError

_DELIMITERS = (",", ";", "\t", "|")
#: What stands in a string for what is not text: halves of pairs in JSON, and bytes that decoding escaped.
NOT_TEXT = re.compile("[\ud800-\udfff]")


def open_binary(path: Path, *, hint: str) -> IO[bytes]:
    """Open `path` for reading.

    Args:
        path: the file to read.
        hint: what to do if there is none, as a sentence.

    Raises:
        DataError: there is no such file, it is a directory, or it cannot be read.
    """
    try:
        file = path.open("rb")
        try:
            # Some files can be opened but not read, and a pipe can be read only once.
            file.peek(1)
        except BaseException:
            file.close()
            raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. {hint}") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a directory. {hint}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {hint}") from error
    return file


def read_bytes(path: Path, *, hint: str) -> bytes:
    """Return the content of `path`; see `open_binary`."""
    with open_binary(path, hint=hint) as file:
        return file.read()


def decode(raw: bytes, source: str) -> tuple[str, str]:
    """Decode `raw`; return the text without a byte-order mark, and the encoding.

    Raises:
        DataError: the bytes are not valid UTF-8, UTF-16 or cp1252.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif _every_other_nul(raw):
        candidates = ["utf-16-le"]
    else:
        candidates = ["utf-8-sig", "cp1252"]
    for encoding in candidates:
        try:
            return raw.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError as error:
            where = raw.count(b"\n", 0, error.start) + 1
    wanted = " or ".join(encoding.removesuffix("-sig") for encoding in candidates)
    raise DataError(f"{source}: line {where} is not valid {wanted}. Save the file as UTF-8.")


def is_encoding(name: str) -> bool:
    """Return whether Python knows a text encoding of that name.

    >>> is_encoding("cp1252"), is_encoding("klingon"), is_encoding("rot13")
    (True, False, False)
    """
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def sniff_encoding(stream: IO[bytes]) -> str:
    """Detect the encoding of a stream by reading all of it, then rewind.

    A few bytes that are not UTF-8 among more characters that are: errors in their rows. The other way
    round, the stream is cp1252, in which some pairs of letters look like UTF-8.

    >>> sniff_encoding(io.BytesIO("Büro".encode("cp1252")))
    'cp1252'
    """
    head = stream.read(1 << 16)
    encoding = "utf-8"
    if head.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif _every_other_nul(head):
        encoding = "utf-16-le"
    elif _every_other_nul(head[1:]):
        encoding = "utf-16-be"
    else:
        stream.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := stream.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            encoding = "utf-8" if _is_mostly_utf8(stream) else "cp1252"
    stream.seek(0)
    return encoding


def _is_mostly_utf8(stream: IO[bytes]) -> bool:
    """Return whether a stream holds at least as many characters beyond ASCII in UTF-8 as bytes that are not UTF-8."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    n_others = n_invalid = 0
    while chunk := stream.read(1 << 20):
        text = decoder.decode(chunk)
        n_others += len(text) - len(text.encode("ascii", "ignore"))
        n_invalid += len(NOT_TEXT.findall(text))
    return n_others >= 2 * n_invalid + len(decoder.getstate()[0])


def delimiter_of(text: str) -> str:
    """Return the delimiter that splits the first record of a CSV text into the most cells; comma on a tie."""
    head = text[:100_000]

    def n_cells(delimiter: str) -> int:
        records = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        return len(next((record for record in records if record), []))

    return max(_DELIMITERS, key=n_cells)


_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def for_workbook(text: str) -> str:
    """Replace characters that XML cannot hold, control characters and lone surrogates, by U+FFFD."""
    return _NO_XML.sub("\ufffd", text)


def check_output(path: Path, *, force: bool) -> None:
    """Raise OutputError unless `path` can be written; call this before long work, not after it."""
    if path.is_dir():
        raise OutputError(f"{path}: is a directory. Name a file in it.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a regular file. Name one, or - for standard output.")
    if path.exists() and not force:
        raise OutputError(f"{path}: already exists. Pass --force to replace it.")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist. Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} is not writable. Name another.")


@contextlib.contextmanager
def written_whole(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Write `path` atomically.

    The content goes to a temporary file in the same folder, which replaces `path` when the block succeeds.
    On an error the temporary file is removed and an existing file is left as it was.

    Raises:
        OutputError: the path exists (and not `force`) or cannot be written.
    """
    check_output(path, force=force)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp creates files that only their owner can read; an output gets the usual permissions.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        part.unlink(missing_ok=True)


def sweep(paths: Iterable[Path]) -> None:
    """Remove the temporary files that `written_whole` left beside `paths` if its process was killed."""
    names: dict[Path, list[str]] = {}
    for path in paths:
        names.setdefault(path.parent, []).append(path.name)
    for folder, wanted in names.items():
        known = set(wanted)
        for part in folder.glob(".*.part"):
            if part.name[1:].removesuffix(".part").rpartition(".")[0] in known:
                part.unlink(missing_ok=True)


def _every_other_nul(raw: bytes) -> bool:
    """Return whether this looks like Western text in UTF-16 without a byte-order mark."""
    return raw[1:200:2].count(0) > len(raw[:200]) // 3


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
