"""JSON Lines: one object per line; a line that came in goes out as it was."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, ClassVar

from outsort.errors import DataError
from outsort.files import NOT_TEXT
from outsort.tables.base import (
    BATCH_ROWS,
    MAX_CELL,
    Dialect,
    Location,
    Rows,
    Written,
    distinct_names,
    in_hexadecimal,
    paths_in,
    plain_cell,
    renaming,
    rows_of,
    texts_of,
    used_columns,
    value_at,
)

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch, ReadOptions, TextColumns


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

    def texts(self, columns: TextColumns) -> list[str]:
        """Return the text of each row; a column may be a path into objects."""
        used, by_place = used_columns(columns)
        return texts_of(by_place, ([value_at(content, column.name) for column in used] for content in self.cells))


class ObjectReader(ABC):
    """A table of JSON objects; see `base.Reader`."""

    encoding = "utf-8"
    dialect = Dialect()

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:
        """Read nothing yet."""
        self.source, self._stream, self._keep = source, stream, options.keep
        self.location = Location()

    @cached_property
    def columns(self) -> list[str]:
        """The keys of all objects, in the order they come: reads the file once."""
        return _keys(self)

    @property
    def head_columns(self) -> list[str]:
        """The keys of the first batch."""
        return self._of_head[0]

    @property
    def nested_columns(self) -> list[str]:
        """The paths of what objects within those of the first batch hold, as in ``tender.description``."""
        return self._of_head[1]

    @cached_property
    def _of_head(self) -> tuple[list[str], list[str]]:
        head = list(islice(self, 1))
        return _keys(head), paths_in(content for batch in head for content in batch.cells)

    @abstractmethod
    def __iter__(self) -> Iterator[JsonlRows]:
        """Yield the objects."""

    def close(self) -> None:  # noqa: B027 - nothing is held
        """Let go of the stream, which is its owner's to close."""


class JsonlReader(ObjectReader):
    """A file of JSON lines. Blank lines are not rows."""

    def __iter__(self) -> Iterator[JsonlRows]:
        """Yield the objects."""
        at = 0
        raw_lines = enumerate(iter(partial(self._stream.readline, MAX_CELL), b""), 1)
        while True:
            resume(self._stream, at)
            lines: list[str] = []
            objects: list[dict[str, Any]] = []
            numbers: list[int] = []
            faults: dict[int, str] = {}
            for number, raw in raw_lines:
                if not raw.strip():
                    continue
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").rstrip("\r\n")
                why, content = parsed(line)
                if why:
                    if not self._keep:
                        raise DataError(f"{self.source}, line {number} {why}. Fix it, or pass --on-error keep.")
                    faults[len(lines)] = why
                lines.append(in_json(content) if why else line)
                objects.append(content)
                numbers.append(number + 1)
                if len(lines) == BATCH_ROWS:
                    break
            if not lines:
                return
            at = self._stream.tell()
            yield JsonlRows([], objects, numbers, faults, lines)


def resume(stream: IO[bytes], place: int) -> None:
    """Go to where reading stopped, if another reading of the same stream came between."""
    if stream.tell() != place:
        stream.seek(place)


def _keys(batches: Iterable[JsonlRows]) -> list[str]:
    keys: dict[str, None] = {}
    for batch in batches:
        for content in batch.cells:
            keys.update(dict.fromkeys(content))
    return list(keys)


def parsed(line: str) -> tuple[str, dict[str, Any]]:
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
    """Return a number as a float, if it is one; with its digits, where Python writes it otherwise.

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
    return Written(digits) if Decimal(repr(number)) == exact else exact


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
        self._stream, self._columns = stream, distinct_names(columns, added)
        self._renamed = renaming(columns, self._columns)
        self._n_not_finite = 0

    @property
    def changes(self) -> Sequence[str]:
        """See `base.Writer`."""
        n = self._n_not_finite
        odd = [f"{n:,} rows with NaN or infinite numbers, which JSON lacks, kept as text"] if n else []
        return self._renamed + odd

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        new = (dict(zip(added, values, strict=True)) for values in rows_of(added)) if added else None
        if isinstance(batch, JsonlRows):
            rows = zip(batch.lines, batch.cells, batch.numbers, new or [{}] * len(batch), strict=True)
            lines = [_spliced(*row) for row in rows]
        else:
            values = zip(batch.values(self._columns), new or [{}] * len(batch), strict=True)
            lines = [self._line(dict(zip(self._columns, row, strict=True)) | more) for row, more in values]
        self._write_lines(lines)

    def close(self) -> None:
        """Nothing is left."""

    def _write_lines(self, lines: Sequence[str]) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines).encode())

    def _line(self, content: Mapping[str, object]) -> str:
        try:
            return in_json(content)
        except ValueError:
            self._n_not_finite += 1
            return in_json(_finite(content))


def in_json(value: object) -> str:
    """Return a value as JSON on one line."""
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
    return f"{head}{', ' if content and more else ''}{in_json(more)[1:]}"
