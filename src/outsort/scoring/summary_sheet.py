"""The sheet `summary` of a workbook: the picture of its rows as tables and two charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outsort.scoring.summary import ACCEPTED, OUT_OF_SCOPE, PARTS, TO_REVIEW, Summary
from outsort.tables.workbooks.workbook import MAX_CELL, SUMMARY, SUMMARY_TITLE, free_title, length

#: Colours of the labels' bars, and those of `PARTS`.
_BLUE = "#0B5CAD"
_COLOURS = {ACCEPTED: "#2E7D32", TO_REVIEW: "#C2410C", OUT_OF_SCOPE: "#6B7280"}
#: Files named in the title.
_N_SOURCES = 5
#: Rows that a chart covers, at the height of a row.
_CHART_ROWS = 15


def add_summary_sheet(book: Any, taken: Sequence[str], summary: Summary) -> None:  # noqa: ANN401 - of XlsxWriter
    """Add the sheet to a workbook that XlsxWriter is writing, after the others.

    Rows are written in their order, as a workbook of constant memory needs them.

    Args:
        book: an `xlsxwriter.Workbook`, not closed yet.
        taken: names that the sheet cannot have.
        summary: what to show.
    """
    _Page(book, free_title(taken, SUMMARY), summary).write()


class _Page:
    """The sheet being written, from the top down."""

    def __init__(self, book: Any, name: str, summary: Summary) -> None:  # noqa: ANN401
        self._book, self._summary = book, summary
        self._name = name
        self._sheet = book.add_worksheet(self._name)
        self._row = 0
        #: Columns of the widest table, beside which the charts are.
        self._n_columns = max(9, 4 + len(summary.labels) + len(PARTS)) if summary.by else 9
        self._title = book.add_format({"bold": True, "font_size": 14})
        header = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}
        self._header = book.add_format(header)
        self._header_of_text = book.add_format(header | {"indent": 1})
        self._header_of_numbers = book.add_format(header | {"align": "right"})
        self._number = book.add_format({"num_format": "#,##0"})
        self._share = book.add_format({"num_format": "0.0%"})
        self._indented = book.add_format({"indent": 1})

    def write(self) -> None:
        """Write the tables, and the charts beside the first of them."""
        summary = self._summary
        self._sheet.set_column(0, 0, 30)
        self._sheet.set_column(1, self._n_columns, 14)
        what = summary.weights.column if summary.weights else "Rows"
        self._line(f"{what}{SUMMARY_TITLE}{_sources(summary)}", self._title)
        self._line(_about(summary))
        self._row += 1
        self._add_labels()
        self._add_decisions()
        tables = {"reason for review": summary.reasons, "service line": summary.service_lines}
        for caption, shares in (tables | {"decided by rule": summary.rules}).items():
            if shares:
                self._table(self._heads(caption), ([of.name, *self._amounts(of)] for of in shares))
        if summary.not_work:
            # A share in a whole that they are no part of says nothing.
            self._table(
                self._heads("beside these")[:-1], ([of.name, *self._amounts(of)[:-1]] for of in summary.not_work)
            )
        if summary.by:
            self._add_groups()
        self._add_deciding()

    def _add_labels(self) -> None:
        summary = self._summary
        unit = summary.weights.column if summary.weights else "rows"
        level = f"{summary.level:.0%}"
        # The last two are the lengths of the error bars, which a chart takes from cells.
        heads = [*self._heads("label"), f"expected {unit}", f"from ({level})", f"to ({level})", "minus", "plus"]
        n, expected = len(summary.labels), heads.index(f"expected {unit}", 3)
        rows = []
        for of in summary.labels:
            low, high = of.interval
            errors = (of.expected - low, max(0.0, high - of.expected))
            rows.append([of.name, *self._amounts(of), of.expected, low, high, *errors])
        first = self._table(heads, rows)
        chart = self._book.add_chart({"type": "bar"})
        chart.add_series(
            {
                "name": f"expected {unit}",
                "categories": self._cells(first, n, 0),
                "values": self._cells(first, n, expected),
                "fill": {"color": _BLUE},
                "y_error_bars": {
                    "type": "custom",
                    "minus_values": self._reference(first, n, expected + 3),
                    "plus_values": self._reference(first, n, expected + 4),
                },
                "gap": 60,
            }
        )
        chart.set_title({"name": f"expected {unit} by label, {level} interval", "name_font": {"size": 11}})
        # The first label on top, as in the table, and the amounts below.
        chart.set_y_axis({"reverse": True, "crossing": "max"})
        chart.set_x_axis(
            {
                "min": 0,
                # Some programs leave room for the bars alone.
                "max": rounded_up(max((of.interval[1] for of in summary.labels), default=0.0)),
                "num_format": '[>=1000000]0.0,,"M";[>=1000]0,"k";0',
                "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}},
            }
        )
        self._insert(chart, 0)

    def _add_decisions(self) -> None:
        first = self._table(self._heads("decision"), ([of.name, *self._amounts(of)] for of in self._summary.decisions))
        shown = 2 if self._summary.weights else 1
        chart = self._book.add_chart({"type": "doughnut"})
        n = len(PARTS)
        chart.add_series(
            {
                "name": "decision",
                "categories": self._cells(first, n, 0),
                "values": self._cells(first, n, shown),
                "points": [{"fill": {"color": _COLOURS[part]}} for part in PARTS],
                "data_labels": {"percentage": True, "font": {"color": "#FFFFFF"}},
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
        unit = [self._summary.weights.column] if self._summary.weights else []
        several = len(self._summary.sources) > 1
        heads = ["rows that decide most", "probability", *unit, "label", "decision", "reason", "text"]
        if self._summary.deciding:
            rows = (
                [
                    *(f"{of.source}, row {of.row}" if several else f"row {of.row}", of.probability),
                    *([of.weight] if unit else []),
                    *(of.label, of.decision, of.reason, of.text),
                ]
                for of in self._summary.deciding
            )
            self._table(heads, rows, shares=[1])

    def _heads(self, first: str) -> list[str]:
        weights = self._summary.weights
        return [first, "rows", *([weights.column] if weights else []), "share"]

    def _amounts(self, of: Any) -> list[float]:  # noqa: ANN401 - anything with rows and weight
        share = of.weight / self._summary.weight if self._summary.weight else 0.0
        return [of.rows, *([of.weight] if self._summary.weights else []), share]

    def _table(self, heads: Sequence[str], rows: Any, shares: Sequence[int] = ()) -> int:  # noqa: ANN401
        """Write a table and a blank row; return the number of its first row, from 0."""
        content = list(rows)
        self._sheet.set_row(self._row, 30)
        for place, head in enumerate(heads):
            is_text = any(isinstance(row[place], str) for row in content)
            of_more = self._header_of_text if is_text else self._header_of_numbers
            self._text(place, head, of_more if place else self._header)
        self._row += 1
        first = self._row
        percent = {*shares, *(i for i, head in enumerate(heads) if head == "share")}
        for row in content:
            for place, value in enumerate(row):
                if isinstance(value, str):
                    self._text(place, value, self._indented if place else None)
                else:
                    self._sheet.write_number(self._row, place, value, self._share if place in percent else self._number)
            self._row += 1
        self._row += 1
        return first

    def _cells(self, first: int, n: int, column: int) -> list[object]:
        """Return n cells of a column as a chart takes them."""
        return [self._name, first, column, first + n - 1, column]

    def _reference(self, first: int, n: int, column: int) -> str:
        from xlsxwriter.utility import xl_range_abs

        return f"='{self._name}'!{xl_range_abs(first, column, first + n - 1, column)}"

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
        self._sheet.insert_chart(3 + place * (_CHART_ROWS + 1), self._n_columns + 1, chart)


def rounded_up(value: float) -> float:
    """Return the least of 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten that is no less; 1 for 0.

    >>> rounded_up(7_971_083.5), rounded_up(10), rounded_up(0.0)
    (8000000.0, 10.0, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((n * power for n in (1, 2, 3, 4, 5, 6, 8) if n * power >= value), 10 * power)


def _sources(summary: Summary) -> str:
    names = [Path(source).name for source in summary.sources]
    return ", ".join(names[:_N_SOURCES]) + (f" and {len(names) - _N_SOURCES:,} more" if len(names) > _N_SOURCES else "")


def _about(summary: Summary) -> str:
    n_others = sum(of.rows for of in summary.not_work)
    others = f"; {n_others:,} rows are no work and count in no sum" if n_others else ""
    rows = f"{summary.rows:,} rows{others}; model {summary.model}"
    weights = summary.weights
    if weights is None:
        return rows
    odd = {"blank": weights.blank, "not a number": weights.not_numbers, "negative": weights.negative}
    left_out = ", ".join(f"{n:,} {what}" for what, n in odd.items() if n)
    return f"{rows}; {weights.column}: {summary.weight:,.0f}{f'; counted as 0: {left_out}' if left_out else ''}"
