"""Find the same work, in the same or other words, that a scored table answers differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from outsort.data.weighing import Weighing, Weights
from outsort.errors import DataError
from outsort.improving.rewordings import LIKE, Bag, Pairs, bag_of, like_pairs
from outsort.numeric import Floats
from outsort.results import Result
from outsort.scoring.union import cells_of
from outsort.tables.base import ReadOptions, plain_texts, warn
from outsort.tables.columns import ANSWERED, answers_in, only_column, text_columns_of
from outsort.tables.not_work import NOT_WORK
from outsort.tables.reading import describe
from outsort.tables.sources import opened


@dataclass(frozen=True)
class AnsweredRow(Result):
    """A row of a scored table.

    Attributes:
        row: its number, as a spreadsheet shows it.
        group: its value in the column of groups; None without one.
        text: its text.
        label: its answer.
        decision: what becomes of it: accept or review.
        amount: its weight; 1 without a column of weights.
    """

    row: int
    group: str | None
    text: str
    label: str
    decision: str
    amount: float


@dataclass(frozen=True)
class Inconsistency(Result):
    """Rows of like work with two answers or more.

    Attributes:
        at_odds: the amount of the rows whose answer is not `usual`.
        amount: that of all its rows.
        usual: the answer of most of its rows; "" if there is none, and all are at odds.
        likeness: the lowest of two of its texts that were found to be like, see `rewordings.likeness`.
        rows: of each answer the row of the largest amount, side by side.
        more: its other rows, the largest amount first.
    """

    at_odds: float
    amount: float
    usual: str
    likeness: float
    rows: list[AnsweredRow]
    more: list[AnsweredRow]


@dataclass(frozen=True)
class Consistency(Result):
    """Whether a scored table answers like work alike.

    Attributes:
        source: the table.
        n: rows with a text and an answer.
        by: the column of groups that were compared; None where rows were.
        n_groups: how many groups there are; 0 without them.
        amount: the weight of those rows.
        at_odds: that of the rows whose answer is not the usual one of their finding.
        n_at_odds: how many rows the findings have.
        weights: how the weights were read; None without a column of them.
        limit: likeness from which two texts were taken for like work.
        findings: the most at odds first.
        left_out: what was not compared, and why.
        reading: what was read, in a line.
    """

    source: str
    n: int
    by: str | None
    n_groups: int
    amount: float
    at_odds: float
    n_at_odds: int
    weights: Weights | None
    limit: float
    findings: list[Inconsistency]
    left_out: list[str]
    reading: str = ""


@dataclass
class _Rows:
    """The rows of a table: one item in each list for each."""

    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    amounts: list[float] = field(default_factory=list)


class _Kinds(NamedTuple):
    """The kinds of a table's rows: those of one bag and one answer, the most money first.

    Attributes:
        bags: n_kinds.
        labels: int64 (n_kinds,), their answers.
        of_rows: int64 (n_rows,), the kind of each row; -1 for a text without words.
    """

    bags: list[Bag]
    labels: NDArray[np.int64]
    of_rows: NDArray[np.int64]


def is_scored(path: Path, options: ReadOptions | None = None) -> bool:
    """Return whether a table has the answers of `score`.

    Raises:
        DataError: it cannot be read.
    """
    with opened(str(path), replace(options or ReadOptions(), keep=True)) as table:
        return answers_in(table.reader.columns) is not None


def check_consistency(
    scored: Path,
    *,
    by: str | None = None,
    weight_column: str | None = None,
    text_column: str | None = None,
    limit: float = LIKE,
    options: ReadOptions | None = None,
) -> Consistency:
    """Find the same work, in the same or other words, that a scored table answers differently.

    Rows of two kinds of work are at odds if their texts are like each other, their answers differ, and so do their
    groups. Rows that are linked by such pairs are one finding.

    Args:
        scored: a table that `score` wrote.
        by: the column of groups, such as suppliers; None to compare all rows.
        weight_column: the column of amounts, such as spend, which is read as by `score`; None for 1 each.
        text_column: the text column, see `scoring.files.Options`; found by headings and cells when None.
        limit: likeness from which two texts are taken for like work, see `rewordings.likeness`.
        options: how to read the table, `ReadOptions()` when None.

    Raises:
        DataError: the table cannot be read, lacks a column, or is not scored.
    """
    weighing = Weighing(weight_column) if weight_column else None
    rows, reading = _read(scored, by, weighing, text_column, options or ReadOptions())
    amounts = np.array(rows.amounts, np.float64)
    kinds = _kinds(rows, amounts)
    groups = _codes(rows.groups) if by else np.arange(len(rows.numbers))
    pairs = like_pairs(kinds.bags, kinds.labels, limit)
    findings = [_finding(rows, places, by, likeness) for places, likeness in _linked(kinds, pairs, groups)]
    findings.sort(key=lambda found: (-found.at_odds, -found.amount, found.rows[0].row))
    known = kinds.of_rows >= 0
    left_out = []
    if pairs.n_compared < len(kinds.bags):
        left_out.append(
            f"{len(kinds.bags) - pairs.n_compared:,} of {len(kinds.bags):,} kinds of work, those with the least money: "
            "comparing all would take too long"
        )
    return Consistency(
        source=str(scored),
        n=int(known.sum()),
        by=by,
        n_groups=len({rows.groups[i] for i in np.flatnonzero(known).tolist()} - {""}) if by else 0,
        amount=float(amounts[known].sum()),
        at_odds=sum(found.at_odds for found in findings),
        n_at_odds=sum(len(found.rows) + len(found.more) for found in findings),
        weights=weighing.result() if weighing else None,
        limit=limit,
        findings=findings,
        left_out=left_out,
        reading=reading,
    )


def _read(
    path: Path, by: str | None, weighing: Weighing | None, text_column: str | None, options: ReadOptions
) -> tuple[_Rows, str]:
    """Return the answered rows of a table, and what was read."""
    rows = _Rows()
    wanted = (text_column,) if text_column else ()
    options = replace(options, keep=True, text_columns=wanted)
    with opened(str(path), options) as table:
        columns, nested = table.reader.columns, table.reader.nested_columns
        answers = answers_in(columns)
        if answers is None:
            raise DataError(
                f"{path}: has no answers to compare. Name a table that `outsort score` wrote, with the columns "
                f"{', '.join(ANSWERED)}."
            )
        if weighing:
            weighing.column = only_column(str(path), columns, weighing.column, nested=nested)
        group_in = only_column(str(path), columns, by, nested=nested) if by else ""
        places, batches = text_columns_of(str(path), table.reader, wanted)
        reason = answers.reason(columns)
        # One object for each of the cells that come again.
        known: dict[str, str] = {}
        for batch in batches:
            texts = plain_texts(batch.texts(places.parts))
            labels, decisions = ([_plain(cell) for cell in cells_of(batch, name)] for name in answers)
            amounts = weighing.weights(cells_of(batch, weighing.column)).tolist() if weighing else [1.0] * len(batch)
            groups = [_plain(cell) for cell in cells_of(batch, group_in)] if by else [""] * len(batch)
            reasons = cells_of(batch, reason) if reason else [""] * len(batch)
            for i, label in enumerate(labels):
                # A total is no work, whatever it sums up.
                if label and not _plain(reasons[i]).startswith(NOT_WORK):
                    rows.numbers.append(batch.numbers[i])
                    rows.amounts.append(amounts[i])
                    for cells, cell in (
                        (rows.texts, texts[i]),
                        (rows.labels, label),
                        (rows.decisions, decisions[i]),
                        (rows.groups, groups[i]),
                    ):
                        cells.append(known.setdefault(cell, cell))
        about = table.reader.location, columns, places, options
        reading = describe(
            str(path), *about, n_rows=len(rows.numbers), encoding=table.reader.encoding, notes=table.notes,
            label=answers.label,
        )  # fmt: skip
    warn(reading)
    return rows, reading


def _plain(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _codes(values: Sequence[str]) -> NDArray[np.int64]:
    """Return a number for each value, from 0 in the order of their first appearance."""
    places = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return np.array([places[value] for value in values], np.int64)


def _kinds(rows: _Rows, amounts: Floats) -> _Kinds:
    bags: dict[str, Bag] = {}
    # Words in another order are the same bag.
    firsts: dict[frozenset[str], Bag] = {}
    for text in rows.texts:
        if text not in bags:
            bag = bag_of(text)
            bags[text] = firsts.setdefault(frozenset(bag), bag)
    places: dict[tuple[Bag, int], int] = {}
    kinds = [
        places.setdefault((bags[text], label), len(places)) if bags[text] else -1
        for text, label in zip(rows.texts, _codes(rows.labels).tolist(), strict=True)
    ]
    of_rows = np.array(kinds, np.int64)
    known = of_rows >= 0
    money = np.bincount(of_rows[known], amounts[known], len(places))
    order = np.argsort(-money, kind="stable")
    ranks = np.empty(len(places) + 1, np.int64)
    ranks[order], ranks[-1] = np.arange(len(places)), -1
    found = list(places)
    return _Kinds(
        [found[i][0] for i in order.tolist()], np.array([found[i][1] for i in order.tolist()], np.int64), ranks[of_rows]
    )


def _linked(kinds: _Kinds, pairs: Pairs, groups: NDArray[np.int64]) -> list[tuple[NDArray[np.intp], float]]:
    """Return the rows of each finding, and the lowest likeness of two kinds in it.

    Args:
        kinds: the kinds of the rows.
        pairs: those that are like, with different answers.
        groups: int64 (n_rows,), the groups of the rows.
    """
    n = len(kinds.bags)
    only = _only_groups(kinds, groups)
    # Kinds of one and the same group are not at odds.
    across = (only[pairs.first] != only[pairs.second]) | (only[pairs.first] < 0)
    first, second, likeness = pairs.first[across], pairs.second[across], pairs.likeness[across]
    graph = sparse.coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    n_found, of_kinds = connected_components(graph, directed=False)
    lowest = np.ones(n_found)
    np.minimum.at(lowest, of_kinds[first], likeness)
    # The groups that a kind meets: one alone, -1 for several, -2 for none.
    met = np.full(n, -2, np.int64)
    for mine, its in ((first, only[second]), (second, only[first])):
        for kind, group in zip(mine.tolist(), its.tolist(), strict=True):
            met[kind] = group if met[kind] in (-2, group) else -1
    of_rows = np.flatnonzero(kinds.of_rows >= 0)
    meets = met[kinds.of_rows[of_rows]]
    of_rows = of_rows[(meets > -2) & (meets != groups[of_rows])]
    found = of_kinds[kinds.of_rows[of_rows]]
    order = np.argsort(found, kind="stable")
    starts = np.flatnonzero(np.diff(found[order], prepend=-1))
    return [(of_rows[places], float(lowest[found[places[0]]])) for places in np.split(order, starts[1:]) if len(places)]


def _only_groups(kinds: _Kinds, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group of all rows of each kind: int64 (n_kinds,), -1 where there are several."""
    known = kinds.of_rows >= 0
    lowest = np.full(len(kinds.bags), np.iinfo(np.int64).max)
    highest = np.full(len(kinds.bags), -1, np.int64)
    np.minimum.at(lowest, kinds.of_rows[known], groups[known])
    np.maximum.at(highest, kinds.of_rows[known], groups[known])
    return np.where(lowest == highest, lowest, -1)


def _finding(rows: _Rows, places: NDArray[np.intp], by: str | None, likeness: float) -> Inconsistency:
    by_amount = sorted(places.tolist(), key=lambda i: (-rows.amounts[i], i))
    heaviest = {rows.labels[i]: i for i in reversed(by_amount)}
    beside = [i for i in by_amount if heaviest[rows.labels[i]] == i]
    more = [i for i in by_amount if heaviest[rows.labels[i]] != i]
    (usual, most), *others = Counter(rows.labels[i] for i in by_amount).most_common()
    if others and others[0][1] == most:
        usual = ""

    def answered(i: int) -> AnsweredRow:
        group = rows.groups[i] if by else None
        return AnsweredRow(rows.numbers[i], group, rows.texts[i], rows.labels[i], rows.decisions[i], rows.amounts[i])

    return Inconsistency(
        at_odds=sum(rows.amounts[i] for i in by_amount if rows.labels[i] != usual),
        amount=sum(rows.amounts[i] for i in by_amount),
        usual=usual,
        likeness=round(likeness, 3),
        rows=list(map(answered, beside)),
        more=list(map(answered, more)),
    )
