"""Compressed tables: gzip and zstd, bounded so that a small file cannot fill the memory."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from outsort.errors import COPY_AGAIN, DataError, raised_as

#: How many times its size a packed file may unpack to; below so many bytes it does not matter.
_MAX_GROWTH, _GROWTH_ASKED = 300, 1 << 28


def check_growth(source: str, size: int, packed_size: int) -> None:
    """Raise DataError where a file unpacks to an unreasonable size."""
    if size > max(_GROWTH_ASKED, _MAX_GROWTH * packed_size):
        raise DataError(
            f"{source}: unpacks to more than {_MAX_GROWTH} times its size. If that is right, unpack it first."
        )


class _Bounded(io.RawIOBase):
    """A stream being unpacked, which stops where it grows beyond reason."""

    def __init__(self, source: str, packed: IO[bytes], unpacked: IO[bytes]) -> None:
        self._source, self._packed, self._unpacked = source, packed, unpacked
        self._size = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the size of what is packed is not known")
        place = offset + (self._size if whence == io.SEEK_CUR else 0)
        if place < self._size:
            self._unpacked.seek(0)
            self._size = 0
        while self._size < place and self.read(min(1 << 20, place - self._size)):
            pass
        return self._size

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        damaged = f"{self._source}: is damaged, or not compressed"
        with raised_as(DataError, damaged, COPY_AGAIN, OSError, EOFError, ValueError, zlib.error):
            content = self._unpacked.read(len(buffer))
        buffer[: len(content)] = content
        self._size += len(content)
        check_growth(self._source, self._size, self._packed.tell())
        return len(content)


def unpacked(source: str, stream: IO[bytes], packing: str) -> IO[bytes]:
    """Return what a gzip or zstd stream holds, as a stream that can start again from its beginning.

    Raises:
        DataError: it is damaged, or grows beyond reason, found while reading; or pyarrow is missing.
    """
    content: Any = gzip.GzipFile(fileobj=stream) if packing == "gzip" else _ZstdFile(source, stream)
    return io.BufferedReader(_Bounded(source, stream, content), 1 << 20)


class _Unclosed:
    """A stream that Arrow, which closes what it is done with, cannot close: it is its owner's."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self.read, self.write, self.flush = stream.read, stream.write, stream.flush

    def close(self) -> None:
        pass


class _ZstdFile:
    """A zstd file that can start again from its beginning."""

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        self._arrow, self._stream = need_arrow(source), stream
        self.seek(0)

    def seek(self, offset: int) -> int:
        """Start again: the offset is 0."""
        self._stream.seek(offset)
        self._content = self._arrow.CompressedInputStream(self._arrow.PythonFile(_Unclosed(self._stream), "r"), "zstd")
        return 0

    def read(self, size: int) -> bytes:
        return bytes(self._content.read(size))


def need_arrow(source: str) -> Any:  # noqa: ANN401
    """Return the module pyarrow with its Parquet part.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{source}: needs pyarrow; install it with pip install 'outsort[arrow]'.") from None
    return pa


@contextmanager
def packed_output(stream: IO[bytes], packing: str, source: str) -> Iterator[Any]:
    """Pack what is written into `stream`; it stays open.

    Raises:
        DataError: the packing needs pyarrow, which is not installed.
    """
    if not packing:
        yield stream
    elif packing == "gzip":
        # No name and no time inside: the same rows give the same bytes.
        with gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0) as packed:
            yield packed
    else:
        pa = need_arrow(source)
        with pa.CompressedOutputStream(pa.PythonFile(_Unclosed(stream), "w"), "zstd") as packed:
            yield packed
