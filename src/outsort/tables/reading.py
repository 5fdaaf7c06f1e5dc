"""Say in one line what was read of a file, and how to have the same again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from outsort.tables.base import Found, ReadOptions
from outsort.tables.columns import USUAL_NAMES


class Reading(str):
    """A line that says what was read.

    Attributes:
        is_plain: whether nothing was guessed that could have been otherwise.
    """

    __slots__ = ("is_plain",)

    is_plain: bool


def describe(
    source: str,
    found: Found,
    encoding: str,
    columns: Sequence[str],
    roles: Mapping[str, Sequence[str]],
    n_rows: int,
    options: ReadOptions,
) -> Reading:
    """Return what was read of a table.

    Args:
        source: the file.
        found: where in it the table was.
        encoding: of its text.
        columns: the names of its columns.
        roles: the columns that were taken, by what they are: text, label, line.
        n_rows: how many rows were read.
        options: how it was to be read.

    >>> describe("in.csv", Found(), "utf-8", ["text"], {"text": ["text"]}, 7, ReadOptions())
    "in.csv: text column 'text', 7 rows"
    """
    remarks = list(found.remarks)
    texts = roles.get("text", ())
    if others := [] if options.text_columns else _other_texts(columns, texts):
        remarks.append(f"also {', '.join(map(repr, others))} (--text-column)")
    is_guessed = bool(found.options or remarks)
    parts = [f"sheet {found.sheet!r}"] if found.sheet and (is_guessed or options.sheet) else []
    if not found.header_row:
        parts.append("no header")
    elif found.header_row > 1:
        parts.append(f"header in row {found.header_row:,}")
    for role, names in roles.items():
        if names:
            what = {"line": "service-line"}.get(role, role)
            parts.append(f"{what} column{'s' * (len(names) > 1)} {', '.join(map(repr, names))}")
    parts.append(f"{n_rows:,} row{'s' * (n_rows != 1)}")
    if encoding.removesuffix("-sig") != "utf-8":
        parts.append(f"read as {encoding}")
    line = f"{source}: {', '.join(parts)}"
    if remarks:
        line += f"; {'; '.join(remarks)}"
    if found.options:
        again = [*found.options, *(f"--text-column {shlex.quote(name)}" for name in texts)]
        line += f". The same again: {' '.join(again)}"
    reading = Reading(line)
    reading.is_plain = not is_guessed
    return reading


def _other_texts(columns: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return the columns that have a usual name of texts as well."""
    return [name for name in columns if name not in taken and re.sub(r"[\W_]", "", name.lower()) in USUAL_NAMES["text"]]
