"""The picture of scored tables as one self-contained HTML file.

The figures come from `scoring.summary`; this module only words, plots and tabulates them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from outsort.model import Model
from outsort.reporting import document, page
from outsort.reporting.captions import notes, percent
from outsort.scoring.documents import Document
from outsort.scoring.summary import CORRELATION, CORRELATION_IN_LINE, PARTS, WORDS_OF_WORK, Share, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of the style sheet for the labels of a mix; more labels share the last.
N_COLOURS = len(page.COLOURS)
#: Width of the plot in inches, and its height for each label.
_WIDTH, _HEIGHT_OF_LABEL = 4.0, 0.4


class Segment(NamedTuple):
    """A part of a bar: its name, its share of the bar and the number of its colour."""

    name: str
    share: float
    colour: int


def render(summary: Summary, documents: Sequence[Document] = (), model: Model | None = None) -> str:
    """Return the summary as HTML, after the documents that were split; call `page.check` first.

    Args:
        summary: the summary.
        documents: what it is of, where that are documents.
        model: the model that answered; may be left out without documents.
    """
    of_parts = {of.name: of.weight for of in summary.decisions}
    height = 0.9 + _HEIGHT_OF_LABEL * len(summary.labels)
    return page.render(
        "summary.html",
        {
            "of_whole": partial(of_whole, whole=summary.weight),
            "segments": segments,
            "amount": partial(amount, summary=summary),
        },
        summary=summary,
        unit=unit_of(summary),
        weighted=summary.weights is not None,
        has_words=counts_words(summary),
        verdict=verdict(summary),
        plot=page.svg("labels", partial(_draw_labels, summary=summary), _WIDTH, height),
        parts=PARTS,
        label_colours=segments({of.name: of.expected for of in summary.labels}),
        of_parts=of_parts,
        part_colours=segments(of_parts),
        correlation=CORRELATION,
        in_line=CORRELATION_IN_LINE,
        **(document.content(documents, model) if documents and model else {"documents": []}),
    )


def write(
    summary: Summary, path: Path, *, force: bool, documents: Sequence[Document] = (), model: Model | None = None
) -> None:
    """Write the page to `path` atomically; see `render`.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    page.write(render(summary, documents, model), path, force=force)


def unit_of(summary: Summary) -> str:
    """Return what is counted: the name of the column of weights, words of work, or rows."""
    return summary.weights.column if summary.weights else "rows"


def counts_words(summary: Summary) -> bool:
    """Return whether what is counted are words of work, as of clauses without amounts."""
    return unit_of(summary) == WORDS_OF_WORK


def amount(value: float, summary: Summary) -> str:
    """Return a part of what is counted; words of work are whole, however likely each is to say the work."""
    return f"{value:,.0f}" if counts_words(summary) else page.count(value)


def of_whole(share: Share, whole: float) -> float:
    """Return the share of some rows in the whole weight, 0 to 1; 0 of nothing."""
    return share.weight / whole if whole else 0.0


def segments(weights: Mapping[str, float]) -> list[Segment]:
    """Return the parts of a bar, in their order.

    >>> segments({"BPO": 30.0, "KPO": 10.0})
    [Segment(name='BPO', share=0.75, colour=0), Segment(name='KPO', share=0.25, colour=1)]
    """
    whole = sum(weights.values())
    return [
        Segment(name, weight / whole if whole else 0.0, min(i, N_COLOURS - 1))
        for i, (name, weight) in enumerate(weights.items())
    ]


def verdict(summary: Summary) -> list[str]:
    """Return a few sentences that sum up the figures."""
    if not summary.rows:
        return ["The table has no rows of work." if summary.not_work else "The table has no rows."]
    rows = f"{summary.rows:,} rows"
    unit, whole, has_words = unit_of(summary), amount(summary.weight, summary), counts_words(summary)
    what = f"{whole} {unit} in {rows}" if has_words else f"{unit} {whole} in {rows}" if summary.weights else rows
    if summary.weight == 0:
        return [f"{what}.", *notes(summary)]
    ranges = []
    for of in summary.labels:
        low, high = (percent(end / summary.weight) for end in of.interval)
        ranges.append(f"{of.name} {low} to {high}")
    accepted, review, out = (percent(of_whole(of, summary.weight)) for of in summary.decisions)
    of_what = f" of the {unit}" if has_words else ""
    return [
        f"{what}. By label, with {summary.level:.0%} confidence{has_words * ','}{of_what}: {', '.join(ranges)}.",
        f"{accepted}{of_what} are accepted, {review} go to review, {out} are accepted as out of scope.",
        *notes(summary),
    ]


def _draw_labels(axes: Axes, summary: Summary) -> str:
    from matplotlib.ticker import FuncFormatter

    labels = summary.labels[::-1]
    expected = [of.expected for of in labels]
    errors = [
        [of.expected - of.interval[0] for of in labels],
        [max(0.0, of.interval[1] - of.expected) for of in labels],
    ]
    places = range(len(labels))
    axes.barh(places, expected, xerr=errors, color=page.BLUE, ecolor=page.INK, height=0.55, capsize=4)
    names = [of.name if len(of.name) <= 24 else f"{of.name[:23]}…" for of in labels]
    axes.set_yticks(places, names)
    for tick in axes.get_yticklabels():
        # A label with dollar signs is no formula.
        tick.set_parse_math(False)
    axes.set_xlim(left=0)
    axes.set_xlabel(unit_of(summary), parse_math=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    figures = [(of.name, *(amount(value, summary) for value in (of.expected, *of.interval))) for of in summary.labels]
    found = (f"{name} {expected}, from {low} to {high}" for name, expected, low, high in figures)
    return f"Expected {unit_of(summary)} by label: {'; '.join(found)}."


def _short(value: float) -> str:
    """Return an amount as an axis shows it.

    >>> _short(2_500_000), _short(4_000), _short(12)
    ('2.5M', '4k', '12')
    """
    for size, suffix in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}"
