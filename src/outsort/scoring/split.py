"""Split the rows of a table, or the passages of a document, into clauses: one row each, weighed, with its part.

A clause is a sentence, line, item or row of a table (`outsort.text.sentences`). Its weight is how likely it is to say
the work, 0 for boilerplate and for what only leads in the next clause. An amount of a row, such as its spend, is
divided among its clauses by weight times words; nothing of it is lost: where no clause has a weight, the first one gets
all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort.data.amounts import amounts, decimal_mark
from outsort.data.identity import key_of
from outsort.numeric import Floats
from outsort.scoring.scorer import added_prefix
from outsort.scoring.union import cells_of
from outsort.tables.base import BATCH_ROWS, Batch, Column, Reader, ReadOptions, Rows, limited, plain_texts
from outsort.tables.columns import Found, only_column, text_columns_of
from outsort.tables.documents.passages import CELLS, HEADER, HEADING, ROW
from outsort.tables.not_work import faults_of, is_furniture
from outsort.tables.sources import Opened, opened
from outsort.text import sentences, words

#: What is added to the rows of a table; of documents there are no rows, and the text is in its own column.
ROW_NUMBER, CLAUSE, TEXT = "row", "clause", "clause_text"
KEY, WEIGHT, WORDS, WEIGHTED, AMOUNT = "key", "weight", "words", "weighted_words", "clause_amount"
#: Decimals of the parts of an amount.
_DECIMALS = 4


#: What is numbered by a letter.
_NUMBERED = "Annex|Appendix|Band|Category|Class|Lot|Option|Part|Schedule|Section|Tier|Type"
#: Where a sentence ends with what may also be the number of an item, an initial or an abbreviation.
_ENDS = re.compile(rf"(?:[a-z]{{3}} \d{{1,2}}|\b(?:{_NUMBERED}) [A-Z]|\b[ap]\.m)\.\s+(?=[A-Z])")


def clauses_of(text: str) -> list[str]:
    r"""Return the clauses of a text; one without a word is one.

    >>> clauses_of("Key those of Schedule 2. File them at 8 p.m. Report.\n- Excel needed")
    ['Key those of Schedule 2.', 'File them at 8 p.m.', 'Report.', '- Excel needed']
    """
    found = []
    for start, end in sentences(text):
        places = [start, *(mark.end() for mark in _ENDS.finditer(text, start, end)), end]
        found += [text[first:last].strip() for first, last in pairwise(places)]
    return found


def divided(amount: float, weights: Sequence[float]) -> list[float]:
    """Return the parts of an amount, which add up to it; the first one is all of it where no weight is above 0.

    >>> divided(100, [1, 0, 2]), divided(100, [0, 0])
    ([33.3333, 0.0, 66.6667], [100, 0.0])
    """
    total = sum(weights)
    if not total > 0:
        return [amount, *[0.0] * (len(weights) - 1)]
    ends = [round(amount * end / total, _DECIMALS) for end in accumulate(weights, initial=0.0)]
    last = max(place for place, weight in enumerate(weights) if weight > 0)
    ends[last + 1 :] = [amount] * (len(ends) - last - 1)
    return [round(end - start, _DECIMALS + 2) for start, end in pairwise(ends)]


class _Clause(NamedTuple):
    """A clause: the place of its row in the batch, its number, text and words, and whether it may have a weight.

    Clauses of one section are judged together: those of a row of a table, or under a heading of a document.
    """

    row: int
    section: int
    number: int
    text: str
    n_words: int
    may_weigh: bool
    is_table_row: bool


class DocumentClause(NamedTuple):
    """A clause of a document, as its columns have it; see `Passage`, whose number in the document is `passage`."""

    document: str
    page: int | None
    number: str
    heading: str
    kind: str
    clause: int
    text: str
    key: str
    weight: float
    n_words: int
    passage: int


@dataclass(frozen=True)
class DocumentClauses(Rows):
    """Clauses of one document."""

    @property
    def name(self) -> str:
        """The file name of the document."""
        return self.clause(0).document

    @property
    def first_clause(self) -> int:
        """The number of the first of them in the document, from 1."""
        return self.clause(0).clause

    def clause(self, place: int) -> DocumentClause:
        """Return one of them."""
        return DocumentClause(*[*self.cells[place][:10], self.numbers[place]])


class Splitting(NamedTuple):
    """How tables are split.

    Attributes:
        weigh: see `Scorer.weights`.
        limit: split only so many rows of each table, or passages of a document; None for all.
        prefix: of the added columns; if None, only used when a name is taken.
        weight_column: the column of amounts to divide; None for none.
    """

    weigh: Callable[[Sequence[str], NDArray[np.intp], NDArray[np.bool_]], Floats]
    limit: int | None = None
    prefix: str | None = None
    weight_column: str | None = None

    @contextmanager
    def opened(self, source: str, options: ReadOptions) -> Iterator[Opened]:
        """Open a table to be read clause by clause; see `sources.opened`."""
        with opened(source, options) as table:
            reader = SplitReader(source, table.reader, options, self, is_document=table.format.is_document)
            yield table._replace(reader=reader)


class SplitReader:
    """A table of clauses; see `base.Reader`.

    Attributes:
        own_texts: where the text of a clause is.
        found: the text columns of the table that is split.
    """

    def __init__(
        self, source: str, inner: Reader, options: ReadOptions, how: Splitting, *, is_document: bool = False
    ) -> None:
        """Find the texts of a table.

        Args:
            source: its name for messages.
            inner: its rows, or the passages of a document.
            options: how it is read.
            how: how it is split.
            is_document: whether it is a document.

        Raises:
            DataError: there is no text column or no such column of amounts, or names are taken.
        """
        self._source, self._inner, self._how, self._is_document = source, inner, how, is_document
        self.found, self._batches = text_columns_of(source, inner, options.text_columns)
        own = list(inner.columns)
        column = how.weight_column
        self.nested_columns = inner.nested_columns
        self._amounts = None if column is None else only_column(source, own, column, nested=self.nested_columns)
        self._mark = ""
        self._n_own = len(own) - is_document
        new = [CLAUSE, own[-1]] if is_document else [ROW_NUMBER, CLAUSE, TEXT]
        new += [KEY, WEIGHT, WORDS, WEIGHTED, *([AMOUNT] if column is not None else [])]
        prefix = added_prefix(own[: self._n_own], new, how.prefix)
        self.columns = self.head_columns = [*own[: self._n_own], *(prefix + name for name in new)]
        place = len(self.columns) - len(new) + (1 if is_document else 2)
        self.own_texts = Found([[Column(self.columns[place], place)]], self._told(), (self.found.parts, own))
        self.encoding, self.location = inner.encoding, inner.location
        self.dialect = replace(inner.dialect, origin=None)

    def __iter__(self) -> Iterator[Rows]:
        """Yield the clauses.

        Raises:
            DataError: the table cannot be read.
        """
        batches = limited(self._batches, self._how.limit)
        n_before = n_weighty = 0
        for batch in [_joined(list(batches))] if self._is_document else batches:
            found = batch.texts(self.found.parts)
            reasons = batch.faults if self._is_document else faults_of(batch, found)
            clauses = list(self._clauses(batch, plain_texts(found), reasons, n_before))
            n_before += len(clauses)
            weights = self._weights(clauses)
            n_weighty += int(np.count_nonzero(weights))
            rows = self._rows(batch, clauses, weights.tolist())
            numbers = [batch.numbers[clause.row] for clause in clauses]
            for start in range(0, len(rows), BATCH_ROWS):
                part = slice(start, start + BATCH_ROWS)
                faults = {i: reasons[c.row] for i, c in enumerate(clauses[part]) if c.row in reasons}
                kind = DocumentClauses if self._is_document else Rows
                yield kind(self.columns, rows[part], numbers[part], faults)
        if n_before and not n_weighty:
            self.location.remarks.append("no clause says what the work is: all weights are 0")

    def _told(self) -> str:
        """Return in words what is split."""
        if self._is_document or self.found.why:
            return self.found.why
        names = " and ".join(repr(part[0].name) for part in self.found.parts)
        return f"text column {names}, split into clauses"

    def close(self) -> None:
        """Let go of the table."""
        self._inner.close()

    def _clauses(
        self, batch: Batch, texts: Sequence[str], faults: Mapping[int, str], n_before: int
    ) -> Iterator[_Clause]:
        """Yield the clauses of a batch, numbered within each row, or within the document."""
        kinds = [row[-2] for row in batch.values(self._inner.columns)] if self._is_document else [""] * len(texts)
        has_others = any(kind != HEADING for kind in kinds)
        sections = accumulate(kind == HEADING or not self._is_document for kind in kinds)
        for place, (text, kind, section) in enumerate(zip(texts, kinds, sections, strict=True)):
            is_whole = kind in (HEADING, ROW, HEADER) or place in faults
            is_title = kind == HEADER or (kind == HEADING and has_others)
            is_no_work = place in faults or is_title or (self._is_document and is_furniture(text.split(CELLS)))
            for number, clause in enumerate([text] if is_whole else clauses_of(text), 1):
                n_before += 1
                n_words = len(words(clause))
                place_of = n_before if self._is_document else number
                yield _Clause(place, section, place_of, clause, n_words, n_words > 0 and not is_no_work, kind == ROW)

    def _weights(self, clauses: Sequence[_Clause]) -> Floats:
        weights = np.zeros(len(clauses))
        leads_in = [_leads_in(*pair) for pair in pairwise(clauses)] + [False]
        places = [i for i, clause in enumerate(clauses) if clause.may_weigh and not leads_in[i]]
        sections = np.array([clauses[i].section for i in places], np.intp)
        is_row = np.array([clauses[i].is_table_row for i in places], np.bool_)
        weights[places] = np.round(self._how.weigh([clauses[i].text for i in places], sections, is_row), 6)
        return weights

    def _rows(self, batch: Batch, clauses: Sequence[_Clause], weights: Sequence[float]) -> list[list[Any]]:
        """Return the cells of each clause."""
        own = [list(row)[: self._n_own] for row in batch.values(self._inner.columns)]
        rows = []
        for clause, weight in zip(clauses, weights, strict=True):
            number = [] if self._is_document else [batch.numbers[clause.row]]
            new = [*number, clause.number, clause.text, key_of(clause.text)]
            new += [weight, clause.n_words, round(weight * clause.n_words, _DECIMALS)]
            rows.append([*own[clause.row], *new])
        if self._amounts is not None:
            counts = [weight * clause.n_words for weight, clause in zip(weights, clauses, strict=True)]
            parts = self._divided(cells_of(batch, self._amounts), [clause.row for clause in clauses], counts)
            for row, part in zip(rows, parts, strict=True):
                row.append(part)
        return rows

    def _divided(self, cells: Sequence[object], places: Sequence[int], counts: Sequence[float]) -> list[float | None]:
        """Return the part of each clause of the amount of its row; None where that is no number."""
        self._mark = self._mark or decimal_mark(cells)
        of_rows = amounts(cells, self._mark).tolist()
        by_row: dict[int, list[float]] = {}
        for place, count in zip(places, counts, strict=True):
            by_row.setdefault(place, []).append(count)
        parts: list[float | None] = []
        for place, found in by_row.items():
            amount = of_rows[place]
            parts += divided(amount, found) if np.isfinite(amount) else [None] * len(found)
        return parts


def _leads_in(clause: _Clause, following: _Clause) -> bool:
    """Return whether a clause only announces the next one, as "The Supplier shall:" does."""
    return clause.text.endswith(":") and clause.section == following.section


def _joined(batches: Sequence[Batch]) -> Rows:
    """Return the batches of a document as one: whether it has more than headings shows at its end."""
    parts = [batch for batch in batches if isinstance(batch, Rows)]
    cells = [row for part in parts for row in part.cells]
    return Rows(parts[0].columns if parts else (), cells, range(2, len(cells) + 2), {})
