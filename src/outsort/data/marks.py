"""Marked clauses: which parts of a long text say the work, and which are boilerplate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from outsort.data.identity import as_text, key_of
from outsort.data.problems import listed, shortened
from outsort.data.table import read_table
from outsort.errors import DataError

#: The columns of a table of marked clauses.
COLUMNS = ("row", "clause", "says_the_work")
#: The clauses of a text in order, each with its mark.
Marks = Sequence[tuple[str, bool]]


def read_marks(path: Path | str, texts: Iterable[str]) -> dict[str, Marks]:
    """Read a table of marked clauses.

    Args:
        path: a table with the columns row (the key of a text, see `outsort.data.identity.key_of`), clause, and
            says_the_work (1 or 0); the clauses of a text in order.
        texts: the texts that the table marks.

    Returns:
        The marks by the key of their text.

    Raises:
        DataError: the table cannot be read, lacks a column, or has a row that fits no text.
    """
    table = read_table(Path(path))
    missing = [name for name in COLUMNS if name not in table.frame]
    if missing:
        raise DataError(f"{table.source}: has no column {missing[0]!r}. Marked clauses have {', '.join(COLUMNS)}.")
    by_key = {key_of(text): text for text in texts}
    marks: dict[str, list[tuple[str, bool]]] = {}
    ends: dict[str, int] = {}
    problems = []
    for number, *cells in table.frame[list(COLUMNS)].itertuples():
        key, clause, mark = (as_text(cell).strip() for cell in cells)
        found = by_key.get(key, "").find(clause, ends.get(key, 0))
        if key not in by_key:
            problems.append(f"row {number}: no text has the key {key!r}")
        elif mark not in ("0", "1"):
            problems.append(f"row {number}: says_the_work is {mark!r}, not 0 or 1")
        elif not clause or found < 0:
            problems.append(f"row {number}: {shortened(clause)!r} is not in its text, or not in this order")
        else:
            ends[key] = found + len(clause)
            marks.setdefault(key, []).append((clause, mark == "1"))
    if problems:
        raise DataError(listed(table.source, problems))
    return dict(marks)


def says_the_work(text: str, spans: Sequence[tuple[int, int]], marks: Marks) -> list[int]:
    """Return whether each clause of a text says the work: 1 or 0, or -1 for all if there are no marks.

    Marks need not have been made on the same clauses: a clause says the work if most of its marked characters
    do.
    """
    if not marks:
        return [-1] * len(spans)
    for_work = [0] * len(text)
    place = 0
    for clause, says in marks:
        place = text.index(clause, place)
        for_work[place : place + len(clause)] = [1 if says else -1] * len(clause)
        place += len(clause)
    return [int(sum(for_work[start:end]) > 0) for start, end in spans]
