"""Like work with different answers as tables for a terminal, the rows side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from outsort.reporting.captions import notes_on_weights
from outsort.reporting.layout import table, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.improving.consistency import Consistency, Inconsistency


def consistency_tables(result: Consistency, n_shown: int) -> Iterator[RenderableType]:
    """Lay out like work with different answers: up to `n_shown` findings."""
    across = f" across {result.n_groups:,} values of {result.by!r}" if result.by else ""
    n = len(result.findings)
    findings = f"{n:,} finding{'s' * (n != 1)}"
    yield f"{result.source}: {result.n:,} answers{across}; {findings} of like work with different answers"
    if not n:
        return
    of_amount = ""
    if result.weights:
        of_amount = f"; at odds with the usual answer are {result.at_odds:,.0f} of {result.amount:,.0f}"
    yield f"{result.n_at_odds:,} rows{of_amount}"
    shown = result.findings[:n_shown]
    if shown:
        weighted = [result.weights.column] if result.weights else []
        heads = ["row", *([result.by] if result.by else []), "label", "decision", *weighted, "text"]
        cells = (row for finding in shown for row in _rows(result, finding))
        yield table(heads, cells, right=[0, len(heads) - 2] if weighted else [0], wrap=[len(heads) - 1])
    if n > len(shown):
        yield f"and {n - len(shown):,} more: see --show and --json"
    if result.weights:
        yield from notes_on_weights(result.weights)


def _rows(result: Consistency, finding: Inconsistency) -> Iterator[list[str]]:
    """Yield the rows of a finding side by side, what others there are, and a blank row."""
    for row in finding.rows:
        group = [visible(row.group or "(blank)")] if result.by else []
        amount = [f"{row.amount:,.0f}"] if result.weights else []
        yield [f"{row.row:,}", *group, row.label, row.decision, *amount, visible(row.text)]
    blank = [""] * (3 + bool(result.by) + bool(result.weights))
    others = Counter(row.label for row in finding.more)
    if others:
        yield [*blank, "and " + ", ".join(f"{of:,} more {label}" for label, of in others.most_common())]
    yield [*blank, ""]
