"""Check rules on the rows of a table: what each does there, and where they contradict the model and each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outsort.data.identity import as_text
from outsort.data.label_map import LabelMap, meanings_of, translated
from outsort.data.table import Table, read_table
from outsort.data.weighing import Weighing
from outsort.decision import REVIEW
from outsort.labels import spellings
from outsort.model import Model
from outsort.numeric import Floats
from outsort.prediction import default_model
from outsort.results import Result, plain
from outsort.rules.rule import Hits, Rule, Rules
from outsort.scoring.scorer import Scorer
from outsort.tables.base import Categorical, ReadOptions, warn
from outsort.tables.columns import answers_in, find_column, only_column, only_place

if TYPE_CHECKING:
    import pandas as pd

#: Row numbers that are listed of each pair of rules that clash.
_MAX_ROWS = 100


@dataclass(frozen=True)
class RuleFinding(Result):
    """What a rule does on the rows of a table.

    Attributes:
        name: its name.
        label: the label it gives.
        service_line: the service line it gives; "" for none.
        hits: rows on which it fires.
        decided: rows that it decides, because no rule before it does, and `only` lets it.
        weight: the sum of the weights of these; as much as `decided` without a column of weights.
        model_agrees: of the rows on which it fires, those for which the model answers the same.
        labelled: of these rows, those that have a label.
        label_agrees: of these, those whose label is that of the rule.
    """

    name: str
    label: str
    service_line: str
    hits: int
    decided: int
    weight: float
    model_agrees: int
    labelled: int
    label_agrees: int


@dataclass(frozen=True)
class Clash(Result):
    """Two rules that fire on one row with different labels or service lines.

    Attributes:
        first: the name of the rule that decides, as it comes first.
        second: the name of the other.
        answers: what they answer.
        n_rows: on how many rows both fire.
        weight: the sum of the weights of these.
        rows: the numbers of the first of these, as a spreadsheet shows them.
    """

    first: str
    second: str
    answers: tuple[str, str]
    n_rows: int
    weight: float
    rows: list[object]


@dataclass(frozen=True)
class RulesCheck(Result):
    """What rules do on the rows of a table.

    Attributes:
        source: the name of the table.
        rules_source: the file of the rules.
        rules: the fingerprint of the rules.
        model: that of the model.
        n: rows of the table.
        weight_column: the column of weights; None for none.
        weight: the sum of all weights.
        decided: rows that a rule decides.
        weight_decided: the sum of their weights.
        by_rule: each rule, in the order of the file.
        clashes: pairs of rules that clash, those with most weight first.
        never_fire: names of rules that fire on no row.
        past: names of rules past their date, which do not fire.
        superfluous: names of rules that change nothing, as the model accepts the same on all their rows.
        never_decide: names of rules that fire, but never decide, because rules before them do, or they are for rows to
            review and fire on none.
    """

    source: str
    rules_source: str
    rules: str
    model: str
    n: int
    weight_column: str | None
    weight: float
    decided: int
    weight_decided: float
    by_rule: list[RuleFinding]
    clashes: list[Clash]
    never_fire: list[str]
    past: list[str]
    superfluous: list[str]
    never_decide: list[str]

    @property
    def failed(self) -> list[str]:
        """What a person should look into, by the names of the fields."""
        return [name for name in ("clashes", "never_fire", "past") if getattr(self, name)]

    def to_dict(self) -> dict[str, object]:
        """Return the fields and `failed`."""
        return super().to_dict() | {"failed": self.failed}


@dataclass(frozen=True)
class _Answers:
    """The rows of a table, and what the model answers.

    Attributes:
        numbers: n row numbers.
        label: n labels that the model answers.
        line: n service lines that it answers.
        is_reviewed: bool (n,), whether the answer goes to review.
        actual: n labels of the table; "" where a row has none.
        weights: float64 (n,).
    """

    numbers: Sequence[object]
    label: NDArray[np.object_]
    line: NDArray[np.object_]
    is_reviewed: NDArray[np.bool_]
    actual: NDArray[np.object_]
    weights: Floats


def check_rules(
    data: Path | str | pd.DataFrame,
    rules: Rules,
    model: Model | None = None,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    label_map: LabelMap = None,
    weight_column: str | None = None,
    reading: ReadOptions | None = None,
    tell: Callable[[str], None] = warn,
) -> RulesCheck:
    """Check rules on the rows of a table.

    Args:
        data: a file, or a frame, with one row per description.
        rules: the rules, loaded for the model.
        model: the model; the default model if None.
        text_column: see `check`.
        label_column: the column of labels, found by its usual names; there may be none, and blank cells in it.
        label_map: what the labels in the data mean, see `LabelMap`.
        weight_column: a column of weights: spend, headcount. What is no amount counts as 0.
        reading: how to read a file, `ReadOptions()` when None.
        tell: called with what was read; a `DataWarning` by default, where something was guessed.

    Raises:
        DataError: the table cannot be read, or lacks a column that is named or that a rule needs.
    """
    model = default_model() if model is None else model
    reading = replace(reading or ReadOptions(), text_columns=(text_column,) if text_column else ())
    table = read_table(data, only_work=True, reading=reading)
    known = rules.columns_in(*table.columns)
    if weight_column is not None:
        weight_column = only_column(*table.columns, weight_column)
    label_name = find_column(*table.columns, "label", label_column, optional=True)
    if label_column is None and answers_in(table.columns[1]):
        # What `score` answered is no person's label.
        label_name = None
    found = table.find_texts(text_column, label_name)
    tell(table.describe(found, reading, label=label_name))
    texts = table.texts(found.parts)

    def cells(name: str) -> list[object]:
        return list(table.frame.iloc[:, only_place(*table.columns, name)])

    labels = translated(
        [as_text(cell).strip() for cell in cells(label_name)] if label_name else [""] * len(texts),
        meanings_of(label_map),
    )
    answers = _answers(model, texts, table, labels, _weights(table, weight_column, tell))
    hits = rules.hits(texts, lambda name: cells(known[name]), table.source)
    decided = rules.deciding(hits, answers.is_reviewed)
    fires_on, decides = hits.by_rule(), Hits(np.arange(len(texts)), decided).by_rule()
    nowhere = np.zeros(0, np.int64)
    of_rules = [(rule, fires_on.get(i, nowhere), decides.get(i, nowhere)) for i, rule in enumerate(rules.rules)]
    by_rule = [_finding(rule, rows, own, answers) for rule, rows, own in of_rules]
    past = [rule.name for rule in rules.rules if rules.is_past(rule)]
    return RulesCheck(
        source=table.source,
        rules_source=rules.source,
        rules=rules.fingerprint,
        model=model.fingerprint,
        n=len(texts),
        weight_column=weight_column,
        weight=float(answers.weights.sum()),
        decided=int((decided >= 0).sum()),
        weight_decided=float(answers.weights[decided >= 0].sum()),
        by_rule=by_rule,
        clashes=_clashes(rules, hits, answers),
        never_fire=[of.name for of in by_rule if not of.hits and of.name not in past],
        past=past,
        superfluous=[rule.name for rule, rows, _ in of_rules if _is_superfluous(rule, rows, answers)],
        never_decide=[of.name for of in by_rule if of.hits and not of.decided],
    )


def _weights(table: Table, column: str | None, tell: Callable[[str], None]) -> Floats:
    """Return the weights of all rows, 0 for a cell that is no amount; say how many there are of these."""
    if column is None:
        return np.ones(len(table.frame))
    weighing = Weighing(column)
    found = weighing.weights(list(table.frame.iloc[:, only_place(*table.columns, column)]))
    read = weighing.result()
    n_others = read.blank + read.not_numbers + read.negative
    if n_others:
        tell(f"{table.source}: {n_others:,} rows have no amount of 0 or above in {column!r}, and count as 0")
    return found


def _answers(model: Model, texts: Sequence[str], table: Table, labels: Sequence[str], weights: Floats) -> _Answers:
    added = Scorer(model).columns(texts)
    label, line, decision = (
        np.array(column.values, object)[column.codes]
        for name in ("label", "service_line", "decision")
        if isinstance(column := added[name], Categorical)
    )
    spelled = spellings(labels, model.labels)
    actual = np.array([spelled[name] for name in labels], object)
    numbers = [plain(number) for number in table.frame.index]
    return _Answers(numbers, label, line, decision == REVIEW, actual, weights)


def _is_same(rule: Rule, rows: NDArray[np.int64], answers: _Answers) -> NDArray[np.bool_]:
    """Return on which rows the model answers what a rule does."""
    same = answers.label[rows] == rule.label
    return np.asarray(same & (answers.line[rows] == rule.line) if rule.line else same, np.bool_)


def _finding(rule: Rule, rows: NDArray[np.int64], decides: NDArray[np.int64], answers: _Answers) -> RuleFinding:
    """Return what a rule does, given the places of the rows on which it fires, and of those that it decides."""
    actual = answers.actual[rows]
    return RuleFinding(
        name=rule.name,
        label=rule.label,
        service_line=rule.line,
        hits=len(rows),
        decided=len(decides),
        weight=float(answers.weights[decides].sum()),
        model_agrees=int(_is_same(rule, rows, answers).sum()),
        labelled=int((actual != "").sum()),
        label_agrees=int((actual == rule.label).sum()),
    )


def _is_superfluous(rule: Rule, rows: NDArray[np.int64], answers: _Answers) -> bool:
    """Return whether the model accepts what a rule says on all rows on which it fires, of which there are some."""
    return bool(len(rows)) and bool((_is_same(rule, rows, answers) & ~answers.is_reviewed[rows]).all())


def _clashes(rules: Rules, hits: Hits, answers: _Answers) -> list[Clash]:
    """Return the pairs of rules that answer a row differently, where `only` lets both decide it."""
    found: dict[tuple[int, int], list[int]] = {}
    only_review = np.array([rule.only_review for rule in rules.rules], np.bool_)
    hits = hits.where(answers.is_reviewed[hits.rows] | ~only_review[hits.rules])
    for on_row in np.split(np.arange(len(hits.rows)), np.flatnonzero(np.diff(hits.rows)) + 1):
        for a, b in combinations(on_row.tolist(), 2):
            first, second = rules.rules[hits.rules[a]], rules.rules[hits.rules[b]]
            if first.label != second.label or (first.line and second.line and first.line != second.line):
                found.setdefault((int(hits.rules[a]), int(hits.rules[b])), []).append(int(hits.rows[a]))
    clashes = [_clash(rules.rules[a], rules.rules[b], rows, answers) for (a, b), rows in found.items()]
    return sorted(clashes, key=lambda clash: (-clash.weight, -clash.n_rows))


def _clash(first: Rule, second: Rule, rows: Sequence[int], answers: _Answers) -> Clash:
    said = (first.label, second.label) if first.label != second.label else (first.line, second.line)
    numbers = [answers.numbers[row] for row in rows[:_MAX_ROWS]]
    return Clash(first.name, second.name, said, len(rows), float(answers.weights[list(rows)].sum()), numbers)
