"""JSON: an array of objects, or an object that holds exactly one; read in parts, whatever its size."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from outsort.errors import DataError, raised_as
from outsort.tables.base import BATCH_BYTES, BATCH_ROWS, MAX_CELL
from outsort.tables.jsonl import JsonlRows, JsonlWriter, ObjectReader, in_json, parsed, resume

if TYPE_CHECKING:
    from outsort.tables.base import Dialect, ReadOptions

#: Bytes that are decoded at a time, and how deep in objects an array is looked for.
_CHUNK, _MAX_DEPTH = 1 << 20, 8


class Item(NamedTuple):
    """An item of an array: where it starts and ends in the text, in characters, and its text."""

    start: int
    end: int
    text: str


class _Array(NamedTuple):
    """An array of objects in a text: the path of names that leads to it, and where it starts."""

    path: str
    start: int


class Scanner:
    """The text of a JSON file, of which no more is in memory than one value needs."""

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        """Find the encoding: UTF-8, UTF-16 or UTF-32, as the standard has it."""
        stream.seek(0)
        self.encoding = json.detect_encoding(stream.read(4))
        stream.seek(0)
        self._source, self._stream, self._stream_at = source, stream, 0
        self._decoder = codecs.getincrementaldecoder(self.encoding)("surrogateescape")
        self._text, self._at, self._before, self._is_last = "", 0, 0, False

    @property
    def place(self) -> int:
        """The place in the whole text, in characters."""
        return self._before + self._at

    def next_sign(self) -> str:
        """Return the next character that is not blank, without going beyond it; "" at the end."""
        while True:
            found = _NOT_BLANK.search(self._text, self._at)
            if found:
                self._at = found.start()
                return found[0]
            self._at = len(self._text)
            if not self._read_more():
                return ""

    def take(self, signs: str) -> str:
        """Go beyond the next sign, which must be one of these, and return it."""
        sign = self.next_sign()
        if not sign or sign not in signs:
            found = repr(sign) if sign else "the end"
            self._fail(f"{found} where {' or '.join(map(repr, signs))} belongs")
        self._at += 1
        return sign

    def value(self) -> Item:
        """Go beyond the next value, and return it."""
        self.next_sign()
        while True:
            try:
                _, end = _decode_any(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._read_more():
                    self._fail(error.msg)
                continue
            except RecursionError:
                self._fail("values nested too deeply")
            # A number may go on.
            if end < len(self._text) or not self._read_more():
                start, text = self.place, self._text[self._at : end]
                self._at = end
                return Item(start, self.place, text)

    def items(self) -> Iterator[Item]:
        """Yield the items of the array that comes next."""
        self.take("[")
        if self.next_sign() == "]":
            self.take("]")
            return
        while True:
            yield self.value()
            if self.take(",]") == "]":
                return

    def skip_to(self, place: int) -> None:
        """Go to a place further on."""
        while self._before + len(self._text) < place and self._read_more():
            self._at = len(self._text)
        self._at = place - self._before

    def _read_more(self) -> bool:
        """Decode more bytes, as many again as are held of a value; return whether there are any."""
        held = len(self._text) - self._at
        if held > MAX_CELL:
            self._fail(f"a value of more than {MAX_CELL:,} characters, or one that does not end")
        if self._is_last:
            return False
        resume(self._stream, self._stream_at)
        raw = self._stream.read(max(_CHUNK, held))
        self._stream_at = self._stream.tell()
        self._is_last = not raw
        with raised_as(DataError, f"{self._source}: is not valid {self.encoding}", "Save it as UTF-8.", UnicodeError):
            more = self._decoder.decode(raw, final=self._is_last)
        if not self._is_last:
            self._before, self._text, self._at = self.place, self._text[self._at :], 0
        self._text += more
        return bool(raw or more)

    def _fail(self, why: str) -> None:
        raise DataError(f"{self._source}: is not valid JSON after {self.place:,} characters ({why}). Fix it there.")


_NOT_BLANK = re.compile(r"[^ \t\r\n]")
#: Finds where a value ends, whatever is wrong with its numbers and keys.
_decode_any = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode


class JsonReader(ObjectReader):
    """A file of JSON: an array of objects, or an object that holds exactly one such array, however deep.

    Attributes:
        notes: what is outside of the array, as a sentence, if anything is.
    """

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:
        """Find the array.

        Raises:
            DataError: there is none, or several; or the file is not valid JSON.
        """
        super().__init__(source, stream, options)
        self.notes: list[str] = []
        scanner = Scanner(source, stream)
        sign = scanner.next_sign()
        self._start = scanner.place
        if sign == "":
            raise DataError(f"{source}: is empty. It needs an array of objects.")
        if sign == "{":
            (path, self._start), others = _only_array(source, scanner)
            beside = f"; the rest, such as {others[0]!r}, is not copied" if others else ""
            self.notes = [f"its rows are those of {path!r}{beside}"]
        elif sign != "[":
            raise DataError(f"{source}: does not hold an array of objects. Save it as one, or as CSV.")

    def items(self) -> Iterator[Item]:
        """Yield the items of the array."""
        scanner = Scanner(self.source, self._stream)
        scanner.skip_to(self._start)
        yield from scanner.items()
        # What comes behind an array within an object has been looked at.
        if not self.notes and scanner.next_sign():
            raise DataError(f"{self.source}: goes on after its array. Keep one array, or save it as JSON lines.")

    def __iter__(self) -> Iterator[JsonlRows]:
        """Yield the objects, each with its text on one line."""
        lines: list[str] = []
        objects: list[dict[str, Any]] = []
        faults: dict[int, str] = {}
        first = n_characters = 0
        for i, item in enumerate(self.items(), 1):
            # No line end is within a text.
            line = _LINE_ENDS.sub(" ", item.text)
            why, content = parsed(line)
            if why:
                if not self._keep:
                    raise DataError(f"{self.source}, item {i:,} {why}. Fix it, or pass --on-error keep.")
                faults[len(lines)] = why
            lines.append(in_json(content) if why else line)
            objects.append(content)
            n_characters += len(line)
            if len(lines) == BATCH_ROWS or n_characters > BATCH_BYTES:
                yield JsonlRows([], objects, range(first + 2, i + 2), faults, lines)
                lines, objects, faults, first, n_characters = [], [], {}, i, 0
        if lines:
            yield JsonlRows([], objects, range(first + 2, first + 2 + len(lines)), faults, lines)


_LINE_ENDS = re.compile(r"[ \t]*[\r\n]+[ \t]*")


def _only_array(source: str, scanner: Scanner) -> tuple[_Array, list[str]]:
    """Return the one array of objects within an object, and the names of what else is in this."""
    arrays: list[_Array] = []
    lists: list[str] = []
    others: list[str] = []
    _find_arrays(scanner, "", arrays, lists, others)
    if scanner.next_sign():
        raise DataError(f"{source}: goes on after its first object. Save it as one array, or as JSON lines.")
    if lists:
        # What objects there are may only say what the columns are.
        raise DataError(
            f"{source}: holds rows as lists in {lists[0]!r}, with no names. Save it as CSV, or as JSON lines."
        )
    if len(arrays) != 1:
        if not arrays:
            raise DataError(f"{source}: holds no array of objects. Save its rows as one, or as JSON lines.")
        found = f"{len(arrays)} arrays of objects: {', '.join(repr(array.path) for array in arrays[:5])}"
        raise DataError(f"{source}: holds {found}. Save the one with the rows as JSON or JSON lines.")
    return arrays[0], others


def _find_arrays(scanner: Scanner, before: str, arrays: list[_Array], lists: list[str], others: list[str]) -> None:
    """Note the arrays of objects, those of arrays, and what else is in the object that comes next."""
    scanner.take("{")
    if scanner.next_sign() == "}":
        scanner.take("}")
        return
    while True:
        name = before + str(json.loads(scanner.value().text))
        scanner.take(":")
        n_arrays = len(arrays)
        start, sign = scanner.place, scanner.next_sign()
        if sign == "{" and name.count(".") < _MAX_DEPTH:
            _find_arrays(scanner, f"{name}.", arrays, lists, others)
        elif sign == "[":
            start = scanner.place
            for i, item in enumerate(scanner.items()):
                if i == 0 and item.text.startswith("{"):
                    arrays.append(_Array(name, start))
                elif i == 0 and item.text.startswith("["):
                    lists.append(name)
        else:
            scanner.value()
        if len(arrays) == n_arrays:
            others.append(name)
        if scanner.take(",}") == "}":
            return


class JsonWriter(JsonlWriter):
    """A file of JSON: an array with an object on each line, as `JsonlWriter` writes them."""

    def __init__(self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect) -> None:
        """Begin the array."""
        super().__init__(stream, columns, added, dialect)
        self._before = "[\n"

    def close(self) -> None:
        """End the array."""
        self._stream.write(b"[]\n" if self._before == "[\n" else b"\n]\n")

    def _write_lines(self, lines: Sequence[str]) -> None:
        if lines:
            self._stream.write((self._before + ",\n".join(lines)).encode())
            self._before = ",\n"
