"""Read and write files, with one clear message for each thing that can go wrong."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import IO

from outsort.errors import DataError, OutputError, first_line

#: Seconds to wait for another writer of the same file: a merge of a large table takes a few.
_PATIENCE = 60.0
#: What stands in a string for what is not text: halves of pairs in JSON, and bytes that decoding escaped.
NOT_TEXT = re.compile("[\ud800-\udfff]")


def shipped(name: str) -> Path:
    """Return a file of data that ships with the package, such as market.csv."""
    packaged = Path(str(resources.files("outsort"))) / name
    # An editable install has no copy in the package; use the one of the checkout.
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "data" / name


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
