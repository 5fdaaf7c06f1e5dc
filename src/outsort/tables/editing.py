"""Change some rows of a table of text; the others keep their bytes."""

import codecs
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from outsort.files import csv_cell, csv_record
from outsort.tables.base import Dialect, ReadOptions
from outsort.tables.csv_head import SEP_LINE
from outsort.tables.delimited import records_as_written
from outsort.tables.json import JsonReader

_BYTE_ORDER_MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@dataclass
class Edits:
    """Changes to the rows of a table.

    Attributes:
        columns: names of the columns to append, which are blank where `cells` and `rows` do not fill them.
        cells: the cells that change, by row number as a spreadsheet shows it and by column.
        rows: the rows to append, as their cells that are not blank by column.
    """

    columns: list[str] = field(default_factory=list)
    cells: dict[int, dict[str, str]] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether any row changes."""
        return bool(self.cells or self.rows)


def _edit_delimited(content: bytes, dialect: Dialect, edits: Edits) -> bytes:
    """Edit CSV; where its encoding lacks a letter to be written, all of it becomes UTF-8."""
    encoding, mark = _encoding_of(content, dialect.encoding)
    text = content[len(mark) :].decode(encoding)
    found = SEP_LINE.match(text)
    before = found[0] if found else ""
    changed = before + _edited_records(text[len(before) :], dialect, edits)
    try:
        return mark + changed.encode(encoding)
    except UnicodeEncodeError:
        return changed.encode("utf-8-sig")


def _edit_tabbed(content: bytes, dialect: Dialect, edits: Edits) -> bytes:
    return _edit_delimited(content, replace(dialect, delimiter="\t"), edits)


def _encoding_of(content: bytes, encoding: str) -> tuple[str, bytes]:
    """Return the encoding without a byte-order mark, and the mark that the content begins with."""
    if encoding in ("utf-8-sig", "utf-16", "utf-32"):
        for name, mark in _BYTE_ORDER_MARKS.items():
            if content.startswith(mark):
                return name, mark
    return encoding, b""


def _edited_records(text: str, dialect: Dialect, edits: Edits) -> str:
    delimiter = dialect.delimiter
    records: list[str] = []
    columns: list[str] = []
    newline = "\n"
    for number, (record, cells) in enumerate(records_as_written(text, delimiter), 1):
        body, end = _without_line_end(record)
        new = [""] * len(edits.columns)
        if number == dialect.header_row:
            columns, new, newline = cells + edits.columns, edits.columns, end or newline
        if number in edits.cells:
            row = dict(zip(columns, cells + new, strict=True)) | edits.cells[number]
            body = csv_record(row.values(), delimiter)
        elif cells and new and number >= dialect.header_row:
            body = delimiter.join((body, *(csv_cell(name, delimiter) for name in new)))
        records.append(body + end)
    if edits.rows and not _without_line_end(records[-1])[1]:
        records[-1] += newline
    records += (csv_record((row.get(name, "") for name in columns), delimiter) + newline for row in edits.rows)
    return "".join(records)


def _without_line_end(record: str) -> tuple[str, str]:
    body = re.sub("(\r\n|\r|\n)\\Z", "", record)
    return body, record[len(body) :]


def _edit_json_lines(content: bytes, dialect: Dialect, edits: Edits) -> bytes:  # noqa: ARG001 - there is one
    lines = list(io.BytesIO(content))
    end = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    for number, cells in edits.cells.items():
        lines[number - 2] = _with_values(lines[number - 2].decode(), cells).encode()
    if edits.rows and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    lines += (json.dumps(row, ensure_ascii=False).encode() + end for row in edits.rows)
    return b"".join(lines)


def _with_values(line: str, values: dict[str, str]) -> str:
    """Return the line of a JSON object with some values replaced or appended, all else as it was.

    >>> _with_values('{"a": 1.50, "b": null}', {"b": "x", "c": "y"})
    '{"a": 1.50, "b": "x", "c": "y"}'
    """
    decode = json.JSONDecoder().raw_decode
    spans: dict[str, tuple[int, int]] = {}
    place = _skip("[\ufeff\\s{]*", line, 0)
    while line[place] != "}":
        key, place = decode(line, place)
        start = _skip(r"[\s:]*", line, place)
        _, end = decode(line, start)
        spans[key] = start, end
        place = _skip(r"[\s,]*", line, end)
    new = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    pairs = [f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in new.items() if name not in spans]
    last = max((end for _, end in spans.values()), default=place)
    line = line[:last] + ", ".join(([""] if spans else []) + pairs) + line[last:]
    for name, (start, end) in sorted(spans.items(), key=lambda item: item[1], reverse=True):
        line = line[:start] + new.get(name, line[start:end]) + line[end:]
    return line


def _skip(pattern: str, line: str, place: int) -> int:
    found: Any = re.compile(pattern).match(line, place)
    return int(found.end())


def _edit_json(content: bytes, dialect: Dialect, edits: Edits) -> bytes:  # noqa: ARG001 - there is one
    reader = JsonReader("the table", io.BytesIO(content), ReadOptions())
    encoding, mark = _encoding_of(content, json.detect_encoding(content[:4]))
    text = content[len(mark) :].decode(encoding)
    items = list(reader.items())
    between = text[items[-2].end : items[-1].start] if len(items) > 1 else ",\n"
    new = [json.dumps(row, ensure_ascii=False) for row in edits.rows]
    text = text[: items[-1].end] + "".join(between + row for row in new) + text[items[-1].end :]
    for number, cells in sorted(edits.cells.items(), reverse=True):
        item = items[number - 2]
        text = text[: item.start] + _with_values(item.text, cells) + text[item.end :]
    return mark + text.encode(encoding)


#: How to edit the content of a table, by the name of its format; the others are written anew.
EDITORS: dict[str, Callable[[bytes, Dialect, Edits], bytes]] = {
    "csv": _edit_delimited,
    "tsv": _edit_tabbed,
    "jsonl": _edit_json_lines,
    "json": _edit_json,
}
