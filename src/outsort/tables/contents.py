"""Tell what a file is by its bytes: a format of tables, a packing, or a kind that is not read."""

from __future__ import annotations

import codecs
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import IO

from outsort.encodings import shows_wide
from outsort.tables.csv_head import first_records
from outsort.tables.formats import FORMATS, PACKINGS, UNREAD, Format, Unread
from outsort.tables.headings import Kind, reading_of
from outsort.tables.not_work import is_note, is_separator

#: Bytes that tell what text is, and those that are searched for the streams of an old Office file.
_HEAD, _DIRECTORY = 1 << 16, 1 << 24
#: Lines that tell whether text is a table, the share of them with its delimiter, and the words of a column's name.
_LINES, _SHARE_ALIKE, _WORDS_OF_A_NAME = 50, 0.9, 4
#: A name that no pattern begins with.
_NOTHING = "\0"
_ZIP, _OLE = PACKINGS["zip"].magic, b"\xd0\xcf\x11\xe0"


def packing_in(stream: IO[bytes]) -> str:
    """Return the name of the packing that a stream is in, "" for none; it stays at its beginning.

    A workbook is no archive, nor is an archive whose end is missing.
    """
    head = _head_of(stream, 8)
    found = next((packing for packing in PACKINGS.values() if head.startswith(packing.magic)), None)
    if found is None or (found.magic == _ZIP and (is_damaged_zip(stream) or kind_in(stream) is not None)):
        return ""
    return found.name


def is_damaged_zip(stream: IO[bytes]) -> bool:
    """Return whether a stream begins like a ZIP archive or workbook that cannot be opened."""
    return _head_of(stream, 8).startswith(_ZIP) and _names_inside(stream, _ZIP) == [_NOTHING]


def kind_in(stream: IO[bytes], named: str = "") -> Format | Unread | None:
    """Return what a stream is, as far as its bytes tell; None for other text, and for what is not known.

    Args:
        stream: at its beginning, where it stays.
        named: the format that its name tells, which says of a broken line whether it is a whole row.
    """
    head = _head_of(stream, _HEAD)
    inside = _names_inside(stream, head)
    # Before this, a mark and blanks; text may be of two bytes a character.
    text = head.replace(b"\0", b"") if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else head
    text = re.sub(rb"\A(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*", b"", text)
    starts: list[tuple[bytes, Iterable[Unread | Format]]] = [
        (text, [FORMATS["html"], *UNREAD]),
        (head, FORMATS.values()),
    ]
    fitting = [
        (len(part), found)
        for start, kinds in starts
        for found in kinds
        if found.magic and found.magic.match(start)
        for part in found.inside
        if any(name.startswith(part) for name in inside)
    ]
    # The one of which most is there: a binary workbook has all the folders of another.
    return max(fitting, key=itemgetter(0))[1] if fitting else _json_kind(text, named)


def is_text(stream: IO[bytes]) -> bool:
    """Return whether a stream begins as text does, or is empty; it stays at its beginning."""
    head = _head_of(stream, _HEAD)
    return shows_wide(head) or not _CONTROL.search(head)


_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def is_table(stream: IO[bytes]) -> bool:
    """Return whether plain text is a table: its lines have the delimiters of the first, or that names the only column.

    The stream is at its beginning, where it stays.
    """
    head = _head_of(stream, _HEAD).replace(b"\0", b"").decode("utf-8", "replace").lstrip("\ufeff\ufffd")
    lines = [line for line in head.splitlines()[:_LINES] if not (is_separator(line) or is_note(line))]
    filled = [line for line in lines if line.strip()]
    if any(_parts_all(filled, delimiter) or _parts_records(head, delimiter) for delimiter in ",;\t|"):
        return True
    # A list of texts has no blank lines, as paragraphs have.
    return lines == filled != [] and _is_name(lines[0]) and reading_of(lines[0]).kind < Kind.WEAK


