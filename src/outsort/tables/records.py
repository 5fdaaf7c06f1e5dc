"""CSV as bytes: compiled code finds records, takes cells and appends columns.

A record that every CSV reader parses alike is plain: as many cells as the header, quotes only where they
belong, no NUL. `parse_prefix` stops at any other, which is left to the csv module.

Importing this module loads Numba.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort._numba import nb, njit
from outsort.buffers import Utf8Column

_QUOTE, _LF, _CR = 34, 10, 13
#: What a share written by `Records.extended` looks like to `repr`, and the most bytes it takes.
_MILLION = 1_000_000
_LONGEST_SHARE = 8


class Records(NamedTuple):
    """Some plain records of a CSV file, unchanged, one after another.

    Attributes:
        data: uint8, their bytes, line ends included.
        starts: int64 (n_records + 1,), where each begins and the last ends.
        delimiter: between cells, one ASCII character.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    delimiter: str

    @property
    def n_records(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def head(self, n: int) -> Records:
        """Return the first n."""
        return self._replace(starts=self.starts[: n + 1])

    def cells(self) -> list[list[str]]:
        """Return the cells of every record."""
        text = self.data[self.starts[0] : self.starts[-1]].tobytes().decode("utf-8")
        return [row or [""] for row in csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter)]

    def texts(self, place: int) -> Utf8Column:
        """Return one cell of every record: the one at `place`."""
        content = np.empty(int(self.starts[-1] - self.starts[0]) + 1, np.uint8)
        offsets = np.zeros(len(self.starts), np.int64)
        _take(self.data, self.starts, place, ord(self.delimiter), content, offsets)
        return Utf8Column(content, offsets)

    def extended(
        self, codes: Sequence[NDArray[np.int64] | NDArray[np.float64]], cells: Sequence[str], newline: str
    ) -> bytes:
        """Return the records with columns added behind.

        Args:
            codes: for each column added an array (n_records,): places in `cells`, or shares from 0 to 1 of
                six decimals, which are written as `repr` would.
            cells: text of cells, quoted where it must be.
            newline: what ends each record, whatever ended it before.
        """
        is_share = np.array([column.dtype == np.float64 for column in codes])
        table = np.empty((len(codes), self.n_records), np.int64)
        for row, column in zip(table, codes, strict=True):
            row[:] = np.rint(column * _MILLION) if column.dtype == np.float64 else column
        raw = [cell.encode("utf-8", "surrogateescape") for cell in cells]
        offsets = np.cumsum([0, *map(len, raw)])
        widest = max([_LONGEST_SHARE, *map(len, raw)])
        room = int(self.starts[-1] - self.starts[0]) + self.n_records * (len(codes) * (widest + 1) + 2)
        out = np.empty(room, np.uint8)
        size = _extend(
            self.data,
            self.starts,
            table,
            is_share,
            np.frombuffer(b"".join(raw) or b"\0", np.uint8),
            offsets,
            ord(self.delimiter),
            np.frombuffer(newline.encode(), np.uint8),
            out,
        )
        return out[:size].tobytes()


def parse_prefix(data: bytes, delimiter: str, n_cells: int, *, is_last: bool) -> tuple[Records, bool]:
    r"""Return the whole and plain records that some bytes begin with.

    Args:
        data: from the beginning of a record.
        delimiter: between cells, one ASCII character.
        n_cells: how many a record has.
        is_last: whether nothing comes behind `data`, so that a record may end without a line end.

    Returns:
        The records, and whether what comes behind them, if anything, is merely not whole yet; False where
        it is not plain.

    >>> records, go_on = parse_prefix(b'1,"a, b"\n2,c\n3', ",", 2, is_last=False)
    >>> records.cells(), go_on
    ([['1', 'a, b'], ['2', 'c']], True)
    """
    content = np.frombuffer(data, np.uint8)
    starts = np.zeros(data.count(b"\n") + 2, np.int64)
    n, go_on = _parse_prefix(content, ord(delimiter), n_cells, is_last, starts)
    records = Records(content, starts[: n + 1], delimiter)
    whole = data[: starts[n]]
    if not whole.isascii():
        try:
            whole.decode("utf-8")
        except UnicodeDecodeError:
            return records.head(0), False
    return records, bool(go_on)


