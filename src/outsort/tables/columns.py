"""Find the text, label and service-line columns of a table."""

import re
from collections.abc import Sequence

from outsort.errors import DataError

#: Usual column names, best first; compared in lower case, without spaces and punctuation.
USUAL_NAMES = {
    "text": (
        "text",
        "description",
        "taskdescription",
        "jobdescription",
        "task",
        "statement",
        "jobtitle",
        "title",
        "summary",
        "requirement",
    ),
    "label": ("label", "class", "answer", "target", "bpokpo", "outsourcingtype"),
    "line": ("serviceline", "line"),
}


class NoColumnError(DataError):
    """No column for a role, or more than one; `columns` lists the names of those found."""

    def __init__(self, message: str, columns: Sequence[str]) -> None:
        """Hold the message and the columns."""
        super().__init__(message)
        self.columns = list(columns)


def find_column(
    source: str, columns: Sequence[str], role: str, name: str | None, *, optional: bool = False
) -> str | None:
    """Return the column for a role, by the name given or by its usual names.

    Args:
        source: the name to call the table by in messages.
        columns: the names of its columns.
        role: text, label or line.
        name: the name given by the user, or None.
        optional: return None if there is none and no name was given.

    Raises:
        NoColumnError: there is no such column, or several have that name.
    """
    if name is not None:
        wanted: Sequence[str] = (name,)
        found = [c for c in columns if c == name]
    else:
        wanted = USUAL_NAMES[role]
        plain = {c: re.sub(r"[\W_]", "", c.lower()) for c in columns}
        found = next(([c for c in columns if plain[c] == w] for w in wanted if w in plain.values()), [])
    if len(found) == 1:
        return found[0]
    if not found and name is None and optional:
        return None
    has = ", ".join(map(repr, columns))
    complaint = f"{len(found)} columns" if found else "no column"
    raise NoColumnError(f"{source}: {complaint} {wanted[0]!r}; it has {has}. Name one with --{role}-column.", columns)


def find_text_columns(source: str, columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the text columns: the requested ones, the only one there is, or the one with a usual name.

    Raises:
        NoColumnError: no such column.
    """
    if wanted:
        return [str(find_column(source, columns, "text", name)) for name in wanted]
    if len(columns) == 1:
        return [columns[0]]
    return [str(find_column(source, columns, "text", None))]
