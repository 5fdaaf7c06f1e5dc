"""The XML of a worksheet as bytes: compiled code finds each cell's place, style and kind before a library reads it.

A library that reads a sheet at once takes memory for every cell up to the last, says nothing of formulas without a
result, and makes floats of whole numbers. The survey tells all of that in a streamed pass. A sheet that is written
in an unusual way is left to the caller, who can read it cell by cell.

Importing this module loads Numba.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import partial
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort._numba import nb, njit

#: Bytes read at once, and the most that one cell may take.
_CHUNK, _LONGEST = 1 << 20, 1 << 25
#: What follows the cells of a sheet, such as merged ranges, is kept up to so many bytes.
_LONGEST_TAIL = 1 << 26
#: Flags of a cell: a value of any kind; a formula without a result; a value that must be taken from the XML, which
#: is an error, a number of more than 15 digits, or a day that programs count differently.
FILLED, UNCOMPUTED, CARE = 1, 2, 4
#: The most cells of the last kind that are kept.
_MAX_CARE = 200_000
#: A cell in the memory of the library, apart from its text.
_CELL_BYTES = 32
_LT, _GT, _SLASH, _QUOTE, _APOSTROPHE, _COLON, _EQUALS = 60, 62, 47, 34, 39, 58, 61
_DONE, _MORE, _ODD = 0, 1, 2


class UnusualError(ValueError):
    """A sheet that is not written as the usual programs write one."""


class Survey(NamedTuple):
    """The cells of a sheet, in order.

    Attributes:
        rows: int32 (n_cells,), the row of each, from 1.
        columns: int32 (n_cells,), the column of each, from 0.
        styles: int32 (n_cells,), its index in the styles of the workbook.
        flags: uint8 (n_cells,).
        care: the text and the kind (``e`` for an error, ``n`` for a number) of cells with the flag, by row and column.
        n_bytes: what the library takes for the sheet in memory, at most.
        has_formulas: whether a cell has one.
        tail: the XML after the cells.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    styles: NDArray[np.int32]
    flags: NDArray[np.uint8]
    care: dict[tuple[int, int], tuple[str, str]]
    n_bytes: int
    has_formulas: bool
    tail: bytes


def survey(sheet: IO[bytes], lengths: NDArray[np.int64], is_date: NDArray[np.bool_]) -> Survey:
    """Return where the cells of a sheet are and what they need.

    Args:
        sheet: the XML of the sheet.
        lengths: int64 (n_strings,), bytes of each shared string.
        is_date: bool (n_styles,), whether numbers of a style are dates or times.

    Raises:
        UnusualError: the sheet is not written as the usual programs write one.
    """
    chunks = iter(partial(sheet.read, _CHUNK), b"")
    buffer = _up_to_cells(chunks)
    decoder = codecs.getincrementaldecoder("utf-8")()
    parts: list[tuple[NDArray[np.int32], NDArray[np.uint8]]] = []
    care: dict[tuple[int, int], tuple[str, str]] = {}
    # Row at hand, column of its last cell, whether a row is open, bytes of text, most columns, whether formulas.
    state = np.array([0, -1, 0, 0, 0, 0], np.int64)
    _check_utf8(buffer, decoder)
    while True:
        data = np.frombuffer(buffer, np.uint8)
        room = len(buffer) // 8 + 1
        cells, flags, spans = np.empty((room, 3), np.int32), np.empty(room, np.uint8), np.empty((room, 2), np.int32)
        outcome, n, end = _survey(data, lengths, is_date, state, cells, flags, spans)
        if outcome == _ODD:
            raise UnusualError("unusual XML")
        parts.append((cells[:n].copy(), flags[:n].copy()))
        for i in np.flatnonzero(flags[:n] & CARE).tolist():
            start, stop = spans[i].tolist()
            kind = "n" if stop > 0 else "e"
            care[int(cells[i, 0]), int(cells[i, 1])] = buffer[start : abs(stop)].decode("ascii", "replace"), kind
        if len(care) > _MAX_CARE:
            raise UnusualError("too many cells to keep apart")
        buffer = buffer[end:]
        if outcome == _DONE:
            break
        if len(buffer) > _LONGEST or not (more := next(chunks, b"")):
            raise UnusualError("an end is missing")
        buffer += more
        _check_utf8(more, decoder)
    table = np.concatenate([part for part, _ in parts])
    last = int(table[-1, 0]) if len(table) else 0
    size = last * int(state[4]) * _CELL_BYTES + int(state[3])
    all_flags = np.concatenate([part for _, part in parts])
    return Survey(table[:, 0], table[:, 1], table[:, 2], all_flags, care, size, bool(state[5]), _tail(buffer, chunks))


