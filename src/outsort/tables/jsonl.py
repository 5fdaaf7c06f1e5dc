"""JSON Lines: one object per line; a line that came in goes out as it was."""

from __future__ import annotations

import json
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, Any

from outsort.errors import DataError
from outsort.tables.base import BATCH_ROWS, MAX_CELL, NO_TEXT, Batch, Record, plain_rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from outsort.tables.base import Added


class JsonlReader:
    """JSON lines: one object a line. Blank lines are no rows."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes], *, keep: bool) -> None:
        """Nothing is read yet."""
        self.source, self._stream, self._keep = source, stream, keep

    @cached_property
    def columns(self) -> list[str]:
        """The keys of all lines, in the order they come: reads the file once."""
        keys: dict[str, None] = {}
        for batch in self:
            for record in batch.rows:
                keys.update(dict.fromkeys(record))
        return list(keys)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the objects."""
        self._stream.seek(0)
        lines = enumerate(iter(partial(self._stream.readline, MAX_CELL), b""), 1)
        while True:
            records: list[Record] = []
            faults: dict[int, str] = {}
            for number, raw in lines:
                if not raw.strip():
                    continue
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").rstrip("\r\n")
                why, content = _parsed(line)
                if why:
                    if not self._keep:
                        raise DataError(
                            f"{self.source}, line {number} {why}. Mend it, or pass --on-error keep."
                        )
                    faults[len(records)] = why
                records.append(Record(json.dumps(content) if why else line, content))
                if len(records) == BATCH_ROWS:
                    break
            if not records:
                return
            yield Batch(records, faults)

    def close(self) -> None:
        """Nothing is held."""


def _parsed(line: str) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a JSON line, "" for nothing, and its object, or one that holds the line."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is no JSON ({error})", {"line": line}
    if not isinstance(content, dict):
        return "is no JSON object", {"line": line}
    return ("holds bytes that are no utf-8 text", {"line": line}) if NO_TEXT.search(line) else ("", content)


class JsonlWriter:
    """JSON lines; an object that came as a line goes out as that line with the new keys behind."""

    def __init__(self, stream: IO[bytes], columns: Sequence[str]) -> None:
        """Nothing is written yet: there is no header."""
        self._stream, self._columns = stream, columns

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        new = (dict(zip(added, values, strict=True)) for values in rows_of(added))
        if isinstance(batch.rows, list) and batch.rows and isinstance(batch.rows[0], Record):
            lines = (_spliced(record, more) for record, more in zip(batch.rows, new, strict=True))
        else:
            rows = plain_rows(batch, self._columns)
            lines = (
                _json(dict(zip(self._columns, row, strict=False)) | more)
                for row, more in zip(rows, new, strict=True)
            )
        self._stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """Nothing is left."""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _spliced(record: Record, more: Mapping[str, Any]) -> str:
    head = record.line.rstrip().removesuffix("}").rstrip()
    return f"{head}{', ' if record else ''}{_json(more)[1:]}"
