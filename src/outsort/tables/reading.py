"""Say in one line what was read of a file, and how to have the same again."""

from __future__ import annotations

from collections.abc import Sequence

from outsort.errors import counted
from outsort.tables.base import Location, ReadOptions, distinct_names
from outsort.tables.columns import Found, in_option


class Reading(str):
    """A line that says what was read.

    Attributes:
        is_plain: whether nothing was guessed that could have been otherwise.
        notes: where the table was, if that is not plain, and what was guessed besides its columns.
    """

    __slots__ = ("is_plain", "notes")

    is_plain: bool
    notes: list[str]


def describe(
    source: str,
    location: Location,
    columns: Sequence[str],
    texts: Found,
    options: ReadOptions,
    *,
    n_rows: int | None = None,
    encoding: str = "utf-8",
    notes: Sequence[str] = (),
    label: str | None = None,
    line: str | None = None,
    is_alone: bool = True,
) -> Reading:
    """Return what was read of a table.

    Args:
        source: the file.
        location: where in it the table was.
        columns: the names of its columns.
        texts: the text columns.
        options: how it was to be read.
        n_rows: how many rows were read; None for what is not known.
        encoding: of its text.
        notes: what was guessed besides, see `sources.Opened`.
        label: the column of labels, if one was read.
        line: the column of service lines, if one was read.
        is_alone: whether no other table is read with the same options, so that those of this one can be given.

    >>> from outsort.tables.base import Column
    >>> describe("in.csv", Location(), ["text"], Found([[Column("text", 0)]]), ReadOptions(), n_rows=7)
    "in.csv: text column 'text', 7 rows"
    """
    remarks = [*notes, *location.remarks]
    if location.n_uncomputed:
        remarks.append(
            f"formulas without a result ({location.n_uncomputed:,}) are read as blank, and their rows go to review: "
            "open and save it in Excel or LibreOffice first"
        )
    is_guessed = bool(location.options or remarks or texts.why)
    parts = [f"sheet {location.sheet!r}"] if location.sheet and (is_guessed or options.sheet) else []
    if not location.header_row:
        parts.append("no header")
    elif location.header_row > 1:
        parts.append(f"header in row {location.header_row:,}")
    where = list(parts)
    own, names = texts.made_from or (texts.parts, columns)
    names = distinct_names(names)
    asked = ["|".join((names[c.place] if c.place < len(names) else c.name) for c in part) for part in own]
    parts.append(texts.why or f"text column{'s' * (len(asked) > 1)} {', '.join(map(repr, asked))}")
    parts += [f"{what} column {name!r}" for what, name in (("label", label), ("service-line", line)) if name]
    if n_rows is not None:
        parts.append(counted(n_rows, "row"))
    if encoding.removesuffix("-sig") != "utf-8" and not any(note.startswith("read as") for note in notes):
        parts.append(f"read as {encoding}")
    told = f"{source}: {', '.join(parts)}"
    if remarks:
        told += f"; {'; '.join(remark.rstrip('.') for remark in remarks)}"
    if location.options and is_alone:
        again = [*location.options, *(f"--text-column {in_option(name)}" for name in asked)]
        told += f". The same again: {' '.join(again)}"
    reading = Reading(told)
    reading.is_plain = not is_guessed
    reading.notes = [*where, *remarks]
    return reading
