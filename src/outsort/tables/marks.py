"""Tell rows that are no work from the others: totals, notes after the table, the header again.

They are marked, not dropped: the row keeps its place and its cells, and goes to review with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from outsort.tables.base import UNCOMPUTED, Batch, Location, Rows, is_filled
from outsort.tables.header import looks_like_header
from outsort.tables.headings import is_known, reads_like_cell
from outsort.tables.not_work import (
    AGAIN,
    NOTE,
    OTHER,
    SEPARATOR,
    SEPARATOR_PARTS,
    TITLE,
    TOTAL,
    TOTAL_PARTS,
    is_amount,
    is_note,
    is_separator,
    is_total,
)

#: Rows at the end of a plain table that are looked at as rows.
LAST = 64
#: The most rows of notes after a table.
_MOST_NOTES = 20
#: Words of the only name of a table that may be a row of work.
_WORDS_OF_WORK = 2
#: What a cell holds for which a row is looked at.
_SUSPECT_PARTS = (*TOTAL_PARTS, *SEPARATOR_PARTS)


class Marks:
    """Which rows of one table are no work.

    Attributes:
        location: what is said of the reading; a second table is added to its remarks.
    """

    def __init__(self, columns: Sequence[str], location: Location, titles: Iterable[Sequence[object]] = ()) -> None:
        """Hold the names of the columns, and the rows above them."""
        self.location = location
        self._columns = [name.strip() for name in columns]
        self._first = next((place for place, name in enumerate(self._columns) if name), 0)
        self._written = columns[self._first] if columns else ""
        self._n_named = sum(map(bool, self._columns))
        filled = [cells for row in titles if (cells := [cell for cell in row if is_filled(cell)])]
        self._is_first = location.header_row > 0 and not filled and not location.is_given
        self._titles = {str(row[0]) for row in filled if len(row) == 1}

    def reason(self, cells: Sequence[object]) -> str:
        """Return why a row is no work by what it holds; "" for a row like the others."""
        if len(self._columns) < 2:
            return ""
        first = cells[self._first] if self._first < len(cells) else None
        if first == self._written and self._n_named > 1:
            names = [cell.strip() if isinstance(cell, str) else cell or "" for cell in cells]
            if names + [""] * (len(self._columns) - len(names)) == self._columns:
                return AGAIN
        filled = [cell for cell in cells if is_filled(cell)]
        if len(filled) == 1:
            text = str(filled[0]).strip()
            if text in self._titles:
                return TITLE
            return NOTE if is_note(text) else TOTAL if is_total(text) else SEPARATOR if is_separator(text) else ""
        texts = [cell for cell in filled if isinstance(cell, str)]
        if not any(map(_is_suspect, texts)):
            return ""
        if len(texts) == len(filled) and all(map(is_separator, texts)):
            return SEPARATOR
        texts = [text for text in texts if not is_amount(text)]
        # Of a row without a gap the total comes first: behind a number, it may be the name of a firm.
        is_sum = len(filled) < len(self._columns) or len(filled) == 2 or texts[:1] == filled[:1]
        return TOTAL if is_sum and len(texts) == 1 and is_total(texts[0]) else ""

    def tell_header(self, *, has_rows: bool) -> None:
        """Say of a header that it may be a row of work, unless a name in it is a known one or all are as names are."""
        if not self._is_first or any(map(is_known, self._columns)):
            return
        is_phrase = len(self._columns) == 1 and len(self._columns[0].split()) >= _WORDS_OF_WORK
        if not has_rows or is_phrase or any(map(reads_like_cell, self._columns)):
            self.location.remarks.append(
                f"its {'first' if has_rows else 'only'} row was taken for the names of the columns: pass --no-header "
                "if it is work"
            )

    def of_rows(self, rows: Sequence[Sequence[object]], numbers: Sequence[int], *, is_last: bool) -> dict[int, str]:
        """Return the places of rows that are no work, and why.

        Args:
            rows: the cells of each.
            numbers: the number of each; one that is left out was blank.
            is_last: whether the table ends with these rows.
        """
        if len(self._columns) < 2:
            return {}
        narrow, others = _suspects(rows, (self._first, self._written) if self._n_named > 1 else None)
        reasons = {place: why for place in sorted(narrow | others) if (why := self.reason(rows[place]))}
        is_gapless = len(rows) < 2 or numbers[-1] - numbers[0] == len(rows) - 1
        blank = [place for place in narrow if not any(map(is_filled, rows[place]))]
        after_blank = {place + 1 for place in blank} - set(blank)
        if not is_gapless:
            after_blank |= {place for place in range(1, len(rows)) if numbers[place] - numbers[place - 1] > 1}
        for place in sorted(after_blank - reasons.keys()):
            if place < len(rows) and sum(map(is_filled, rows[place])) > 1 and looks_like_header(rows, place):
                reasons[place] = OTHER
                self.location.remarks.append(f"row {numbers[place]:,} looks like the header of another table")
        if is_last:
            start = after_table(rows, numbers)
            reasons |= {place: NOTE for place in range(start, len(rows)) if any(map(is_filled, rows[place]))} | reasons
        return reasons


def _suspects(rows: Sequence[Sequence[object]], named: tuple[int, str] | None) -> tuple[set[int], set[int]]:
    """Return the places of rows with at most one filled cell, and of those with a word like total, dashes or a name.

    By column, because most columns have neither: rows one by one would take longer than reading them.
    """
    n_filled = np.zeros(len(rows), np.int64)
    others: set[int] = set()
    width = max(map(len, rows), default=0)
    is_even = len(set(map(len, rows))) == 1
    for number in range(width):
        column = [row[number] if is_even or number < len(row) else None for row in rows]
        if named and named[0] == number and named[1] in column:
            others |= {place for place, cell in enumerate(column) if cell == named[1]}
        kinds = set(map(type, column))
        if kinds <= {str, type(None)}:
            texts = cast("Sequence[str]", [cell or "" for cell in column] if type(None) in kinds else column)
            together = "\n".join(texts)
            if _is_suspect(together):
                others |= {place for place, text in enumerate(texts) if _is_suspect(text)}
            n_filled += 1 if "" not in texts and not together.isspace() else np.fromiter(map(bool, texts), np.int64)
        elif str in kinds or type(None) in kinds:
            n_filled += np.fromiter(map(is_filled, column), np.int64)
            others |= {p for p, cell in enumerate(column) if isinstance(cell, str) and _is_suspect(cell)}
        else:
            n_filled += 1
    return set(np.flatnonzero(n_filled <= 1).tolist()), others


def _is_suspect(text: str) -> bool:
    return any(part in text for part in _SUSPECT_PARTS)


def after_table(rows: Sequence[Sequence[object]], numbers: Sequence[int], *, has_table: bool = False) -> int:
    """Return where the notes after a table begin: rows of one cell that a blank row parts from the last row of it.

    Args:
        rows: the cells of the last rows.
        numbers: the number of each.
        has_table: whether rows of the table came before them.

    >>> after_table([["a", "1"], ["b", "2"], [], ["as of April"]], [2, 3, 4, 5])
    3
    >>> after_table([["a", "1"], ["b", ""]], [2, 3])
    2
    """
    start = len(rows)
    place = next((p for p in reversed(range(start)) if sum(map(is_filled, rows[p])) > 1), -1)
    has_table |= place >= 0
    before = rows[max(0, place - LAST) : place + 1]
    n_wide = sum(sum(map(is_filled, row)) > 1 for row in before)
    n_after = sum(any(map(is_filled, row)) for row in rows[place + 1 :])
    # Where most rows have one cell, the last ones are rows like the others.
    if not has_table or 2 * n_wide < len(before) + bool(before) or n_after > _MOST_NOTES:
        return start
    for after in range(max(1, place + 1), len(rows)):
        is_parted = numbers[after] - numbers[after - 1] > 1 or not any(map(is_filled, rows[after - 1]))
        if is_parted and any(map(is_filled, rows[after])):
            return after
    return start


def marked(batches: Iterable[Batch], marks: Marks) -> Iterator[Batch]:
    """Yield batches with the rows marked that are no work."""
    waiting: Batch | None = None
    for batch in batches:
        if waiting is not None:
            yield _marked(waiting, marks, is_last=False)
        waiting = batch
    marks.tell_header(has_rows=waiting is not None)
    if waiting is not None:
        yield _marked(waiting, marks, is_last=True)


def _marked(batch: Batch, marks: Marks, *, is_last: bool) -> Batch:
    if isinstance(batch, Rows):
        reasons = marks.of_rows(batch.cells, batch.numbers, is_last=is_last)
    else:
        reasons = _of_records(cast("Any", batch), marks, is_last=is_last)
    if not reasons:
        return batch
    # That a sum is not computed says less of a row than that it is a total.
    known = {
        place: why
        for place, why in batch.faults.items()
        if not (why.startswith(UNCOMPUTED) and reasons.get(place) == TOTAL)
    }
    faults: Mapping[int, str] = reasons | known
    return cast("Batch", replace(cast("Any", batch), faults=faults))


def _of_records(batch: Any, marks: Marks, *, is_last: bool) -> dict[int, str]:  # noqa: ANN401 - a `PlainBatch`
    """Return the marked rows of a batch of bytes, of which only the suspect ones are read."""
    reasons: dict[int, str] = {}
    for place in batch.suspects(marks.location.header):
        (cells,) = batch.rows(place, place + 1)
        # A blank record says nothing itself; what follows it may be another table.
        if not any(map(is_filled, cells)):
            rows = batch.rows(place, place + 1 + LAST // 2)
            found = marks.of_rows(rows, batch.numbers[place : place + len(rows)], is_last=False)
            reasons |= {place + 1: found[1]} if found.get(1) == OTHER else {}
        elif why := marks.reason(cells):
            reasons[place] = why
    if is_last:
        start = max(0, len(batch) - LAST)
        found = marks.of_rows(batch.rows(start, len(batch)), batch.numbers[start:], is_last=True)
        reasons |= {start + place: why for place, why in found.items()}
    return reasons