def _parts_all(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether a first line of names has a delimiter, and most others have as many or more."""
    if len(lines) < 2 or delimiter not in lines[0]:
        return bool(lines) and lines[0].startswith("sep=")
    n_alike = sum(line.count(delimiter) >= lines[0].count(delimiter) for line in lines)
    return n_alike >= _SHARE_ALIKE * len(lines) and _are_names(lines[0].split(delimiter))


def _parts_records(text: str, delimiter: str) -> bool:
    """Return whether most records of a CSV text have as many cells, three or more, the first of these being names."""
    records = [record for record in first_records(text, delimiter, _LINES) if record]
    records = [record for record in records if not (all(map(is_separator, record)) or is_note("".join(record)))]
    if len(records) < 2:
        return False
    n_cells, n_alike = Counter(map(len, records)).most_common(1)[0]
    names = next(record for record in records if len(record) == n_cells)
    return n_cells > 2 and n_alike >= _SHARE_ALIKE * len(records) and _are_names(names)


def _are_names(cells: Sequence[str]) -> bool:
    """Return whether cells may name columns, most of which have a name."""
    named = [cell for cell in cells if cell.strip()]
    return len(named) > 1 and 2 * len(named) > len(cells) and all(map(_is_name, named))


def _is_name(cell: str) -> bool:
    return 0 < len(cell.split()) <= _WORDS_OF_A_NAME and not cell.rstrip().endswith(".")


def _head_of(stream: IO[bytes], size: int) -> bytes:
    head = stream.read(size)
    stream.seek(0)
    return head


def _names_inside(stream: IO[bytes], head: bytes) -> list[str]:
    """Return the names of the members of a ZIP archive or of the known streams of an old Office file; else one, ""."""
    if head.startswith(_ZIP):
        try:
            with zipfile.ZipFile(stream) as archive:
                return archive.namelist() or [""]
        # A damaged archive makes zipfile raise whatever it happens to hit.
        except Exception:  # noqa: BLE001
            return [_NOTHING]
        finally:
            stream.seek(0)
    if head.startswith(_OLE):
        directory = _head_of(stream, _DIRECTORY)
        kinds: list[Unread | Format] = [*UNREAD, *FORMATS.values()]
        names = {part for found in kinds for part in found.inside}
        return [name for name in names if name and name.encode("utf-16-le") in directory] or [_NOTHING]
    return [""]


def _json_kind(text: bytes, named: str) -> Format | None:
    """Return JSON or JSON lines, if text begins as one of these."""
    if not _OBJECTS.match(text):
        return None
    json_file, json_lines = FORMATS["json"], FORMATS["jsonl"]
    line, end, rest = text.partition(b"\n")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        is_object = line.strip() not in (b"{", b"[") and text.startswith(b"{")
        # A line that is longer than what is seen of it, or broken, may be a row, or hold all rows.
        is_one_of_several = named == "jsonl" or b'\n{"' in rest or not (end or named == "json" or _ARRAY.match(line))
        return json_lines if is_object and is_one_of_several else json_file
    # A single row may hold an array as well: there, the name decides.
    if (
        rest.strip()
        or not (_holds_table(content) or _is_keyed(content))
        or (isinstance(content, dict) and named == "jsonl")
    ):
        return json_lines
    return json_file


def _holds_table(value: object) -> bool:
    """Return whether a value is an array of objects or of arrays, or an object with one, however deep."""
    if isinstance(value, dict):
        return any(map(_holds_table, value.values()))
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict | list)


def _is_keyed(value: object) -> bool:
    """Return whether a value is an object of objects that all have the same keys: rows by their key, no single row."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    keys = [frozenset(inner) if isinstance(inner, dict) else None for inner in value.values()]
    return None not in keys and len(set(keys)) == 1


#: An object, or a list of objects.
_OBJECTS = re.compile(rb'\{\s*"|\{\s*\}|\[\s*\{')
#: Objects within each other, the first members of which lead to an array of objects.
_ARRAY = re.compile(rb"\{[^{\[]*(:\s*\{[^{\[]*)*:\s*\[\s*\{")
