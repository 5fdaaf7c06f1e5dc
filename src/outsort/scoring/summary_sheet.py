"""The sheet `summary` of a workbook: the picture of its rows as tables and two charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outsort.scoring.summary import ACCEPTED, OUT_OF_SCOPE, PARTS, TO_REVIEW, Summary
from outsort.tables.workbook import MAX_CELL, length

#: The name of the sheet; a number follows where the workbook has one of that name.
NAME = "summary"
#: Colours of the labels' bars, and those of `PARTS`.
_BLUE = "#0B5CAD"
_COLOURS = {ACCEPTED: "#2E7D32", TO_REVIEW: "#C2410C", OUT_OF_SCOPE: "#6B7280"}
#: Rows that a chart covers, at the height of a row.
_CHART_ROWS = 15


def add_summary_sheet(book: Any, summary: Summary) -> None:  # noqa: ANN401 - of XlsxWriter
    """Add the sheet to a workbook that XlsxWriter is writing, after the others.

    Rows are written in their order, as a workbook of constant memory needs them.

    Args:
        book: an `xlsxwriter.Workbook`, not closed yet.
        summary: what to show.
    """
    _Page(book, summary).write()


class _Page:
    """The sheet being written, from the top down."""

    def __init__(self, book: Any, summary: Summary) -> None:  # noqa: ANN401
        self._book, self._summary = book, summary
        taken = {sheet.get_name().lower() for sheet in book.worksheets()}
        numbered = (f"{NAME} {n}" for n in range(2, len(taken) + 3))
        self._name = NAME if NAME not in taken else next(name for name in numbered if name not in taken)
        self._sheet = book.add_worksheet(self._name)
        self._row = 0
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._header = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._number = book.add_format({"num_format": "#,##0"})
        self._share = book.add_format({"num_format": "0.0%"})
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def write(self) -> None:
        """Write the tables, and the charts beside the first of them."""
        summary = self._summary
        self._sheet.set_column(0, 0, 26)
        self._sheet.set_column(1, 8, 14)
        what = f"{summary.weights.column} by label" if summary.weights else "Rows by label"
        self._line(f"{what}: {', '.join(summary.sources)}"[:MAX_CELL], self._title)
        self._line(_about(summary))
        self._row += 1
        self._add_labels()
        self._add_decisions()
        for caption, shares in (("reason for review", summary.reasons), ("service line", summary.service_lines)):
            if shares:
                self._table(self._heads(caption), ([of.name, *self._amounts(of)] for of in shares))
        if summary.by:
            self._add_groups()
        self._add_deciding()

    def _add_labels(self) -> None:
        summary = self._summary
        is_weighted = summary.weights is not None
        unit = summary.weights.column if summary.weights else "rows"
        level = f"{summary.level:.0%}"
        heads = [*self._heads("label"), f"expected {unit}", f"from ({level})", f"to ({level})"]
        first = self._table(heads, ([of.name, *self._amounts(of), of.expected, *of.interval] for of in summary.labels))
        n = len(summary.labels)
        expected = 4 if is_weighted else 3
        low = [of.expected - of.interval[0] for of in summary.labels]
        high = [of.interval[1] - of.expected for of in summary.labels]
        chart = self._book.add_chart({"type": "bar"})
        chart.add_series(
            {
                "name": f"expected {unit}",
                "categories": [self._name, first, 0, first + n - 1, 0],
                "values": [self._name, first, expected, first + n - 1, expected],
                "fill": {"color": _BLUE},
                "y_error_bars": {"type": "custom", "plus_values": high, "minus_values": low},
                "gap": 60,
            }
        )
        chart.set_title({"name": f"{unit} by label, with {level} interval", "name_font": {"size": 11}})
        self._insert(chart, 0)

    def _add_decisions(self) -> None:
        first = self._table(self._heads("decision"), ([of.name, *self._amounts(of)] for of in self._summary.decisions))
        shown = 2 if self._summary.weights else 1
        chart = self._book.add_chart({"type": "doughnut"})
        last = first + len(PARTS) - 1
        chart.add_series(
            {
                "name": "decision",
                "categories": [self._name, first, 0, last, 0],
                "values": [self._name, first, shown, last, shown],
                "points": [{"fill": {"color": _COLOURS[part]}} for part in PARTS],
                "data_labels": {"percentage": True},
            }
        )
        chart.set_title({"name": "accepted, to review, out of scope", "name_font": {"size": 11}})
        self._insert(chart, 1)

    def _add_groups(self) -> None:
        by = self._summary.by
        if by is None:
            return
        found = [*by.groups, *([by.rest] if by.rest else [])]
        labels = [of.name for of in self._summary.labels if any(of.name in group.labels for group in found)]
        heads = [*self._heads(by.column), *(f"expected {label}" for label in labels), *PARTS]
        self._table(
            heads,
            (
                [
                    of.name or "(blank)",
                    *self._amounts(of),
                    *(of.labels[label] for label in labels),
                    *of.decisions.values(),
                ]
                for of in found
            ),
        )

    def _add_deciding(self) -> None:
        rows = self._summary.deciding
        unit = [self._summary.weights.column] if self._summary.weights else []
        heads = ["rows that decide most", "row", "label", "probability", *unit, "decision", "reason", "text"]
        if rows:
            self._table(
                heads,
                (
                    [
                        *(of.source, of.row, of.label, of.probability, *([of.weight] if unit else [])),
                        *(of.decision, of.reason, of.text),
                    ]
                    for of in rows
                ),
                shares=[3],
            )

    def _heads(self, first: str) -> list[str]:
        weights = self._summary.weights
        return [first, "rows", *([weights.column] if weights else []), "share"]

    def _amounts(self, of: Any) -> list[float]:  # noqa: ANN401 - anything with rows and weight
        share = of.weight / self._summary.weight if self._summary.weight else 0.0
        return [of.rows, *([of.weight] if self._summary.weights else []), share]

    def _table(self, heads: Sequence[str], rows: Any, shares: Sequence[int] = ()) -> int:  # noqa: ANN401
        """Write a table and a blank row; return the number of its first row, from 0."""
        for place, head in enumerate(heads):
            self._text(place, head, self._header)
        self._row += 1
        first = self._row
        percent = {*shares, *(i for i, head in enumerate(heads) if head == "share")}
        for row in rows:
            for place, value in enumerate(row):
                if isinstance(value, str):
                    self._text(place, value)
                else:
                    self._sheet.write_number(self._row, place, value, self._share if place in percent else self._number)
            self._row += 1
        self._row += 1
        return first

    def _line(self, text: str, cell_format: object = None) -> None:
        self._text(0, text, cell_format)
        self._row += 1

    def _text(self, place: int, text: str, cell_format: object = None) -> None:
        while length(text) > MAX_CELL:
            text = text[: len(text) // 2]
        self._sheet.write_string(self._row, place, text, cell_format)

    def _insert(self, chart: Any, place: int) -> None:  # noqa: ANN401
        chart.set_legend({"none": True} if place == 0 else {"position": "right"})
        chart.set_size({"width": 480, "height": 20 * _CHART_ROWS})
        self._sheet.insert_chart(3 + place * (_CHART_ROWS + 1), 9, chart)


def _about(summary: Summary) -> str:
    rows = f"{summary.rows:,} rows, model {summary.model}"
    weights = summary.weights
    if weights is None:
        return rows
    odd = {"blank": weights.blank, "not a number": weights.not_numbers, "negative": weights.negative}
    left_out = ", ".join(f"{n:,} {what}" for what, n in odd.items() if n)
    return f"{rows}; {weights.column}: {summary.weight:,.0f}{f'; counted as 0: {left_out}' if left_out else ''}"
