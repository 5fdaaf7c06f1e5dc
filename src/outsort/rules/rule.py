"""What a rule is, and which of several decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outsort.buffers import Utf8Column, utf8_column
from outsort.decision import ACCEPT, REVIEW
from outsort.errors import DataError
from outsort.prediction import LikeliestLine, Prediction, Ruling
from outsort.tables.columns import only_column

if TYPE_CHECKING:
    from outsort.rules.matching import Matcher

#: An end of a range.
Bound: TypeAlias = float | date
#: Returns the cells of the column of a name, one for each row.
Cells: TypeAlias = Callable[[str], Sequence[object]]


@dataclass(frozen=True)
class Condition:
    """What a cell of a column must be; all that is given must hold.

    Attributes:
        column: the name of the column.
        equals: any of these, but for case and white space.
        contains: any of these, likewise.
        regex: found in it; "" for none.
        least: a number or a date that it must reach, or None.
        most: one that it must not pass, or None.
    """

    column: str
    equals: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    regex: str = ""
    least: Bound | None = None
    most: Bound | None = None


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        place: where it is, in words, such as row 3.
        name: its name.
        label: the label it gives.
        line: the service line it gives; "" for none.
        texts: for each condition on the text, the phrases of which any must be in it: words in lower case with a
            space between them; after a phrase that ends in * its last word may go on.
        unless: phrases of which none may be in it.
        where: the conditions on other columns.
        why: the reason, for its readers.
        who: who answers for it, likewise.
        until: the last day on which it fires; None for always.
        only_review: whether it decides only rows that would go to review.
    """

    place: str
    name: str
    label: str
    line: str = ""
    texts: tuple[tuple[str, ...], ...] = ()
    unless: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    why: str = ""
    who: str = ""
    until: date | None = None
    only_review: bool = False


class Hits(NamedTuple):
    """Which rules fire on which of some rows, in the order of the rows, and of the rules on each.

    Attributes:
        rows: int64 (n_hits,), the places of the rows.
        rules: int64 (n_hits,), the places of the rules.
    """

    rows: NDArray[np.int64]
    rules: NDArray[np.int64]

    def where(self, kept: NDArray[np.bool_]) -> Hits:
        """Return some of them: bool (n_hits,)."""
        return Hits(self.rows[kept], self.rules[kept])

    def by_rule(self) -> dict[int, NDArray[np.int64]]:
        """Return the places of the rows of each rule that fires: int64 (n_rows_of_rule,), in the order they come.

        >>> {rule: rows.tolist() for rule, rows in Hits(np.array([0, 0, 2]), np.array([1, 3, 1])).by_rule().items()}
        {1: [0, 2], 3: [0]}
        """
        order = np.argsort(self.rules, kind="stable")
        starts = np.flatnonzero(np.diff(self.rules[order], prepend=-2))
        return {int(self.rules[part[0]]): self.rows[part] for part in np.split(order, starts[1:]) if len(part)}

    def first(self, n: int) -> NDArray[np.int64]:
        """Return the first rule on each of n rows: int64 (n,), -1 for none."""
        found = np.full(n, -1, np.int64)
        # Backwards, because of several values for one place the last is kept.
        found[self.rows[::-1]] = self.rules[::-1]
        return found


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of a file, for the labels and lines of a model.

    Attributes:
        source: the name of the file in messages.
        rules: all of them, in the order of the file.
        today: the day that decides which are past their date.
    """

    source: str
    rules: tuple[Rule, ...]
    today: date

    #: The columns that rules add to a scored table, with their types.
    columns = {"rule": str, "model_label": str, "model_decision": str, "rules": str}  # noqa: RUF012

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of a SHA-256 of all but places, reasons and who answers for them."""
        kept = [{k: v for k, v in asdict(rule).items() if k not in ("place", "why", "who")} for rule in self.rules]
        return hashlib.sha256(json.dumps(kept, default=str).encode()).hexdigest()[:12]

    @cached_property
    def matcher(self) -> Matcher:
        """What finds the rows on which they fire."""
        from outsort.rules.matching import Matcher

        return Matcher(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to other processes, each of which makes its own matcher."""
        return {name: value for name, value in self.__dict__.items() if name != "matcher"}

    def is_past(self, rule: Rule) -> bool:
        """Return whether a rule is past its date, so that it does not fire."""
        return rule.until is not None and rule.until < self.today

    @property
    def by_column(self) -> dict[str, list[str]]:
        """The names of the rules with a condition on each column, of those that may fire."""
        found: dict[str, list[str]] = {}
        for rule in self.rules:
            for column in dict.fromkeys(condition.column for condition in rule.where if not self.is_past(rule)):
                found.setdefault(column, []).append(rule.name)
        return found

    def columns_in(self, source: str, columns: Sequence[str], nested: Sequence[str] = ()) -> dict[str, str]:
        """Return what a table calls each column that rules have conditions on; see `tables.columns.only_column`.

        Raises:
            DataError: there is no such column, or there are several.
        """
        return {
            name: only_column(source, columns, name, f", which rule {rules[0]!r} of {self.source} needs", nested=nested)
            for name, rules in self.by_column.items()
        }

    def hits(self, texts: Utf8Column | Sequence[str], cells: Cells | None = None, source: str = "") -> Hits:
        """Return which rules fire on which of n rows, whatever the model answers and whichever decides.

        Args:
            texts: n texts.
            cells: returns the n cells of a column, by the name that rules have for it, see `columns_in`; None where
                there are no columns, so that no rule with a condition on one fires.
            source: what to call the table in messages; "" where the caller says it.

        Raises:
            DataError: the dates of a column can be read in two ways.
        """
        try:
            return self.matcher.hits(utf8_column(texts), cells)
        except DataError as error:
            raise DataError(f"{source}: {error}" if source else str(error)) from None

    def deciding(self, hits: Hits, is_reviewed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the place of the rule that decides each of n rows: int64 (n,), -1 for none.

        Args:
            hits: of these rows.
            is_reviewed: bool (n,), whether the model's answer would go to review.
        """
        only_review = np.array([rule.only_review for rule in self.rules], np.bool_)
        return hits.where(is_reviewed[hits.rows] | ~only_review[hits.rules]).first(len(is_reviewed))

    def decided(self, prediction: Prediction, likeliest_line: LikeliestLine) -> Prediction:
        """Return a prediction as the rules have it, by its text alone; a rule without a line gets the likeliest."""
        found = self.deciding(self.hits([prediction.text]), np.array([prediction.decision == REVIEW]))
        if found[0] < 0:
            return replace(prediction, ruling=Ruling(None, None, None, self.fingerprint))
        rule = self.rules[int(found[0])]
        return replace(
            prediction,
            label=rule.label,
            probability=prediction.probabilities[rule.label],
            service_line=rule.line or likeliest_line(rule.label),
            decision=ACCEPT,
            reason="",
            ruling=Ruling(rule.name, prediction.label, prediction.decision, self.fingerprint, bool(rule.line)),
        )
