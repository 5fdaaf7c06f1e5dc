"""JSON Lines: one object per line; a line that came in goes out as it was."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from outsort.errors import DataError
from outsort.files import NOT_TEXT
from outsort.tables.base import (
    BATCH_ROWS,
    MAX_CELL,
    Dialect,
    Found,
    Rows,
    check_distinct,
    in_hexadecimal,
    joined,
    plain_cell,
    rows_of,
)

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch, ReadOptions


@dataclass(frozen=True)
class JsonlRows(Rows):
    """A batch of JSON objects, which are its `cells`, with the lines they came in.

    Attributes:
        lines: n_rows lines of JSON.
    """

    _per_row: ClassVar = (*Rows._per_row, "lines")

    lines: Sequence[str]

    def values(self, columns: Sequence[str]) -> list[list[Any]]:
        """Return the rows as lists of values; None where an object lacks a key."""
        return [[content.get(name) for name in columns] for content in self.cells]

    def texts(self, columns: Sequence[str]) -> list[str]:
        """Return the text of each row."""
        return [joined(values) for values in self.values(columns)]


class JsonlReader:
    """A file of JSON lines; see `base.Reader`. Blank lines are not rows."""

    encoding = "utf-8"
    dialect = Dialect()

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:
        """Read nothing yet."""
        self.source, self._stream, self._keep = source, stream, options.keep
        self.found = Found()

    @cached_property
    def columns(self) -> list[str]:
        """The keys of all lines, in the order they come: reads the file once."""
        return _keys(self)

    @cached_property
    def head_columns(self) -> list[str]:
        """The keys of the first batch."""
        return _keys(batch for batch, _ in zip(self, range(1), strict=False))

    def __iter__(self) -> Iterator[JsonlRows]:
        """Yield the objects."""
        self._stream.seek(0)
        raw_lines = enumerate(iter(partial(self._stream.readline, MAX_CELL), b""), 1)
        while True:
            lines: list[str] = []
            objects: list[dict[str, Any]] = []
            numbers: list[int] = []
            faults: dict[int, str] = {}
            for number, raw in raw_lines:
                if not raw.strip():
                    continue
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").rstrip("\r\n")
                why, content = _parsed(line)
                if why:
                    if not self._keep:
                        raise DataError(f"{self.source}, line {number} {why}. Fix it, or pass --on-error keep.")
                    faults[len(lines)] = why
                lines.append(_json(content) if why else line)
                objects.append(content)
                numbers.append(number + 1)
                if len(lines) == BATCH_ROWS:
                    break
            if not lines:
                return
            yield JsonlRows([], objects, numbers, faults, lines)

    def close(self) -> None:
        """Nothing is held."""


def _keys(batches: Iterable[JsonlRows]) -> list[str]:
    keys: dict[str, None] = {}
    for batch in batches:
        for content in batch.cells:
            keys.update(dict.fromkeys(content))
    return list(keys)


def _parsed(line: str) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a line, "" for nothing, and its object, or one that holds the line."""
    why = ""
    try:
        content = _decode(line)
        if not isinstance(content, dict):
            why = "is not a JSON object"
        elif NOT_TEXT.search(line):
            why = "is not valid UTF-8"
        elif _SURROGATE.search(line) and NOT_TEXT.search(json.dumps(content, ensure_ascii=False, default=str)):
            why = "holds half of a surrogate pair, which is no text"
    except (ValueError, RecursionError) as error:
        why = f"is not valid JSON ({error})"
    return why, {"line": in_hexadecimal(line)} if why else content


#: The escape of a surrogate, which is mostly one of a pair.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {twice!r} comes twice")
    return content


def _number(digits: str) -> float | Decimal:
    """Return a number as a float, if it is one.

    Raises:
        ValueError: its exponent has some twenty digits.
    """
    number = float(digits)
    if repr(number) == digits:
        return number
    try:
        exact = Decimal(digits)
    except InvalidOperation:
        raise ValueError(f"the number {digits} cannot be read") from None
    return number if Decimal(repr(number)) == exact else exact


_decode = json.JSONDecoder(object_pairs_hook=_distinct, parse_float=_number).decode


class JsonlWriter:
    """A file of JSON lines; an object that came as a line goes out as that line, new keys appended."""

    def __init__(
        self,
        stream: IO[bytes],
        columns: Sequence[str],
        added: Mapping[str, type],
        dialect: Dialect,  # noqa: ARG002 - there is only one
    ) -> None:
        """Write nothing yet: there is no header."""
        check_distinct([*columns, *added], "JSON Lines")
        self._stream, self._columns = stream, columns
        self._n_not_finite = 0

    @property
    def changes(self) -> Sequence[str]:
        """See `base.Writer`."""
        n = self._n_not_finite
        return [f"{n:,} rows with NaN or infinite numbers, which JSON lacks, kept as text"] if n else []

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        new = (dict(zip(added, values, strict=True)) for values in rows_of(added)) if added else None
        if isinstance(batch, JsonlRows):
            rows = zip(batch.lines, batch.cells, batch.numbers, new or [{}] * len(batch), strict=True)
            lines = [_spliced(*row) for row in rows]
        else:
            values = zip(batch.values(self._columns), new or [{}] * len(batch), strict=True)
            lines = [self._line(dict(zip(self._columns, row, strict=True)) | more) for row, more in values]
        self._stream.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Nothing is left."""

    def _line(self, content: Mapping[str, object]) -> str:
        try:
            return _json(content)
        except ValueError:
            self._n_not_finite += 1
            return _json(_finite(content))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=lambda inner: str(plain_cell(inner)))


def _finite(value: object) -> object:
    """Return a value with each number that JSON lacks as text."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _spliced(line: str, content: Mapping[str, Any], number: int, more: Mapping[str, Any]) -> str:
    if not content.keys().isdisjoint(more):
        taken = min(content.keys() & more.keys())
        raise DataError(
            f"line {number - 1} of the input has the key {taken!r}, which the first lines lack. "
            "Name a --prefix for new columns."
        )
    head = line.rstrip().removesuffix("}").rstrip()
    return f"{head}{', ' if content and more else ''}{_json(more)[1:]}"