@njit(nogil=True)
def _parse_prefix(data, delimiter, n_cells, is_last, starts):  # type: ignore[no-untyped-def]
    """Write where records start and the last ends; return how many, and whether to go on with more bytes."""
    n = 0
    n_seen = 1
    k = 0
    size = len(data)
    while k < size:
        if data[k] == _QUOTE:
            k = _closing_quote(data, k + 1, size) + 1
            if k >= size and not is_last:
                return n, True
            if k > size or data[k - 1] != _QUOTE:
                return n, False
        else:
            k = _end_of_bare(data, k, size, delimiter)
        if k < size and data[k] == _CR:
            if k + 1 == size and not is_last:
                return n, True
            k += 1
            if k == size or data[k] != _LF:
                return n, False
        if k < size and data[k] == delimiter:
            n_seen += 1
            k += 1
            # A delimiter that ends the file has an empty cell behind it.
            if k < size or not is_last:
                continue
        elif k < size and data[k] == _LF:
            k += 1
        elif k < size:
            return n, False
        elif not is_last:
            return n, True
        if n_seen != n_cells:
            return n, False
        n += 1
        n_seen = 1
        starts[n] = k
    return n, True


#: The signs that may end a cell without quotes, whatever the delimiter: the NUL ends what is plain.
_ENDS = np.isin(np.arange(256), [0, _LF, _CR])


@njit(nogil=True)
def _end_of_bare(data, k, stop, delimiter):  # type: ignore[no-untyped-def]
    """Return where a cell without quotes ends that holds the byte at `k`, or `stop`."""
    at = nb.uint64(k)
    while at < nb.uint64(stop) and data[at] != delimiter and not _ENDS[data[at]]:
        at += nb.uint64(1)
    return nb.int64(at)


@njit(nogil=True)
def _closing_quote(data, k, stop):  # type: ignore[no-untyped-def]
    """Return the place of the quote that closes a cell or of a NUL, which nothing may follow; else `stop`."""
    # An unsigned place cannot count from the end, which would cost a branch a byte.
    one, at, end = nb.uint64(1), nb.uint64(k), nb.uint64(stop)
    while at < end and data[at] != 0:
        if data[at] == _QUOTE:
            if at + one == end or data[at + one] != _QUOTE:
                return nb.int64(at)
            at += one
        at += one
    return nb.int64(at)


@njit(nogil=True)
def _take(data, starts, place, delimiter, content, offsets):  # type: ignore[no-untyped-def]
    at = 0
    for i in range(len(starts) - 1):
        k, stop = starts[i], starts[i + 1]
        for _ in range(place):
            if data[k] == _QUOTE:
                k = _closing_quote(data, k + 1, stop) + 1
            k = _end_of_bare(data, k, stop, delimiter) + 1
        if k < stop and data[k] == _QUOTE:
            end = _closing_quote(data, k + 1, stop)
            k += 1
            while k < end:
                # A quote inside is written twice.
                quote = nb.uint64(k)
                while quote < nb.uint64(end) and data[quote] != _QUOTE:
                    quote += nb.uint64(1)
                at = _copy(data, k, min(nb.int64(quote) + 1, end), content, at)
                k = nb.int64(quote) + 2
        else:
            end = _end_of_bare(data, k, stop, delimiter)
            at = _copy(data, k, end, content, at)
        offsets[i + 1] = at


@njit(nogil=True)
def _extend(  # type: ignore[no-untyped-def]
    data, starts, table, is_share, cells, offsets, delimiter, newline, out
):
    at = 0
    for i in range(len(starts) - 1):
        stop = starts[i + 1]
        while stop > starts[i] and (data[stop - 1] == _LF or data[stop - 1] == _CR):
            stop -= 1
        at = _copy(data, starts[i], stop, out, at)
        for column in range(len(table)):
            out[at] = delimiter
            at += 1
            code = table[column, i]
            if is_share[column]:
                at = _write_share(code, out, at)
            else:
                at = _copy(cells, offsets[code], offsets[code + 1], out, at)
        at = _copy(newline, 0, len(newline), out, at)
    return at


@njit(nogil=True)
def _copy(data, start, stop, out, at):  # type: ignore[no-untyped-def]
    n = stop - start
    first, to = nb.uint64(start), nb.uint64(at)
    for k in range(nb.uint64(n)):
        out[to + k] = data[first + k]
    return at + n


@njit(nogil=True)
def _write_share(millionths, out, at):  # type: ignore[no-untyped-def]
    """Write a share of up to 1 as Python does: 0.25, 1.0, and 3.1e-05 where four zeros would come first."""
    is_small = 0 < millionths < 100
    value = millionths
    n_digits = 6
    if is_small:
        exponent = 5 if value >= 10 else 6
        n_digits = 6 - exponent
    unit = 10**n_digits
    out[at] = 48 + value // unit
    at += 1
    value %= unit
    if value or not is_small:
        out[at] = 46
        at += 1
        while True:
            unit //= 10
            out[at] = 48 + value // unit
            at += 1
            value %= unit
            if value == 0:
                break
    if is_small:
        out[at], out[at + 1], out[at + 2], out[at + 3] = 101, 45, 48, 48 + exponent
        at += 4
    return at