def string_lengths(strings: IO[bytes]) -> NDArray[np.int64]:
    """Return the bytes that each shared string takes in its XML: int64 (n_strings,).

    Raises:
        UnusualError: one is longer than any cell.
    """
    buffer, parts = b"", [np.empty(0, np.int64)]
    decoder = codecs.getincrementaldecoder("utf-8")()
    for place, chunk in enumerate(iter(partial(strings.read, _CHUNK), b"")):
        buffer += chunk
        if place == 0:
            _check_declaration(buffer)
            # The line that declares XML may end in a carriage return, and only there it does not matter.
            buffer = buffer[max(0, buffer.find(b"?>") + 2) :].lstrip()
        _check_utf8(chunk, decoder)
        ends = np.empty(len(buffer) // 4 + 1, np.int64)
        n = _string_ends(np.frombuffer(buffer, np.uint8), ends)
        if n < 0:
            raise UnusualError("unusual text")
        parts.append(np.diff(ends[:n], prepend=0))
        buffer = buffer[ends[n - 1] :] if n else buffer
        if len(buffer) > _LONGEST:
            raise UnusualError("a string without an end")
    return np.concatenate(parts)


def has_formula(sheet: IO[bytes]) -> bool:
    """Return whether the XML of a sheet has a formula."""
    rest = b""
    while chunk := sheet.read(_CHUNK):
        if _has_formula(np.frombuffer(rest + chunk, np.uint8)):
            return True
        rest = chunk[-64:]
    return False


def _check_utf8(more: bytes, decoder: codecs.IncrementalDecoder) -> None:
    if more.isascii() and not decoder.getstate()[0]:
        return
    try:
        decoder.decode(more)
    except UnicodeError as error:
        raise UnusualError(str(error)) from None


def _check_declaration(buffer: bytes) -> None:
    found = re.match(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*encoding\s*=\s*["']([^"']*)""", buffer)
    if found and found[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise UnusualError("another encoding")


def _up_to_cells(chunks: Iterator[bytes]) -> bytes:
    """Return the XML from the first row on."""
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        place = buffer.find(b"sheetData")
        end = buffer.find(b">", place)
        if place >= 0 and end >= 0:
            # Another encoding would need other bytes for the same letters.
            if b"<!" in buffer[:place] or buffer[end - 1 : end] == b"/":
                raise UnusualError("unusual XML before the rows")
            _check_declaration(buffer)
            return buffer[end + 1 :]
        if len(buffer) > _LONGEST:
            break
    raise UnusualError("no rows")


def _tail(buffer: bytes, chunks: Iterator[bytes]) -> bytes:
    parts, size = [buffer], len(buffer)
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > _LONGEST_TAIL:
            raise UnusualError("too much after the rows")
    return b"".join(parts)


@njit(nogil=True)
def _is_half(data, k):  # type: ignore[no-untyped-def]
    """Return whether an escaped half of a character begins at k: _xD8 and the like."""
    return data[k] == 95 and k + 2 < len(data) and data[k + 1] == 120 and (data[k + 2] == 68 or data[k + 2] == 100)


@njit(nogil=True)
def _tag_end(data, k):  # type: ignore[no-untyped-def]
    """Return the place of the > that ends the tag at k; -1 if it is not there yet, -2 where it is no plain tag."""
    n = len(data)
    if k + 1 < n and (data[k + 1] == 33 or data[k + 1] == 63):
        return -2
    while k < n:
        byte = data[k]
        if byte == _GT:
            return k
        if byte == _QUOTE or byte == _APOSTROPHE:
            k += 1
            while k < n and data[k] != byte:
                k += 1
            if k >= n:
                return -1
        k += 1
    return -1


@njit(nogil=True)
def _name_of(data, start, end):  # type: ignore[no-untyped-def]
    """Return where the name of a tag begins, without / and the prefix of a namespace, and where it ends."""
    k = start + 1
    if data[k] == _SLASH:
        k += 1
    first = k
    while k < end and data[k] > 32 and data[k] != _SLASH:
        if data[k] == _COLON:
            first = k + 1
        k += 1
    return first, k


@njit(nogil=True)
def _attribute(data, start, end, letter):  # type: ignore[no-untyped-def]
    """Return where the value of an attribute with a name of one letter begins and ends; -1, -1 without one."""
    k = start
    while k < end:
        if data[k] <= 32:
            k += 1
            continue
        first = k
        while k < end and data[k] != _EQUALS:
            k += 1
        last = k
        while last > first and data[last - 1] <= 32:
            last -= 1
        k += 1
        while k < end and data[k] <= 32:
            k += 1
        if k >= end:
            return -1, -1
        quote = data[k]
        k += 1
        begin = k
        while k < end and data[k] != quote:
            k += 1
        if last - first == 1 and data[first] == letter:
            return begin, k
        k += 1
    return -1, -1


@njit(nogil=True)
def _whole_number(data, start, end):  # type: ignore[no-untyped-def]
    """Return the number that digits make; -1 for anything else."""
    if end <= start or end - start > 9:
        return -1
    number = 0
    for k in range(start, end):
        if data[k] < 48 or data[k] > 57:
            return -1
        number = number * 10 + (data[k] - 48)
    return number


@njit(nogil=True)
def _number_flags(data, start, end, is_date):  # type: ignore[no-untyped-def]
    """Return the flags of a number; -1 if it is none."""
    flags, n_digits, whole, k = 0, 0, 0, start
    is_float = False
    if k < end and data[k] == 45:
        k += 1
        if is_date:
            flags |= CARE
    n_seen = 0
    while k < end:
        byte = data[k]
        if 48 <= byte <= 57:
            n_seen += 1
            if not is_float:
                if n_digits or byte != 48:
                    n_digits += 1
                if whole < 100_000_000:
                    whole = whole * 10 + (byte - 48)
        elif byte == 46 or byte == 69 or byte == 101:
            is_float = True
            if is_date and byte != 46:
                return -1
        elif byte != 45 and byte != 43:
            return -1
        k += 1
    if n_seen == 0:
        return -1
    if n_digits > 15 and not is_float:
        flags |= CARE
    # Excel counts a day that never was, and other programs count otherwise before it; times that round to a full
    # day, and days after the last, are told apart as well.
    if is_date and whole > 2_958_465:
        # Beyond all calendars the library fails, and with it the sheet.
        return -1
    if is_date and 0 < whole < 61:
        flags |= CARE
    if is_date and whole == 0 and end - start > 8 and data[start + 2] == 57 and data[start + 8] == 57:
        flags |= CARE
    return flags


@njit(nogil=True)
def _survey(data, lengths, is_date, state, cells, flags, spans):  # type: ignore[no-untyped-def]
    """Go through rows and cells as far as they are whole; return the outcome, the cells and the bytes done."""
    n, k, size = 0, 0, len(data)
    while True:
        while k < size and data[k] <= 32:
            k += 1
        if k >= size:
            return _MORE, n, k
        if data[k] != _LT:
            return _ODD, n, k
        end = _tag_end(data, k)
        if end == -2:
            return _ODD, n, k
        if end < 0:
            return _MORE, n, k
        first, last = _name_of(data, k, end)
        is_end = data[k + 1] == _SLASH
        is_empty = data[end - 1] == _SLASH
        stop = end - 1 if is_empty else end
        if is_end:
            if last - first == 9:  # sheetData
                return (_ODD if state[2] else _DONE), n, end + 1
            if last - first != 3 or data[first] != 114 or not state[2]:
                return _ODD, n, k
            state[2] = 0
            k = end + 1
            continue
        if last - first == 3 and data[first] == 114:  # row
            begin, finish = _attribute(data, last, stop, 114)
            number = _whole_number(data, begin, finish)
            if state[2] or number <= state[0] or number > 1_048_576:
                return _ODD, n, k
            state[0], state[1], state[2] = number, -1, 0 if is_empty else 1
            k = end + 1
            continue
        if last - first != 1 or data[first] != 99 or not state[2]:  # c
            return _ODD, n, k
        # Where it is: letters, and the number of its row.
        begin, finish = _attribute(data, last, stop, 114)
        column = 0
        while begin < finish and begin >= 0 and 65 <= data[begin] <= 90 and column < 100_000:
            column = column * 26 + (data[begin] - 64)
            begin += 1
        column -= 1
        if column <= state[1] or column > 16_383 or _whole_number(data, begin, finish) != state[0]:
            return _ODD, n, k
        style = 0
        begin, finish = _attribute(data, last, stop, 115)
        if begin >= 0:
            style = _whole_number(data, begin, finish)
        if style < 0 or style >= len(is_date):
            return _ODD, n, k
        kind = 110  # n
        begin, finish = _attribute(data, last, stop, 116)
        if begin >= 0:
            width = finish - begin
            if width == 1 and (data[begin] in (110, 115, 98, 101)):
                kind = data[begin]
            elif width == 3 and data[begin] == 115:  # str
                kind = 116
            elif width == 9 and data[begin] == 105:  # inlineStr
                kind = 105
            else:
                return _ODD, n, k
        start = k
        k = end + 1
        value_start, value_end, has_formula, has_value = -1, -1, False, False
        inline, n_texts = k, 0
        while not is_empty:
            # What the cell holds, up to its end.
            while k < size and data[k] != _LT:
                if data[k] == 13 or _is_half(data, k):
                    return _ODD, n, start
                k += 1
            if k >= size:
                return _MORE, n, start
            end = _tag_end(data, k)
            if end == -2:
                return _ODD, n, start
            if end < 0:
                return _MORE, n, start
            first, last = _name_of(data, k, end)
            closes = data[k + 1] == _SLASH
            if last - first == 1:
                letter = data[first]
                if letter == 99:
                    if not closes:
                        return _ODD, n, start
                    break
                if letter == 102:  # f
                    has_formula = True
                elif letter == 116 and closes and _is_bare_space(data, k):  # t
                    value_start, value_end, n_texts = k, k, n_texts + 1
                    while data[value_start - 1] <= 32:
                        value_start -= 1
                elif letter == 116 and closes:
                    n_texts += 2
                elif letter == 118:  # v
                    if closes:
                        value_end = k
                    elif data[end - 1] != _SLASH:
                        value_start = end + 1
            elif last - first == 2 and data[first] == 105:  # is
                has_value = True
            k = end + 1
        if value_start >= 0:
            while value_start < value_end and data[value_start] <= 32 and kind != 116 and kind != 105:
                value_start += 1
            while value_end > value_start and data[value_end - 1] <= 32 and kind != 116 and kind != 105:
                value_end -= 1
            has_value = value_end > value_start
        found, to = 0, 0
        if kind == 105:
            state[3] += k - inline
            if n_texts == 1:
                # White space alone is a text to some programs and nothing to others.
                found, to = CARE, -value_end
        elif has_value:
            if kind == 110:
                found = _number_flags(data, value_start, value_end, is_date[style])
                if found < 0:
                    return _ODD, n, start
                to = value_end
            elif kind == 115:
                number = _whole_number(data, value_start, value_end)
                if number < 0 or number >= len(lengths):
                    return _ODD, n, start
                state[3] += lengths[number]
            elif kind == 101:
                found, to = CARE, -value_end
            elif kind == 116:
                state[3] += value_end - value_start
        if has_formula:
            state[5] = 1
        if has_value:
            found |= FILLED
        elif has_formula and kind != 116:
            found |= UNCOMPUTED
        cells[n, 0], cells[n, 1], cells[n, 2] = state[0], column, style
        flags[n] = found
        spans[n, 0], spans[n, 1] = value_start, to
        n += 1
        state[1] = column
        state[4] = max(state[4], column + 1)
        k = end + 1


@njit(nogil=True)
def _has_formula(data):  # type: ignore[no-untyped-def]
    for k in range(1, len(data) - 1):
        # <f> or <x:f>, with attributes or without.
        is_end = data[k + 1] == _GT or data[k + 1] == _SLASH or data[k + 1] <= 32
        if data[k] == 102 and is_end and (data[k - 1] == _LT or data[k - 1] == _COLON):
            back = k - 1
            while back > 0 and data[back] != _LT and data[back] > 32 and data[back] != _GT:
                back -= 1
            if data[back] == _LT and data[back + 1] != _SLASH:
                return True
    return False


@njit(nogil=True)
def _is_bare_space(data, k):  # type: ignore[no-untyped-def]
    """Return whether the tag that begins at k ends an element with nothing but white space, and no attribute."""
    end = k
    k -= 1
    while k >= 0 and data[k] <= 32:
        k -= 1
    if k < 0 or k == end - 1 or data[k] != _GT:
        return False
    while k > 0 and data[k] != _LT:
        if data[k] == _EQUALS or data[k] == _SLASH:
            return False
        k -= 1
    return True


@njit(nogil=True)
def _string_ends(data, ends):  # type: ignore[no-untyped-def]
    """Find the ends of the elements named si; return how many there are, -1 for text that programs read differently."""
    n, k, size = 0, 0, len(data)
    while k + 3 < size:
        if data[k] == 13 or (data[k] == _LT and data[k + 1] == 33) or _is_half(data, k):
            return -1
        # White space alone is a text to some programs and nothing to others.
        if data[k] == _LT and data[k + 1] == _SLASH and data[k + 2] == 116 and _is_bare_space(data, k):
            return -1
        # </si> or </x:si> or <si/>
        if data[k] == 115 and data[k + 1] == 105:
            before = data[k - 1] if k else nb.uint8(0)
            is_end = data[k + 2] == _GT and (before == _SLASH or before == _COLON)
            if before == _COLON and is_end:
                back = k - 2
                while back > 0 and data[back] != _LT and data[back] != _SLASH:
                    back -= 1
                is_end = data[back] == _SLASH
            is_empty = data[k + 2] == _SLASH and data[k + 3] == _GT and (before == _LT or before == _COLON)
            if is_end or is_empty:
                ends[n] = k + 3
                n += 1
        k += 1
    return n
