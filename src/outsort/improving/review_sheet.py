"""The workbook in which a person labels texts: lists to choose from, what labels mean, how many texts are done."""

from collections.abc import Sequence
from math import ceil
from typing import IO, Any

from outsort.labels import BPO, KPO, NEITHER, UNCLEAR
from outsort.model import Model
from outsort.tables.letters import letters_of
from outsort.tables.workbooks.workbook import Sheet, Workbook

#: The columns that a person fills in.
_ASKED = ("label", "service_line", "reviewer", "decided_at")
#: Widths in characters, of columns of text also what a line of them holds.
_WIDTHS = {
    "text": 70, "label": 12, "service_line": 28, "model_label": 12, "probability": 11, "model_line": 24, "because": 44,
    "reason": 20, "rows": 7, "weight": 10, "drawn": 7, "reviewer": 14, "decided_at": 14, "key": 20,
}  # fmt: skip
#: The column that must not be seen, and the one over which it says how many labels are there.
_KEY, _PROGRESS = "key", "progress"
#: Points of a line and of the highest row that Excel has.
_LINE, _HIGHEST = 15, 408
#: The sheets beside the one to fill in.
_LABELS, _LINES, _HELP = "labels", "service lines", "how to"
#: What the labels of the shipped data mean, and UNCLEAR in any: in a few words, and then more.
_MEANINGS = {
    BPO: ("Follows a procedure.", "What counts is volume, accuracy and time; a trained person can do it."),
    KPO: (
        "Needs expertise.",
        "A finding, advice, a design, authored or engineered work: a professional answers for it.",
    ),
    NEITHER: (
        "Goods, work on site or on a body, duties of an office holder.",
        "Out of scope: no office could take it.",
    ),
    UNCLEAR: ("Does not say what is to be done.", "Leave the service line blank."),
}
_STEPS = (
    "Read the text. Choose its label in the yellow column; the list offers all there are, with their meaning below.",
    "Choose the service line if you know it: the list offers those of the label. Left blank, it is filled in later.",
    "What the model said, and the words that speak for each label, are there to help. Decide for yourself.",
    "Leave a row blank if you cannot decide. Sort and filter as you like; leave the texts and the hidden key alone.",
    "Write your name once under reviewer, and copy it down; the date may stay blank.",
    "Save, and send the file back.",
)


def write_workbook(file: IO[bytes], model: Model, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a queue as a workbook.

    Args:
        file: where to.
        model: offers its labels and service lines.
        columns: names of the columns.
        rows: n_rows rows of cells.
    """
    queue = Workbook(file)
    formats = {
        "ask": queue.book.add_format({"bg_color": "#FFF7D6", "valign": "top", "border": 1, "border_color": "#D9C66B"}),
        "wrapped": queue.book.add_format({"text_wrap": True, "valign": "top"}),
        "header": queue.book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}),
    }
    n_asked = columns.index("service_line") + 1
    columns = [*columns[:n_asked], _PROGRESS, *columns[n_asked:]]
    sheet = queue.add_sheet("review", columns, [_WIDTHS.get(name, 10) for name in columns], n_frozen=1)
    done = f"COUNTA({_cells(columns.index('label'), len(rows))})"
    sheet.write_header_formula(
        columns.index(_PROGRESS), f'={done}&" of {len(rows)} done"', f"0 of {len(rows)} done", formats["header"]
    )
    for row in rows:
        cells = dict(zip(columns, [*row[:n_asked], "", *row[n_asked:]], strict=True))
        sheet.add_row(height=_height(cells))
        for place, name in enumerate(columns):
            sheet.write(place, cells[name], formats["ask" if name in _ASKED else "wrapped"])
    sheet.hide(columns.index(_KEY))
    labels = [*model.labels, *([] if UNCLEAR in model.labels else [UNCLEAR])]
    meanings = _add_list(queue, _LABELS, ["label", "meaning"], [[name, _meaning(name)] for name in labels])
    sheet.offer(
        columns.index("label"),
        f"='{_LABELS}'!$A$2:$A${meanings.n_rows + 1}",
        title="Label",
        message="\n".join(f"{name}: {_MEANINGS[name][0]}" for name in labels if name in _MEANINGS),
        error=f"Choose one of {', '.join(labels)}."[:255],
    )
    if model.has_lines:
        by_label = sorted(zip(model.lines, model.line_labels, strict=True), key=lambda pair: pair[::-1])
        _add_list(queue, _LINES, ["service_line", "label"], by_label)
        sheet.offer(
            columns.index("service_line"),
            _lines_of_label(columns.index("label"), len(by_label)),
            title="Service line",
            message="The list offers the service lines of the label. Leave it blank if none fits or you do not know.",
            error="Choose a service line of the label, or leave it blank.",
        )
    _add_help(queue, labels, formats["wrapped"])
    sheet.add_filters()
    queue.close()


def _meaning(label: str) -> str:
    return " ".join(_MEANINGS.get(label, ()))


def _cells(column: int, n_rows: int) -> str:
    """Return the reference of the cells of a column."""
    letter = letters_of(column)
    return f"{letter}2:{letter}{max(2, n_rows + 1)}"


def _lines_of_label(label_column: int, n_lines: int) -> str:
    """Return the formula of the service lines of the label in a row, all where it is blank.

    They are sorted by label, so those of one are next to each other.
    """
    label, of_lines = f"${letters_of(label_column)}2", f"'{_LINES}'!$B$2:$B${n_lines + 1}"
    first = f'IF({label}="",1,MATCH({label},{of_lines},0))'
    n = f'IF({label}="",{n_lines},COUNTIF({of_lines},{label}))'
    return f"=OFFSET('{_LINES}'!$A$1,{first},0,{n},1)"


def _height(cells: dict[str, Any]) -> float:
    """Return how high a row must be, in points, for the cells that are wrapped."""
    lines = (
        sum(max(1, ceil(len(line) / _WIDTHS[name])) for line in str(cells[name]).split("\n"))
        for name in ("text", "model_line", "because", "reason")
    )
    return min(_HIGHEST, _LINE * max(lines))


def _add_list(queue: Workbook, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Sheet:
    sheet = queue.add_sheet(name, columns, (28, 100))
    for row in rows:
        sheet.add_row()
        for place, cell in enumerate(row):
            sheet.write(place, cell)
    return sheet


def _add_help(queue: Workbook, labels: Sequence[str], wrapped: object) -> None:
    sheet = queue.add_sheet(_HELP, ["how to", ""], (14, 100))
    steps = [(f"{i}.", step) for i, step in enumerate(_STEPS, 1)]
    for name, text in (*steps, ("", ""), *((name, _meaning(name)) for name in labels)):
        sheet.add_row()
        sheet.write(0, name, wrapped)
        sheet.write(1, text, wrapped)
