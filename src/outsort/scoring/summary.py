"""The picture of a scored table: rows and money by label, decision, service line and group, tallied in one pass.

Memory does not grow with the table: what is tallied is bounded by the model, by `MAX_GROUPS` and by `N_DECIDING`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from outsort.buffers import Utf8Column
from outsort.data.weighing import Weighing, Weights
from outsort.decision import REVIEW
from outsort.errors import DataError
from outsort.model import Model
from outsort.numeric import CRITICAL_Z, LEVEL, Floats
from outsort.results import Result
from outsort.scoring.documents import DocumentsTally
from outsort.scoring.union import UnionBatch, cells_of
from outsort.tables.base import Categorical
from outsort.tables.columns import only_column
from outsort.tables.not_work import NOT_WORK

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch, BatchTexts

Key = TypeVar("Key")
#: What becomes of a row: each is one of these.
PARTS = ACCEPTED, TO_REVIEW, OUT_OF_SCOPE = ("accepted", "to review", "accepted as out of scope")
#: Service lines, rules and groups that a summary lists; the others are pooled.
N_LINES, N_RULES, N_GROUPS = 15, 15, 25
#: Groups that are told apart while a table is read. With twice as many the lighter half is pooled.
MAX_GROUPS = 50_000
#: Kinds of reasons that are told apart: those of rows that could not be read have words of their own.
MAX_REASONS = 40
#: The service line of rows without a known term, and those of models without lines.
NO_LINE = "none"
#: Rows that decide most, and the characters of a text that are kept.
N_DECIDING, MAX_SHOWN = 20, 300
#: What clauses are weighted by that have no amounts.
WORDS_OF_WORK = "words of work"
#: What clauses are that do not say the work: their weight is 0.
BOILERPLATE = "boilerplate"
#: How errors of the probabilities go together, see `interval`: between any two rows, and more between two with the same
#: service line. Chosen, of a few pairs tried, for the coverage that `benchmarks/intervals.py` measures.
CORRELATION, CORRELATION_IN_LINE = 0.04, 0.5


@dataclass(frozen=True)
class Share(Result):
    """Some rows of a table.

    Attributes:
        name: what they have in common.
        rows: how many they are.
        weight: the sum of their weights; as much as `rows` without a weight column.
    """

    name: str
    rows: int
    weight: float


@dataclass(frozen=True)
class LabelShare(Share):
    """The rows answered with a label, and what the label has in truth, as far as the probabilities tell.

    Attributes:
        expected: the sum over all rows of probability of the label times weight.
        interval: of `LEVEL`, around it; see `interval`.
    """

    expected: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class DecisionShare(Share):
    """The rows that are accepted, go to review, or are accepted as out of scope; by label."""

    labels: list[LabelShare]


@dataclass(frozen=True)
class Group(Share):
    """The rows with a value in a column.

    Attributes:
        labels: the weight that each label is expected to have of them.
        decisions: the weight of those accepted, to review and out of scope.
    """

    labels: dict[str, float]
    decisions: dict[str, float]


@dataclass(frozen=True)
class Groups(Result):
    """The rows by the values of a column.

    Attributes:
        column: its name.
        groups: the largest, by weight.
        rest: all others together; None if there are none.
        n_rest: how many others there are; a value that was pooled and came again counts more than once.
        missed: how much weight a group may lack, because it was pooled before it grew; 0 for tables with fewer
            than `MAX_GROUPS` groups.
    """

    column: str
    groups: list[Group]
    rest: Group | None
    n_rest: int
    missed: float


@dataclass(frozen=True)
class DecidingRow(Result):
    """A row whose answer matters much and is uncertain.

    Attributes:
        source: the file it is in.
        row: its number, as a spreadsheet shows it.
        text: its text, or the beginning of it.
        label: its label.
        probability: that of the label.
        weight: its weight.
        at_stake: its weight times one less the probability.
        decision: what becomes of it.
        reason: why it goes to review.
        group: its value in the column of groups; "" without one.
    """

    source: str
    row: int
    text: str
    label: str
    probability: float
    weight: float
    at_stake: float
    decision: str
    reason: str
    group: str


@dataclass(frozen=True)
class Summary(Result):
    """The picture of one or several tables.

    Attributes:
        sources: the files, in the order they were scored.
        model: fingerprint of the model.
        is_certified: whether its threshold was certified, see `Model.is_certified`.
        rows: the number of rows of work.
        weight: the sum of their weights; as much as `rows` without a weight column.
        not_work: totals, notes, boilerplate and the like, by what they are; they count nowhere else.
        weights: how the weights were read; None where each row counts as one.
        level: of the intervals.
        labels: by label, in the order of the model.
        decisions: the three `PARTS`, which add up to all rows.
        reasons: why rows go to review, the most weight first.
        service_lines: the largest by weight; the others are pooled under "others", rows without one under "none".
        rules: the rows that rules decided, by rule, the largest by weight; the others are pooled under "others". None
            without rules.
        by: by a column that was asked for, or None.
        deciding: the rows with the most weight at stake.
    """

    sources: list[str]
    model: str
    is_certified: bool
    rows: int
    weight: float
    not_work: list[Share]
    weights: Weights | None
    level: float
    labels: list[LabelShare]
    decisions: list[DecisionShare]
    reasons: list[Share]
    service_lines: list[Share]
    rules: list[Share] | None
    by: Groups | None
    deciding: list[DecidingRow]

    @property
    def ruled(self) -> Share | None:
        """All rows that rules decided; None without rules."""
        if self.rules is None:
            return None
        return Share("rules", sum(of.rows for of in self.rules), sum(of.weight for of in self.rules))


def interval(expected: Floats, variance: Floats, deviations: Floats, total: float) -> NDArray[np.float64]:
    """Return the interval of `LEVEL` of the weight that each label has in truth: float64 (n_labels, 2).

    The weight of a label is the sum of w y over the rows, where y is 1 for rows of the label and 0 for others. If each
    y is 1 with probability p and rows are independent, its mean is the sum of w p and its variance that of
    w² p (1 - p), as of a Poisson binomial distribution. But probabilities err together: on text of a new kind, and on
    one kind of work. So the standardised errors (y - p) / √(p (1 - p)) of two rows are taken to correlate by
    `CORRELATION`, and by `CORRELATION_IN_LINE` more if both have the same service line. With s = w √(p (1 - p)), the
    variance is (1 - c - c') Σ s² + c (Σ s)² + c' Σ (Σ s of a service line)², and the interval that of a normal
    distribution, cut to what is possible.

    Args:
        expected: (n_labels,), the sum of w p.
        variance: (n_labels,), the sum of s².
        deviations: (n_lines, n_labels), the sum of s in each service line; a single row for a model without lines.
        total: the sum of w.
    """
    in_line = CORRELATION_IN_LINE if len(deviations) > 1 else 0.0
    common, of_lines = deviations.sum(axis=0) ** 2, (deviations**2).sum(axis=0)
    together = (1 - CORRELATION - in_line) * variance + CORRELATION * common + in_line * of_lines
    error = CRITICAL_Z * np.sqrt(np.maximum(together, 0))
    ends: NDArray[np.float64] = np.clip(np.stack([expected - error, expected + error], axis=1), 0, total)
    return ends


class _Row(NamedTuple):
    """A candidate for the rows that decide most, in the order of these."""

    at_stake: float
    order: int
    content: DecidingRow


class SummaryTally:
    """What `Summary` needs, summed up batch by batch."""

    def __init__(
        self,
        model: Model,
        *,
        weight_column: str | None = None,
        by: str | None = None,
        documents: DocumentsTally | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            model: the model whose answers are tallied.
            weight_column: the column of amounts to weight rows by, such as spend; None for 1 each.
            by: the column of groups, such as suppliers; None for none.
            documents: takes the clauses of split documents; None to keep none.
        """
        self.model, self.weight_column, self.by = model, weight_column, by
        self.documents = documents
        n_labels, n_lines = len(model.labels), len(model.lines) + 1 if model.has_lines else 1
        self.n_rows = 0
        self._sources: dict[str, None] = {}
        self._lines = {line: i for i, line in enumerate(model.lines)} if model.has_lines else {}
        self._expected, self._variance = np.zeros((2, len(PARTS), n_labels))
        self._deviations = np.zeros((len(PARTS), n_lines, n_labels))
        # Rows and weight by label and part, by reason, by service line.
        self._answers: dict[tuple[str, str], Floats] = {}
        self._reasons: dict[str, Floats] = {}
        self._not_work: dict[str, Floats] = {}
        self._of_lines: dict[str, Floats] = {}
        # By rule, "" for the rows that none decided; empty without rules.
        self._rules: dict[str, Floats] = {}
        # Rows, weight, expected weight by label, weight by part.
        self._groups: dict[str, Floats] = {}
        self._pooled, self._n_pooled, self._missed = np.zeros(2 + n_labels + len(PARTS)), 0, 0.0
        self._deciding: list[_Row] = []
        self._weighing = Weighing(weight_column or "")
        #: The column with the words of work of clauses; None of whole rows.
        self.words_column: str | None = None

    def anew(self) -> SummaryTally:
        """Return an empty tally of the same kind."""
        documents = self.documents and self.documents.anew()
        return SummaryTally(self.model, weight_column=self.weight_column, by=self.by, documents=documents)

    def weigh_clauses(self, amounts: str, weighted_words: str) -> None:
        """Take the weights from the columns of clauses: their amounts if those of rows are asked for, or their words.

        Args:
            amounts: the name of the column with the part that each clause has of an amount.
            weighted_words: that of the column with its words of work.
        """
        self._weighing.column = self._weighing.column or WORDS_OF_WORK
        self.weight_column = amounts if self.weight_column else weighted_words
        self.words_column = weighted_words

    def find_columns(
        self, source: str, columns: Sequence[str], added: Collection[str], nested: Sequence[str] = ()
    ) -> None:
        """Take the names of the columns of weights and groups as a table has them; they may be paths into objects.

        Raises:
            DataError: it does not have each of them once, or only the output does.
        """

        def found(name: str) -> str:
            if name in added and name not in columns:
                raise DataError(
                    f"{source}: {name!r} is a column that `outsort score` adds. Name one that the table has: the "
                    "summary has labels, decisions and service lines anyway. For others, score the output again."
                )
            return only_column(source, columns, name, nested=nested)

        self.weight_column, self.by = (None if name is None else found(name) for name in (self.weight_column, self.by))
        if self.weight_column and not self.words_column:
            # Of clauses, the column has the parts of amounts, not what they are amounts of.
            self._weighing.column = self.weight_column

    def add(
        self,
        source: str,
        numbers: Sequence[int],
        texts: BatchTexts,
        added: Added,
        weights: Sequence[object] | None,
        groups: Sequence[object] | None,
        boilerplate: Sequence[int] = (),
    ) -> None:
        """Add n rows of a table.

        Args:
            source: the file they are in.
            numbers: n, their numbers.
            texts: n, their texts.
            added: their answers, under the names that `Scorer.columns` gives them.
            weights: n, the cells of the column of weights; None without one.
            groups: n, the cells of the column of groups; None without one.
            boilerplate: the places of clauses that do not say the work.
        """
        work = self._work_of(added, weights, boilerplate)
        if len(work) < len(numbers):
            numbers = [numbers[i] for i in work]
            added = {name: _taken(column, work) for name, column in added.items()}
            weights, groups = (cells and [cells[i] for i in work] for cells in (weights, groups))
            texts = [_text_of(texts, i) for i in work.tolist()]
        n = len(numbers)
        label, decision, reason, line = (column for name in _TALLIED if isinstance(column := added[name], Categorical))
        weight = np.ones(n) if weights is None else self._weighing.weights(weights)
        proba = np.stack([np.asarray(added[f"p_{name}"]) for name in self.model.labels], axis=1)
        probability = np.asarray(added["probability"])
        if isinstance(rule := added.get("rule"), Categorical):
            # What a person's rule says is not in doubt.
            is_ruled = np.array([name is not None for name in rule.values])[rule.codes]
            for i, name in enumerate(self.model.labels):
                proba[is_ruled, i] = np.array([value == name for value in label.values])[label.codes[is_ruled]]
            probability = np.where(is_ruled, 1.0, probability)
            _count(self._rules, rule.codes, [name or "" for name in rule.values], weight)
        part = self._parts(label, decision)
        self._sources[source] = None
        self.n_rows += n
        self._add_probabilities(proba, weight, part, line)
        answers = [(name, str(answer)) for name in PARTS for answer in label.values]
        _count(self._answers, part * len(label.values) + label.codes, answers, weight)
        _count(self._of_lines, line.codes, [name or NO_LINE for name in line.values], weight)
        # What follows a colon is of the row, such as its surplus cells.
        kinds = [(why or "").partition(": ")[0] for why in reason.values]
        _count(self._reasons, reason.codes, kinds, weight, most=MAX_REASONS)
        names = ["" if cell is None else str(cell).strip() for cell in groups] if groups is not None else []
        if groups is not None:
            self._add_groups(names, proba, weight, part)
        stake = weight * (1 - probability)
        for i in self._candidates(stake).tolist():
            row = DecidingRow(
                source=source,
                row=numbers[i],
                text=_text_of(texts, i)[:MAX_SHOWN],
                label=str(label.values[label.codes[i]]),
                probability=float(probability[i]),
                weight=float(weight[i]),
                at_stake=float(stake[i]),
                decision=PARTS[part[i]],
                reason=reason.values[reason.codes[i]] or "",
                group=names[i] if names else "",
            )
            self._deciding.append(_Row(row.at_stake, -(self.n_rows - n + i), row))
        self._deciding = sorted(self._deciding, reverse=True)[:N_DECIDING]

    def merge(self, other: SummaryTally) -> None:
        """Add what another tally has of other rows."""
        if self.documents and other.documents:
            self.documents.merge(other.documents)
        _merge(self._answers, other._answers)
        _merge(self._reasons, other._reasons)
        _merge(self._not_work, other._not_work)
        _merge(self._of_lines, other._of_lines)
        _merge(self._rules, other._rules)
        _merge(self._groups, other._groups)
        self._expected += other._expected
        self._variance += other._variance
        self._deviations += other._deviations
        self._pooled += other._pooled
        self._n_pooled += other._n_pooled
        self._missed += other._missed
        later = (row._replace(order=row.order - self.n_rows) for row in other._deciding)
        self._deciding = sorted([*self._deciding, *later], reverse=True)[:N_DECIDING]
        self.n_rows += other.n_rows
        self._sources |= other._sources
        self._weighing.merge(other._weighing)
        self._prune()

    def result(self) -> Summary:
        """Return the summary of the rows so far."""
        parts = [self._shares_of(i) for i in range(len(PARTS))]
        rows, weight = sum(self._answers.values(), np.zeros(2)).tolist()
        reasons = {name: found for name, found in self._reasons.items() if name}
        return Summary(
            sources=list(self._sources),
            model=self.model.fingerprint,
            is_certified=self.model.is_certified,
            rows=int(rows),
            weight=weight,
            not_work=_shares(self._not_work),
            weights=self._weighing.result() if self._weighing.column else None,
            level=LEVEL,
            labels=self._shares_of(None),
            decisions=[
                DecisionShare(name, sum(of.rows for of in labels), sum(of.weight for of in labels), labels)
                for name, labels in zip(PARTS, parts, strict=True)
            ],
            reasons=_shares(reasons),
            service_lines=_shares(self._of_lines, N_LINES),
            rules=_shares({name: of for name, of in self._rules.items() if name}, N_RULES) if self._rules else None,
            by=self._by(self.by) if self.by is not None else None,
            deciding=[row.content for row in self._deciding],
        )

    def _work_of(self, added: Added, weights: Sequence[object] | None, boilerplate: Sequence[int]) -> NDArray[np.intp]:
        """Return the places of rows of work, ascending: intp (n_work,); count the others."""
        reason = added["reason"]
        if not isinstance(reason, Categorical):
            raise TypeError("reasons come as a Categorical")
        kinds = [*(why or "" for why in reason.values), BOILERPLATE]
        codes = reason.codes.copy()
        codes[list(boilerplate)] = len(kinds) - 1
        is_none = np.array([kind.startswith((NOT_WORK, BOILERPLATE)) for kind in kinds], np.bool_)[codes]
        places = np.flatnonzero(is_none)
        amounts = np.ones(len(places)) if weights is None else self._weighing.apart(weights, places)
        _count(self._not_work, codes[places], kinds, amounts)
        return np.flatnonzero(~is_none)

    def _parts(self, label: Categorical, decision: Categorical) -> NDArray[np.int64]:
        """Return the place in `PARTS` of each row: int64 (n,)."""
        out = [bool(self.model.out_of_scope) and name == self.model.out_of_scope for name in label.values]
        is_reviewed = np.array([name == REVIEW for name in decision.values])[decision.codes]
        return np.where(is_reviewed, 1, np.where(np.array(out, np.bool_)[label.codes], 2, 0))

    def _add_probabilities(self, proba: Floats, weight: Floats, part: NDArray[np.int64], line: Categorical) -> None:
        n_lines = self._deviations.shape[1]
        places = np.array([self._lines.get(name or "", n_lines - 1) for name in line.values], np.int64)
        cell = part * n_lines + places[line.codes]
        for i in range(proba.shape[1]):
            of_label = proba[:, i]
            deviation = weight * np.sqrt(of_label * (1 - of_label))
            self._expected[:, i] += np.bincount(part, of_label * weight, len(PARTS))
            self._variance[:, i] += np.bincount(part, deviation**2, len(PARTS))
            self._deviations[:, :, i] += np.bincount(cell, deviation, len(PARTS) * n_lines).reshape(-1, n_lines)

    def _add_groups(self, names: Sequence[str], proba: Floats, weight: Floats, part: NDArray[np.int64]) -> None:
        known = {name: i for i, name in enumerate(dict.fromkeys(names))}
        codes = np.array([known[name] for name in names], np.int64)
        of_part = np.eye(len(PARTS))[part] * weight[:, None]
        figures = np.column_stack([np.ones(len(names)), weight, proba * weight[:, None], of_part])
        sums = np.stack([np.bincount(codes, column, len(known)) for column in figures.T], axis=1)
        of_names: dict[str, Floats] = dict(zip(known, sums, strict=True))
        _merge(self._groups, of_names)
        self._prune()

    def _prune(self) -> None:
        """Pool the lightest groups if there are too many."""
        if len(self._groups) <= 2 * MAX_GROUPS:
            return
        ranked = self._ranked()
        self._missed += float(ranked[MAX_GROUPS][1][1])
        for _, figures in ranked[MAX_GROUPS:]:
            self._pooled += figures
        self._n_pooled += len(ranked) - MAX_GROUPS
        self._groups = dict(ranked[:MAX_GROUPS])

    def _ranked(self) -> list[tuple[str, Floats]]:
        return sorted(self._groups.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))

    def _candidates(self, stake: Floats) -> NDArray[np.intp]:
        """Return the places of rows that may be among those that decide most, these first."""
        floor = self._deciding[-1].at_stake if len(self._deciding) == N_DECIDING else 0.0
        found = np.flatnonzero(stake > floor)
        return found[np.argsort(-stake[found], kind="stable")[:N_DECIDING]]

    def _shares_of(self, part: int | None) -> list[LabelShare]:
        """Return the labels of a part; of all rows for None."""
        chosen = slice(None) if part is None else slice(part, part + 1)
        names = PARTS[chosen]
        found: dict[str, Floats] = {label: np.zeros(2) for label in self.model.labels}
        for (name, label), figures in self._answers.items():
            if name in names:
                found[label] = found.get(label, np.zeros(2)) + figures
        total = float(sum(weight for _, weight in found.values()))
        expected = self._expected[chosen].sum(axis=0)
        ends = interval(expected, self._variance[chosen].sum(axis=0), self._deviations[chosen].sum(axis=0), total)
        told = dict(zip(self.model.labels, zip(expected.tolist(), ends.tolist(), strict=True), strict=True))
        result = []
        for label, (rows, weight) in found.items():
            # A person's correction may be a label that the model does not know.
            mean, (low, high) = told.get(label, (0.0, (0.0, 0.0)))
            result.append(LabelShare(label, int(rows), float(weight), mean, (low, high)))
        return result

    def _by(self, column: str) -> Groups:
        ranked = self._ranked()
        pooled = sum((figures for _, figures in ranked[N_GROUPS:]), self._pooled)
        n_rest = len(ranked[N_GROUPS:]) + self._n_pooled
        groups = [self._group(name, figures) for name, figures in ranked[:N_GROUPS]]
        return Groups(column, groups, self._group("others", pooled) if n_rest else None, n_rest, self._missed)

    def _group(self, name: str, figures: Floats) -> Group:
        rows, weight, *rest = figures.tolist()
        labels = self.model.labels
        return Group(
            name,
            int(rows),
            weight,
            dict(zip(labels, rest, strict=False)),
            dict(zip(PARTS, rest[len(labels) :], strict=True)),
        )


