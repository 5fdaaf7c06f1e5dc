"""Like work with different answers as tables for a terminal, the rows side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from outsort.errors import counted
from outsort.reporting.captions import notes_on_weights
from outsort.reporting.layout import table, visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from outsort.improving.consistency import Consistency, Inconsistency

#: Columns of a terminal from which the texts have a column beside the others.
WIDE = 100


def consistency_tables(result: Consistency, n_shown: int) -> Iterator[RenderableType]:
    """Lay out like work with different answers: up to `n_shown` findings."""
    across = f" across {result.n_groups:,} values of {result.by!r}" if result.by else ""
    n = len(result.findings)
    yield f"{result.source}: {result.n:,} answers{across}; {counted(n, 'finding')} of like work with different answers"
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
        yield _Findings(heads, [_rows(result, finding) for finding in shown], is_weighted=bool(weighted))
    if n > len(shown):
        yield f"and {n - len(shown):,} more: see --show and --json"
    if result.weights:
        yield from notes_on_weights(result.weights)


def _rows(result: Consistency, finding: Inconsistency) -> list[list[str]]:
    """Return the rows of a finding side by side, and what others there are in the column of texts."""
    rows = []
    for row in finding.rows:
        group = [visible(row.group or "(blank)")] if result.by else []
        amount = [f"{row.amount:,.0f}"] if result.weights else []
        rows.append([f"{row.row:,}", *group, row.label, row.decision, *amount, visible(row.text)])
    others = Counter(row.label for row in finding.more)
    if others:
        blank = [""] * (len(rows[0]) - 1)
        rows.append([*blank, "and " + ", ".join(f"{of:,} more {label}" for label, of in others.most_common())])
    return rows


class _Findings:
    """Findings as a table; where that would leave no room for the texts, each row's text below its other cells."""

    def __init__(self, heads: Sequence[str], findings: Sequence[Sequence[Sequence[str]]], *, is_weighted: bool) -> None:
        self._heads, self._findings, self._is_weighted = heads, findings, is_weighted

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if options.max_width >= WIDE:
            last = len(self._heads) - 1
            rows = [row for finding in self._findings for row in (*finding, [""] * (last + 1))]
            yield table(self._heads, rows[:-1], right=[0, last - 1] if self._is_weighted else [0], wrap=[last])
            return
        from rich.padding import Padding
        from rich.text import Text

        for finding in self._findings:
            for *cells, text in finding:
                if any(cells):
                    yield Text(" · ".join([f"row {cells[0]}", *cells[1:]]))
                yield Padding(Text(text), (0, 0, 0, 2))
            yield ""
