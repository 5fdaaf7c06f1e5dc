"""What split documents are made of, as a whole and by heading, and their clauses to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from outsort.data.identity import key_of
from outsort.mixture import mixture
from outsort.model import Model
from outsort.numeric import Floats
from outsort.scoring.split import DocumentClause, DocumentClauses

if TYPE_CHECKING:
    from outsort.tables.base import Added, Batch

#: Clauses that are kept to be shown, of all documents together: a browser takes these at once.
MAX_CLAUSES = 20_000


@dataclass(frozen=True)
class Made:
    """What some clauses are made of.

    Attributes:
        name: what they have in common: a document or a heading.
        words: their words of work, each counted by the probability that its clause says the work.
        shares: of each label, adding up to 1; see `mixture`.
        margin: of the shares.
    """

    name: str
    words: float
    shares: dict[str, float]
    margin: float


class Clause(NamedTuple):
    """A clause of a document, and its answer.

    Attributes:
        of: what it is.
        proba: the probability of each label, in the order of the model.
        label: the answer.
        line: its service line; "" for none.
        reason: why to review it; "" if it is accepted.
    """

    of: DocumentClause
    proba: Sequence[float]
    label: str
    line: str
    reason: str


@dataclass(frozen=True)
class Document:
    """A document that was split.

    Attributes:
        name: its file name.
        whole: what it is made of; None if no clause says the work.
        headings: the same of the clauses under each heading that has work, in the order of the text.
        clauses: those to show, the first ones.
        n_clauses: how many there are.
    """

    name: str
    whole: Made | None
    headings: list[Made]
    clauses: list[Clause]
    n_clauses: int

    @property
    def id(self) -> str:
        """What tells it from documents with other clauses."""
        return key_of(" ".join([str(self.n_clauses), *(clause.of.key for clause in self.clauses)]))


@dataclass
class _Open:
    """A document of which clauses may come: all figures, and the clauses to show."""

    name: str
    headings: list[str] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    proba: list[Floats] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)


class DocumentsTally:
    """The documents among scored tables, batch by batch. Of each only what is shown is kept."""

    def __init__(self, model: Model, max_clauses: int = MAX_CLAUSES) -> None:
        """Begin with nothing, and keep so many clauses to be shown."""
        self._model, self._max_clauses = model, max_clauses
        self._done: list[Document] = []
        self._open: _Open | None = None

    def anew(self) -> DocumentsTally:
        """Return an empty tally of the same kind."""
        return DocumentsTally(self._model, self._max_clauses)

    @property
    def _n_left(self) -> int:
        """How many clauses may still be kept."""
        n_open = len(self._open.clauses) if self._open else 0
        return self._max_clauses - n_open - sum(len(document.clauses) for document in self._done)

    def add(self, batch: Batch, added: Added) -> None:
        """Add n clauses and their answers; those of tables are passed over."""
        if not isinstance(batch, DocumentClauses) or not len(batch):
            return
        if self._open is None or batch.first_clause == 1:
            self._close()
            self._open = _Open(batch.name)
        now = self._open
        now.proba.append(np.stack([np.asarray(added[f"p_{label}"]) for label in self._model.labels], axis=1))
        clauses = list(map(batch.clause, range(len(batch))))
        now.headings += [clause.heading for clause in clauses]
        now.weight += [clause.weight for clause in clauses]
        now.words += [clause.n_words for clause in clauses]
        proba = now.proba[-1][: self._n_left].tolist()
        answers: Any = zip(*(added[name].tolist() for name in ("label", "service_line", "reason")), strict=True)
        for clause, of_labels, (label, line, reason) in zip(clauses, proba, answers, strict=False):
            now.clauses.append(Clause(clause, of_labels, label, line or "", reason or ""))

    def merge(self, other: DocumentsTally) -> None:
        """Add the documents of another tally."""
        self._close()
        for document in other.result():
            self._done.append(replace(document, clauses=document.clauses[: self._n_left]))

    def result(self) -> list[Document]:
        """Return the documents so far, in their order."""
        self._close()
        return list(self._done)

    def _close(self) -> None:
        """Work out the shares of the open document."""
        if self._open is None:
            return
        now, self._open = self._open, None
        proba, weight, words = np.concatenate(now.proba), np.array(now.weight), np.array(now.words)
        by_heading: dict[str, list[int]] = {}
        for place in np.flatnonzero(weight > 0).tolist():
            by_heading.setdefault(now.headings[place], []).append(place)

        def made(name: str, places: Sequence[int]) -> Made:
            return _made(self._model, name, proba[places], weight[places], words[places])

        places = [place for found in by_heading.values() for place in found]
        whole = made(now.name, sorted(places)) if places else None
        headings = [made(heading, found) for heading, found in by_heading.items()]
        self._done.append(Document(now.name, whole, headings, now.clauses, len(weight)))


def _made(model: Model, name: str, proba: Floats, weight: Floats, words: Floats) -> Made:
    """Return what n clauses are made of, n above 0."""
    found = mixture(proba, weight, words, model.prior, model.n_in_scope)
    shares = dict(zip(model.labels, found.shares.tolist(), strict=True))
    return Made(name, float(weight @ np.maximum(words, 1)), shares, found.margin)
