"""The cells of a column in a batch of rows, and which conditions hold of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from outsort.data.amounts import amounts, decimal_mark
from outsort.data.identity import same_text
from outsort.data.values import dates
from outsort.numeric import Floats
from outsort.rules.rule import Condition
from outsort.tables.base import plain_cell

#: Values of a column whose conditions are remembered.
_MAX_KNOWN = 100_000
#: Patterns that RE2 runs at once, and the bytes that it may take for them.
_SET_SIZE, _SET_BYTES = 100, 1 << 28
_MIDNIGHT = "T00:00:00"


class ColumnConditions:
    """All conditions on a column, told by numbers; each value is looked at once."""

    def __init__(self, name: str, conditions: Sequence[Condition]) -> None:
        """Prepare them: all parts of texts in one automaton, all patterns in one set of RE2."""
        self.name, self.conditions = name, conditions
        self._equals: dict[str, list[int]] = {}
        parts: dict[str, list[int]] = {}
        for number, condition in enumerate(conditions):
            for texts, found in ((condition.equals, self._equals), (condition.contains, parts)):
                for text in texts:
                    found.setdefault(same_text(text), []).append(number)
        self._parts = automaton(parts)
        self._with_regex = [number for number, condition in enumerate(conditions) if condition.regex]
        self._sets = [_set([conditions[i].regex for i in part]) for part in _pieces(self._with_regex)]
        #: How many of equals, contains and regex each condition has.
        self.n_kinds = np.array([bool(c.equals) + bool(c.contains) + bool(c.regex) for c in conditions])
        self._known: dict[str, tuple[int, ...]] = {}

    def holding(self, text: str) -> tuple[int, ...]:
        """Return the conditions whose equals, contains and regex hold of a cell."""
        found = self._known.get(text)
        if found is None:
            kinds = list(self._kinds(text))
            found = tuple(i for i in sorted(set(kinds)) if kinds.count(i) == self.n_kinds[i])
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[text] = found
        return found

    def _kinds(self, text: str) -> Iterator[int]:
        """Yield the number of each condition once for each of its kinds that holds."""
        plain = same_text(text)
        yield from set(self._equals.get(plain, ()))
        if self._parts:
            yield from {number for _, numbers in self._parts.iter(plain) for number in numbers}
        # RE2 would refuse half a surrogate pair, which JSON may hold.
        raw = text.strip().encode("utf-8", "surrogatepass")
        for numbers, patterns in zip(_pieces(self._with_regex), self._sets, strict=True):
            yield from (numbers[i] for i in patterns.Match(raw) or ())


class Column:
    """The n cells of a column."""

    def __init__(self, of: ColumnConditions, cells: Sequence[object]) -> None:
        """Tell the distinct cells apart."""
        self._of, self._all_cells = of, cells
        is_text = set(map(type, cells)) <= {str}
        texts = np.array(cells if is_text else [text_of(cell) for cell in cells], object)
        self._codes, distinct = pd.factorize(texts)
        self._texts = distinct.tolist()

    def kept(self, number: int, rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Return those of some rows, or of all for None, of which a condition holds: int64, in order."""
        holds = self._holds(number)
        return np.flatnonzero(holds[self._codes]) if rows is None else rows[holds[self._codes[rows]]]

    def _holds(self, number: int) -> NDArray[np.bool_]:
        """Return of which distinct cells a condition holds: bool (n_distinct,)."""
        condition = self._of.conditions[number]
        holds = np.ones(len(self._texts), np.bool_)
        if self._of.n_kinds[number]:
            holds[:] = False
            holds[self._holding.get(number, [])] = True
        for bound, is_least in ((condition.least, True), (condition.most, False)):
            if bound is not None:
                values: NDArray[Any]
                end: Any
                if isinstance(bound, datetime.date):
                    values, end = self._dates, np.datetime64(bound, "D")
                else:
                    values, end = self._numbers, bound
                holds &= values >= end if is_least else values <= end
        return holds

    @cached_property
    def _holding(self) -> dict[int, list[int]]:
        """The distinct cells of which equals, contains and regex of each condition hold."""
        found: dict[int, list[int]] = {}
        for code, text in enumerate(self._texts):
            for number in self._of.holding(text):
                found.setdefault(number, []).append(code)
        return found

    @cached_property
    def _cells(self) -> list[object]:
        """The distinct cells."""
        firsts = np.unique(self._codes, return_index=True)[1]
        return [self._all_cells[i] for i in firsts.tolist()]

    @cached_property
    def _numbers(self) -> Floats:
        with suppress(ValueError):
            # Where all are plain numbers `amounts` would say the same, later.
            return np.array([float(text or "nan") for text in self._texts])
        return amounts(self._cells, decimal_mark(self._cells) or ".")

    @cached_property
    def _dates(self) -> NDArray[np.datetime64]:
        return dates(self._of.name, self._cells)


def text_of(cell: object) -> str:
    """Return a cell as conditions see it: whole numbers and dates as they are written, blank for a missing value.

    >>> text_of(5.0), text_of(datetime.datetime(2026, 4, 30)), text_of(None), text_of(" A  b ")
    ('5', '2026-04-30', '', 'A  b')
    """
    if isinstance(cell, str):
        return cell.strip()
    # What is missing in a frame is not equal to itself.
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    return str(plain_cell(cell)).removesuffix(_MIDNIGHT)


def automaton(values: dict[str, Any]) -> Any:  # noqa: ANN401 - of pyahocorasick
    """Return an automaton that finds the keys in a text, with their values; None for none."""
    if not values:
        return None
    import ahocorasick

    found = ahocorasick.Automaton()
    for text, value in values.items():
        found.add_word(text, value)
    found.make_automaton()
    return found


def regex_options() -> Any:  # noqa: ANN401 - of google-re2
    """Return how RE2 reads patterns: quietly, with memory for many."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _SET_BYTES
    return options


def _pieces(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + _SET_SIZE] for start in range(0, len(numbers), _SET_SIZE)]


def _set(patterns: Sequence[str]) -> Any:  # noqa: ANN401 - of google-re2
    import re2

    found = re2.Set.SearchSet(regex_options())
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return found
