"""How far two reviewers agree, as lines and tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from outsort.numeric import LEVEL
from outsort.reporting.captions import figure, percent, percents
from outsort.reporting.layout import table, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.improving.agreement import Agreement, Kappa

#: Service lines that are listed, those with the most differences.
N_LINES = 10


def agreement_tables(labels: Agreement, lines: Agreement | None) -> Iterator[RenderableType]:
    """Lay out how far two reviewers agree on labels and on service lines, and what that bounds accuracy by."""
    yield f"Two reviewers agree on the label of {_share(labels)}; kappa {_kappa(labels)}."
    yield (
        f"So labels of one reviewer are on average right in {percent(labels.most)} of texts at best ({LEVEL:.0%} "
        f"interval {percents(labels.most_interval)}), and no accuracy measured against them can be higher."
    )
    yield _answers("label", labels, len(labels.answers))
    if lines:
        yield f"They agree on the service line of {_share(lines)} where both chose one; kappa {_kappa(lines)}."
        differing = sum(on.both < max(on.first, on.second) for on in lines.answers)
        if differing:
            yield _answers("service line", lines, min(N_LINES, differing))


def _share(found: Agreement) -> str:
    texts = "text" if found.n == 1 else "texts"
    return f"{found.agreed:,} of {found.n:,} {texts} ({percent(found.agreed / found.n)})"


def _kappa(found: Kappa) -> str:
    if found.kappa is None or found.interval is None:
        return "undefined, because all have one answer"
    low, high = found.interval
    return f"{found.kappa:.3f} ({LEVEL:.0%} interval {low:.3f} to {high:.3f})"


def _answers(head: str, found: Agreement, n: int) -> RenderableType:
    rows = (
        [
            visible(on.answer),
            *(f"{count:,}" for count in (on.first, on.second, on.both)),
            figure(on.kappa),
            "" if on.interval is None else " to ".join(map(figure, on.interval)),
        ]
        for on in found.answers[:n]
    )
    return table([head, "first", "second", "both", "kappa", f"{LEVEL:.0%} interval"], rows, right=range(1, 5))
