"""Read and write files, with one clear message for each thing that can go wrong."""

import codecs
import contextlib
import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from outsort.errors import DataError, OutputError, first_line

_DELIMITERS = (",", ";", "\t", "|")
#: Seconds to wait for another writer of the same file: a merge of a large table takes a few.
_PATIENCE = 60.0
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


def check_output(path: Path, *, force: bool) -> Path:
    """Return the file that `path` leads to, through links, if it can be written; call this before long work.

    A link that leads nowhere leads to the file that it names.

    Raises:
        OutputError: it exists (and not `force`) or cannot be written.
    """
    try:
        # The system refuses to follow a link that another user planted in a shared folder: so must we.
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise _not_written(path, error) from error
    if path.is_dir():
        raise OutputError(f"{path}: is a directory. Name a file in it.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a regular file. Name one, or - for standard output.")
    if path.exists() and not force:
        raise OutputError(f"{path}: already exists. Pass --force to replace it.")
    target = _followed(path)
    if not target.parent.is_dir():
        raise OutputError(f"{path}: the folder {target.parent} does not exist. Create it first.")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {target.parent} is not writable. Name another.")
    return target


@contextlib.contextmanager
def locked(path: Path, *, force: bool, patience: float = _PATIENCE) -> Iterator[Path]:
    """Let no other process or thread write `path` meanwhile; yield the file that it leads to.

    The lock is a file beside the target, where every program and user that may replace the target finds
    it. It goes with the block. One that a killed process left locks nothing: the next writer takes it.

    Args:
        path: the file.
        force: whether it may exist.
        patience: seconds to wait for another writer.

    Raises:
        OutputError: see `check_output`; or another writer has not finished in time.
    """
    from filelock import FileLock, Timeout

    target = check_output(path, force=force)
    file = _beside(target, "lock")
    # Whoever may write in the folder may have to wait for this lock, or take it over.
    lock = FileLock(file, timeout=patience, mode=0o666)
    try:
        # Where no file can be made, filelock tries until its time is over.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o666))
        lock.acquire()
    except Timeout:
        raise OutputError(f"{path}: another run is still writing it. Try again when it has ended.") from None
    except OSError as error:
        raise OutputError(f"{path}: its lock {file} cannot be taken ({_why(error)}).") from error
    try:
        # What was waited for may have created the file.
        check_output(path, force=force)
        yield target
    finally:
        # filelock leaves the file, but on Windows. It goes while it is still locked, so that whoever waits for it
        # finds it gone and creates another, rather than lock a file that is about to go.
        if os.name == "posix":
            with contextlib.suppress(OSError):
                file.unlink()
        lock.release()


@contextlib.contextmanager
def replacing(target: Path, *, before: bytes | None = None) -> Iterator[IO[bytes]]:
    """Write `target`, which is `locked`, atomically.

    The content goes to a temporary file in the same folder, which replaces the target when the block succeeds
    and has its mode and, where the system permits it, its owner and group. On an error the temporary file is
    removed and the target is left as it was. One that a killed process left is replaced.

    Args:
        target: the file.
        before: the content that is to be replaced; None for any.

    Raises:
        OutputError: the file cannot be written, or its content is not that of `before` any more.
    """
    part = _beside(target, "part")
    try:
        part.unlink(missing_ok=True)
        with _created_like(target, part) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if before is not None and (target.read_bytes() if target.exists() else b"") != before:
            raise OutputError(f"{target}: another program changed it meanwhile. Try again.")
        part.replace(target)
        _sync_folder(target.parent)
    except OutputError:
        raise
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


@contextlib.contextmanager
def written_whole(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Write `path` atomically, one process at a time; see `replacing` and `locked`.

    Raises:
        OutputError: the path exists (and not `force`) or cannot be written.
    """
    with locked(path, force=force) as target, replacing(target) as file:
        yield file


def sweep(paths: Iterable[Path]) -> None:
    """Remove what processes that were killed as they wrote `paths` left beside them."""
    for path in paths:
        part, lock = (_beside(_followed(path), kind) for kind in ("part", "lock"))
        if part.exists() or lock.exists():
            # Whoever holds the lock is still writing.
            with contextlib.suppress(OutputError), locked(path, force=True, patience=0):
                part.unlink(missing_ok=True)


def csv_cell(value: object, delimiter: str = ",") -> str:
    """Return a value as a cell of CSV, in quotes where it must be.

    Not by the csv module: some of its versions leave a lone carriage return bare, and others end the row there.

    >>> csv_cell("one, two"), csv_cell('one "two" three'), csv_cell(None)
    ('"one, two"', '"one ""two"" three"', '')
    """
    cell = "" if value is None else str(value)
    if delimiter in cell or _MARKS.search(cell):
        cell = '"' + cell.replace('"', '""') + '"'
    return cell


def csv_record(values: Iterable[object], delimiter: str = ",") -> str:
    """Return values as a record of CSV, without a line end.

    >>> csv_record(["a", 1, None]), csv_record([""])
    ('a,1,', '""')
    """
    # A single blank cell would be a blank line, which is not a row.
    return delimiter.join([csv_cell(value, delimiter) for value in values]) or '""'


_MARKS = re.compile('["\r\n]')


def _followed(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.outsort.{kind}")


def _not_written(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({_why(error)}).")


def _why(error: OSError) -> str:
    return error.strerror or first_line(error)


def _created_like(target: Path, part: Path) -> IO[bytes]:
    """Create `part` with the mode, owner and group of `target`, as far as there is one and the system permits it."""
    old = target.stat() if target.exists() else None
    # What only its owner may read is at no time readable by others.
    mode = old.st_mode & 0o777 if old else 0o666
    file = open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115
    if old and os.name == "posix":
        for ids in ((-1, old.st_gid), (old.st_uid, -1)):
            with contextlib.suppress(OSError):
                os.fchown(file.fileno(), *ids)
        with contextlib.suppress(OSError):
            os.fchmod(file.fileno(), mode)
    return file


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; the file is there already, so nothing is an error."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _every_other_nul(raw: bytes) -> bool:
    """Return whether this looks like Western text in UTF-16 without a byte-order mark."""
    return raw[1:200:2].count(0) > len(raw[:200]) // 3
