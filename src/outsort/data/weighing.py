"""Columns of amounts that weight rows, read batch by batch: what is no amount weighs nothing, and is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outsort.data.amounts import amounts, decimal_mark, is_ambiguous, is_blank
from outsort.numeric import Floats
from outsort.results import Result

#: Characters that are kept of a cell that is not a number.
_MAX_SHOWN = 300


@dataclass(frozen=True)
class Weights(Result):
    """How a column of weights was read.

    Attributes:
        column: its name.
        blank: rows without a weight, which weigh nothing.
        not_numbers: rows with something else than a number, likewise.
        example: the first of these; "" if there is none.
        negative: rows with a weight below 0, which weigh nothing.
        negative_sum: the sum of those.
        decimal_mark: what stands before the decimals.
        ambiguous: rows such as "1.234", read as a little more than one because no other row tells.
    """

    column: str
    blank: int
    not_numbers: int
    example: str
    negative: int
    negative_sum: float
    decimal_mark: str
    ambiguous: int


class Weighing:
    """Reads the weights of rows, and sums up what `Weights` needs.

    Attributes:
        column: the name of their column.
    """

    def __init__(self, column: str) -> None:
        """Begin with no rows of a column."""
        self.column = column
        self._mark, self._example = "", ""
        self._n_blank = self._n_not_numbers = self._n_negative = self._n_ambiguous = 0
        self._negative_sum = 0.0

    def weights(self, cells: Sequence[object]) -> Floats:
        """Return the weights of n cells, and count those that are none: float64 (n,), 0 or above."""
        if not self._mark:
            self._mark = decimal_mark(cells)
        if not self._mark:
            self._n_ambiguous += sum(map(is_ambiguous, cells))
        found = amounts(cells, self._mark)
        odd = ~np.isfinite(found)
        for i in np.flatnonzero(odd).tolist():
            if is_blank(cells[i]):
                self._n_blank += 1
            else:
                self._n_not_numbers += 1
                self._example = self._example or str(cells[i])[:_MAX_SHOWN]
        below = ~odd & (found < 0)
        self._n_negative += int(below.sum())
        self._negative_sum += float(found[below].sum())
        return np.where(odd | below, 0.0, found)

    def apart(self, cells: Sequence[object], places: NDArray[np.intp]) -> Floats:
        """Return the weights of the cells at some places that count apart, such as totals: float64, 0 where none."""
        self._mark = self._mark or decimal_mark(cells)
        found = amounts([cells[i] for i in places], self._mark)
        return np.where(found > 0, found, 0.0)

    def merge(self, other: Weighing) -> None:
        """Add what another has read of other rows."""
        self.column = self.column or other.column
        self._mark, self._example = self._mark or other._mark, self._example or other._example
        self._n_blank += other._n_blank
        self._n_not_numbers += other._n_not_numbers
        self._n_negative += other._n_negative
        self._n_ambiguous += other._n_ambiguous
        self._negative_sum += other._negative_sum

    def result(self) -> Weights:
        """Return how the column was read so far."""
        return Weights(
            column=self.column,
            blank=self._n_blank,
            not_numbers=self._n_not_numbers,
            example=self._example,
            negative=self._n_negative,
            negative_sum=self._negative_sum,
            decimal_mark=self._mark or ".",
            ambiguous=self._n_ambiguous,
        )
