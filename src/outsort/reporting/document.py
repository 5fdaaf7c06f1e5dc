"""Split documents as HTML: their text with each clause coloured by its label, what they are made of, and why.

The page of `score --report` and that of the service show the same: `document.html`, `document.css`, `document.js`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from outsort.explanation import explain
from outsort.model import Model
from outsort.prediction import strongest_terms
from outsort.reporting import page
from outsort.scoring.documents import Clause, Document, Made
from outsort.tables.documents.passages import HEADER, HEADING, ITEM, ROW

if TYPE_CHECKING:
    from markupsafe import Markup

#: Colours of the style sheet for the labels; with more labels they come again.
N_HUES = 8
#: Probabilities from which a clause is coloured more strongly.
_STRONGER_FROM = (0.5, 0.7, 0.9)
#: Labels whose probability is told with a clause.
_N_TOLD = 3


class Passage(NamedTuple):
    """A passage of a document: its page where a new one begins, else 0; its number; its clauses."""

    page: int
    number: str
    clauses: list[Clause]


class Block(NamedTuple):
    """Passages that belong together: a paragraph, the items of a list, or the rows of a table."""

    kind: str
    passages: list[Passage]


class Section(NamedTuple):
    """A part of a document: its heading, if any, and what is under it."""

    heading: Passage | None
    name: str
    blocks: list[Block]


class View(NamedTuple):
    """A document as it is shown.

    Attributes:
        document: the document.
        id: of its element, unique in the page.
        sections: its text.
        headings: what it is made of by heading, and the identifier of the section; "" where that is not shown.
    """

    document: Document
    id: str
    sections: list[Section]
    headings: list[tuple[Made, str]]


class Bar(NamedTuple):
    """A part of a bar of shares, in per cent."""

    label: str
    hue: str
    start: float
    width: float


def render(documents: Sequence[Document], model: Model) -> str:
    """Return a page of documents as HTML: like that of `summary`, without the summary."""
    return page.render("documents.html", {}, **content(documents, model))


def content(documents: Sequence[Document], model: Model) -> dict[str, object]:
    """Return what `document.html` needs."""
    from markupsafe import Markup

    script = files("outsort.reporting").joinpath("document.js").read_text("utf-8")
    script = f'\n{script}\nfor (const one of document.querySelectorAll(".document")) show(one);\n'
    hash_ = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "documents": [view(document, f"d{i}") for i, document in enumerate(documents)],
        "labels": {label: hue(label, model) for label in model.labels},
        "bars": partial(bars, model=model),
        "clause": _Markings(model),
        "script": Markup(script),  # noqa: S704 - our own
        "script_hash": hash_,
    }


def view(document: Document, name: str) -> View:
    """Return a document as it is shown, with a name that no other has in the page."""
    found = sections(document)
    targets = {section.name: f"{name}-{i}" for i, section in reversed(list(enumerate(found)))}
    return View(document, name, found, [(made, targets.get(made.name, "")) for made in document.headings])


def hue(label: str, model: Model) -> str:
    """Return the class of the style sheet for a label, as the page of the service has it."""
    return "out" if label == model.out_of_scope else f"hue{model.labels.index(label) % N_HUES}"


def bars(made: Made, model: Model) -> Iterator[Bar]:
    """Yield the parts of a bar of shares."""
    start = 0.0
    for label, share in made.shares.items():
        yield Bar(label, hue(label, model), round(100 * start, 2), round(100 * share, 2))
        start += share


def sections(document: Document) -> list[Section]:
    """Return the clauses of a document by heading, block and passage, in the order of the text."""
    found = [Section(None, "", [])]
    for kind, passages in groupby(_passages(document.clauses), _shown_as):
        for several in [list(passages)] if kind in (ITEM, ROW) else ([passage] for passage in passages):
            if kind == HEADING:
                found.append(Section(several[0], several[0].clauses[0].of.text, []))
            else:
                found[-1].blocks.append(Block(kind, several))
    return [section for section in found if section.heading or section.blocks]


def _shown_as(passage: Passage) -> str:
    """Return the kind of what a passage is shown with: the header of a table is one of its rows."""
    kind = passage.clauses[0].of.kind
    return ROW if kind == HEADER else kind


def _passages(clauses: Iterable[Clause]) -> Iterator[Passage]:
    before = 0
    for _, group in groupby(clauses, lambda clause: clause.of.passage):
        several = list(group)
        first = several[0].of
        now = first.page or 0
        yield Passage(now if now != before else 0, first.number, several)
        before = now


class _Markings:
    """Marks up clauses; what is told of equal ones is worked out once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._hue = cache(partial(hue, model=model))
        self._terms = cache(self._explained)

    def _explained(self, text: str, label: str) -> tuple[str, ...]:
        return tuple(map(_told, strongest_terms(explain(self._model, text, label))))

    def __call__(self, clause: Clause) -> Markup:
        """Return the HTML of a clause, with why it has its label in few bytes.

        `data-why` is what `document.js` reads, between tabs: key, weight, probabilities by label, service line,
        reason, terms for and against. Boilerplate has no terms: they would explain a label that does not count.
        """
        from markupsafe import Markup, escape

        of = clause.of
        if of.kind == HEADING and not of.weight:
            # A title, unless there is nothing else.
            return Markup('<span class="clause">{}</span>').format(of.text)
        ranked = sorted(
            zip(self._model.labels, clause.proba, strict=True), key=lambda of: (of[0] != clause.label, -of[1])
        )
        proba = "; ".join(f"{p:.4g} {label}" for label, p in ranked[:_N_TOLD])
        terms = self._terms(of.text, clause.label) if of.weight else ("", "")
        why = "\t".join((of.key, f"{of.weight:.2g}", proba, clause.line, clause.reason, *terms))
        name = f"{self._hue(clause.label)} s{strength(max(clause.proba))}" if of.weight else "none"
        return Markup(f'<span class="clause {name}" data-why="{escape(why)}">{escape(of.text)}</span>')  # noqa: S704


def strength(probability: float) -> int:
    """Return how strongly a clause is coloured, 1 to 4.

    >>> strength(0.4), strength(0.95)
    (1, 4)
    """
    return 1 + sum(probability >= least for least in _STRONGER_FROM)


def _told(terms: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{term} {added:+.1f}" for term, added in terms)