#: The added columns of text that are tallied.
_TALLIED = ("label", "decision", "reason", "service_line")


def add_batch(tally: SummaryTally, source: str, batch: Batch, texts: BatchTexts, added: Added) -> None:
    """Add a batch of a table, called `source` unless the batch says otherwise, and its answers to a tally."""
    weights, groups = (name and cells_of(batch, name) for name in (tally.weight_column, tally.by))
    name = batch.source if isinstance(batch, UnionBatch) else source
    boilerplate: list[int] = []
    if tally.words_column:
        # A row that no clause says the work of has its amount on the first, which is to be seen.
        told = zip(cells_of(batch, tally.words_column), weights or [], strict=True)
        boilerplate = [i for i, cells in enumerate(told) if not any(cells) and i not in batch.faults]
    tally.add(name, batch.numbers, texts, added, weights or None, groups or None, boilerplate)
    if tally.documents:
        tally.documents.add(batch.inner if isinstance(batch, UnionBatch) else batch, added)


def _count(
    counts: dict[Key, Floats], codes: NDArray[np.int64], values: Sequence[Key], weight: Floats, most: int | None = None
) -> None:
    """Add the rows and the weight of each value of a column; values beyond `most` are pooled as other reasons."""
    rows, weights = np.bincount(codes, minlength=len(values)), np.bincount(codes, weight, len(values))
    for i in np.flatnonzero(rows).tolist():
        is_pooled = most is not None and values[i] not in counts and len(counts) >= most
        name: Any = "other reasons" if is_pooled else values[i]
        _merge(counts, {name: np.array([rows[i], weights[i]])})


def _merge(mine: dict[Key, Floats], its: Mapping[Key, Floats]) -> None:
    """Add figures by name."""
    for name, figures in its.items():
        mine[name] = mine[name] + figures if name in mine else figures


def _shares(found: Mapping[str, Floats], n: int | None = None) -> list[Share]:
    """Return the largest by weight, and beyond n of them the others together."""
    ranked = sorted(found.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
    if n is not None and len(ranked) > n + 1:
        ranked[n:] = [("others", sum((figures for _, figures in ranked[n:]), np.zeros(2)))]
    return [Share(name, int(rows), float(weight)) for name, (rows, weight) in ranked]


def _text_of(texts: BatchTexts, i: int) -> str:
    if isinstance(texts, Utf8Column):
        return texts.text(i)
    return (texts[i] if isinstance(texts, list) else texts[i].as_py()) or ""


def _taken(column: Any, places: NDArray[np.intp]) -> Any:  # noqa: ANN401 - what `Added` holds
    """Return the values of a column at some places."""
    if isinstance(column, Categorical):
        return Categorical(column.codes[places], column.values)
    return np.asarray(column)[places]
