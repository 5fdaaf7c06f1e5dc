"""Find the row with the names of the columns: above it there may be titles, notes and blank rows.

Row 1 is the header unless it plainly is not. A row further down takes its place only where what is above it is too
narrow to be one, and its names differ in kind from the values below them. Where both could be, the reader stops.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from outsort.errors import DataError
from outsort.tables.base import is_filled
from outsort.tables.headings import PERIOD, Kind, reading_of

#: Rows among which the header is looked for, and rows below it that are compared with it.
LOOKED_AT, _COMPARED = 60, 20
#: The longest name of a column.
_LONGEST_NAME = 80
#: What speaks for a header below a row of several cells comes to more than this.
_LEAST_STRENGTH = 2
#: Words in the names of columns of registers, tickets, jobs and spend.
_HEADINGS = frozenset((
    "id", "ref", "reference", "no", "number", "nr", "code", "key", "name", "title", "description", "text", "task",
    "statement", "summary", "requirement", "category", "type", "class", "label", "status", "date", "start", "end",
    "closing", "deadline", "published", "value", "amount", "total", "price", "cost", "spend", "currency", "quantity",
    "qty", "unit", "supplier", "vendor", "contractor", "buyer", "authority", "department", "directorate",
    "organisation", "organization", "agency", "company", "customer", "client", "contract", "tender", "lot", "item",
    "project", "service", "line", "subject", "purpose", "scope", "owner", "manager", "contact", "email", "phone",
    "address", "city", "region", "country", "postcode", "location", "url", "link", "notes", "comments", "remarks",
    "year", "month", "period", "account", "role", "position", "grade", "salary",
))  # fmt: skip
_NUMBER_LIKE = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*")
#: Signs that name a column by themselves.
_SIGNS = frozenset("#№%€£$¥")
#: Periods that a row of names has at least: one alone may be the year of a row of work.
_LEAST_PERIODS = 2


class _Strength(NamedTuple):
    """How much like a header a row is.

    Attributes:
        named: cells that hold a usual word of headers, or a period above numbers.
        differing: cells unlike the values below them.
    """

    named: int
    differing: int


def find_header(source: str, rows: Sequence[Sequence[object]], given: int | None = None, *, above: int = 0) -> int:
    """Return the place of the header among the first rows of a table, from 0.

    Args:
        source: the table in messages.
        rows: its first rows, as many as `LOOKED_AT`; more are not looked at.
        given: the number of the row that the user named, from 1.
        above: blank rows above these, for messages.

    Raises:
        DataError: two rows could be the header, or the row that was named is blank.

    >>> find_header("in.csv", [["Contracts register"], [], ["Ref", "Amount"], ["C-1", "12"]])
    2
    >>> find_header("in.csv", [["text", "n"], ["key invoices", "12"]])
    0
    """
    filled = [[(place, cell) for place, cell in enumerate(row) if is_filled(cell)] for row in rows[:LOOKED_AT]]
    if given is not None:
        if given > len(rows) or not any(map(is_filled, rows[given - 1])):
            raise DataError(f"{source}: row {given}, which --header-row names, is blank. Name the row with the names.")
        return given - 1
    there = [place for place, cells in enumerate(filled) if cells]
    if not there:
        return 0
    first = there[0]
    widest = max(len(cells) for cells in filled)
    if widest == 1:
        return _header_of_one_column(filled, first)
    # A row that is at least half as wide as the table is its header, whatever follows.
    if len(filled[first]) > 1 and 2 * len(filled[first]) > widest:
        return _below_groups(filled, first)
    found = _below_titles(source, filled, first, widest, is_padded=len(rows[first]) > 1, above=above)
    return _below_groups(filled, found)


def _below_groups(filled: Sequence[Sequence[tuple[int, object]]], place: int) -> int:
    """Return the row below a header that only names groups of columns, or else the header's own place.

    A group is named above the first of its columns, so that the row has gaps, which names fill in the row below.
    """
    if place + 1 >= len(filled):
        return place
    groups, names = ({column for column, _ in row} for row in filled[place : place + 2])
    has_gaps = len(groups) > 1 and len(groups) <= max(groups) - min(groups)
    if not (has_gaps and groups < names and _may_be_names([cell for _, cell in filled[place + 1]])):
        return place
    strength = _strength(filled, place + 1)
    return place + 1 if strength.differing and 2 * strength.named > len(names) else place


def _below_titles(
    source: str, filled: Sequence[Sequence[tuple[int, object]]], first: int, widest: int, *, is_padded: bool, above: int
) -> int:
    """Return the place of the header of a table whose first row is narrow: that one, or one further down."""
    narrow = len(filled[first])
    found = _first_wide_row(filled, first, 1 if narrow == 1 else widest // 2)
    is_usual = any(_is_usual(cell) for _, cell in filled[first])
    if found is None:
        _check_width(source, filled, first, is_usual=is_usual, above=above)
        return first
    strength = _strength(filled, found)
    total, n_cells = strength.named + strength.differing, len(filled[found])
    if narrow > 1:
        is_header = strength.named and strength.differing and total > _LEAST_STRENGTH
        return found if is_header and not is_usual else first
    if total >= 2 and (strength.differing or (2 * strength.named > n_cells and not is_usual)):
        return found
    # A usual name alone in its row, and rows with more cells, are as a table with a fault in each row.
    if is_usual and not (is_padded and (strength.differing or 2 * strength.named > n_cells)):
        return first
    if total or _is_title(filled[first]):
        one, other = above + first + 1, above + found + 1
        raise DataError(
            f"{source}: the names of the columns are in row {one} or in row {other}. Say which with "
            f"--header-row {one} or --header-row {other}."
        )
    return first


def _check_width(
    source: str, filled: Sequence[Sequence[tuple[int, object]]], first: int, *, is_usual: bool, above: int
) -> None:
    """Refuse a first row of one cell that cannot name the columns of the rows below it, most of which have more.

    Raises:
        DataError: it is such a row.
    """
    n_cells = [len(row) for row in filled[first + 1 :] if row]
    if len(filled[first]) == 1 and not is_usual and 2 * sum(n > 1 for n in n_cells) > len(n_cells):
        raise DataError(
            f"{source}: row {above + first + 1} has 1 cell and rows below it have up to {max(n_cells)}, and none "
            "clearly names the columns. Name the one that does with --header-row, or pass --no-header."
        )


def looks_like_header(rows: Sequence[Sequence[object]], place: int) -> bool:
    """Return whether a row names columns that differ in kind from those names."""
    filled = [[(i, cell) for i, cell in enumerate(row) if is_filled(cell)] for row in rows[place : place + LOOKED_AT]]
    strength = _strength(filled, 0)
    return _may_be_names([cell for _, cell in filled[0]]) and strength.differing > 0 and strength.named > 0


def columns_of(row: Sequence[object]) -> list[str]:
    """Return the names of the columns that a header gives; a blank cell in the middle is a column without a name."""
    names = ["" if cell is None else str(cell) for cell in row]
    while names and not names[-1]:
        names.pop()
    return names


def _header_of_one_column(filled: Sequence[Sequence[tuple[int, object]]], first: int) -> int:
    """Return the place of a usual name that a blank row parts from titles, or else the first row."""
    for place in range(first + 2, min(len(filled), first + 12)):
        if filled[place] and not filled[place - 1] and _is_usual(filled[place][0][1]):
            return place
    return first


def _first_wide_row(filled: Sequence[Sequence[tuple[int, object]]], first: int, narrow: int) -> int | None:
    """Return the first row wider than titles and notes are, if it could be a header; None where data come first."""
    for place in range(first + 1, len(filled)):
        cells = filled[place]
        if len(cells) <= narrow:
            continue
        below = [len(row) for row in filled[place + 1 : place + 1 + _COMPARED] if len(row) > 1]
        is_wide = not below or 2 * len(cells) >= sorted(below)[len(below) // 2]
        if is_wide and _may_be_names([cell for _, cell in cells]):
            return place
        # A note in two cells may come before; wider rows are data.
        if len(cells) > 2 or not is_wide:
            return None if is_wide else _first_wide_row(filled, place, narrow)
    return None


def _may_be_names(cells: Sequence[object]) -> bool:
    """Return whether cells are short texts, no two alike, and none a number but years."""
    texts = [str(cell).strip() for cell in cells]
    periods = [PERIOD.fullmatch(text) is not None for text in texts]
    has_periods = sum(periods) >= _LEAST_PERIODS
    are_names = (
        (is_period and has_periods) or _may_be_name(cell) for cell, is_period in zip(cells, periods, strict=True)
    )
    return len({text.casefold() for text in texts}) == len(texts) and all(are_names)


def _may_be_name(cell: object) -> bool:
    if not isinstance(cell, str):
        return False
    text = cell.strip()
    is_word = any(map(str.isalpha, text)) and not _NUMBER_LIKE.fullmatch(text)
    return len(text) <= _LONGEST_NAME and (is_word or text in _SIGNS)


def _strength(filled: Sequence[Sequence[tuple[int, object]]], place: int) -> _Strength:
    below = [dict(row) for row in filled[place + 1 : place + 1 + _COMPARED] if len(row) > 1]
    named = differing = 0
    for column, cell in filled[place]:
        name = str(cell).strip()
        words = re.findall(r"[^\W\d_]+", name.lower())
        values = [row[column] for row in below if column in row]
        does_differ = bool(values) and 2 * sum(_differs(name, value) for value in values) > len(values)
        is_period = does_differ and PERIOD.fullmatch(name) is not None
        named += is_period or (len(words) <= 5 and any(word in _HEADINGS for word in words))
        differing += does_differ
    return _Strength(named, differing)


def _differs(name: str, value: object) -> bool:
    """Return whether a value is of another kind than the name above it: a number, a code, or a text far longer."""
    if not isinstance(value, str):
        return True
    text = value.strip()
    has_digit = any(map(str.isdigit, text)) and not any(map(str.isdigit, name))
    return has_digit or (len(text) >= 20 and len(text) >= 2 * len(name))


def _is_title(cells: Sequence[tuple[int, object]]) -> bool:
    text = str(cells[0][1]).strip()
    return " " in text and any(map(str.isalpha, text))


def _is_usual(cell: object) -> bool:
    """Return whether a cell is a usual name of a column of texts; one of many words is a title."""
    return len(str(cell).split()) <= 2 and reading_of(str(cell)).kind < Kind.NAME
