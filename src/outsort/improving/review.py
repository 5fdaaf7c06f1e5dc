"""Choose texts for a person to label, and write them as a workbook or CSV file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from outsort import progress
from outsort import text as text_module
from outsort.data.identity import hashes_of, key_of, same_text
from outsort.data.values import parse_weights
from outsort.errors import DataError, OutputError, did_you_mean
from outsort.files import check_output, for_workbook, written_whole
from outsort.improving.choose import choose
from outsort.improving.strategy import Strategy
from outsort.model import Model
from outsort.model_file import load
from outsort.numeric import Floats
from outsort.prediction import Prediction, predictions
from outsort.tables.base import Column, Dialect, ReadOptions, Rows, warn
from outsort.tables.columns import text_columns_of
from outsort.tables.formats import FORMATS
from outsort.tables.not_work import NOT_WORK
from outsort.tables.reading import describe
from outsort.tables.sources import opened
from outsort.tables.workbooks import workbook

#: How often the random draw of a queue's rows drew this text; blank where texts were chosen otherwise.
DRAWN = "drawn"
COLUMNS = (
    "key", "text", "model_label", "probability", "model_line", "reason", "because",
    "label", "service_line", "reviewer", "decided_at", "rows", "weight", DRAWN,
)  # fmt: skip
#: Those that a person fills in.
_ASKED = ("label", "service_line", "reviewer", "decided_at")
_WIDTHS = (20, 70, 12, 11, 24, 24, 44, 11, 28, 14, 14, 7, 10, 7)


@dataclass(frozen=True)
class Candidates:
    """Distinct texts of a table that the model was not trained on.

    Attributes:
        texts: n texts.
        n_rows: int64 (n,), number of rows with each text.
        weights: float64 (n,), total weight of those rows; without a column, each counts 1.
        n_seen: texts skipped because the model was trained on them.
        reading: what was read, in a line.
    """

    texts: list[str]
    n_rows: NDArray[np.int64]
    weights: Floats
    n_seen: int
    reading: str = ""


@dataclass(frozen=True)
class Review:
    """What was put into a queue.

    Attributes:
        n_chosen: texts in the queue.
        n_texts: distinct texts it was chosen from.
        n_seen: texts skipped because the model was trained on them.
        n_too_long: texts skipped because a workbook cell cannot hold them.
        reading: what was read, in a line.
    """

    n_chosen: int
    n_texts: int
    n_seen: int
    n_too_long: int
    reading: str = ""


def review(
    scored: Path,
    output: Path,
    n: int = 200,
    model: Model | None = None,
    *,
    strategy: Strategy = Strategy.MIXED,
    text_columns: Sequence[str] = (),
    weight_column: str | None = None,
    options: ReadOptions | None = None,
    safe_for_excel: bool = False,
    seed: int = 0,
    force: bool = False,
) -> Review:
    """Choose the texts whose labels would teach a model most, and write them for a person to label.

    Args:
        scored: a table of texts.
        output: the queue to write, a workbook or a CSV file.
        n: number of texts to choose.
        model: the model that is to learn; the default model when None.
        strategy: how to choose.
        text_columns: the text columns, see `scoring.files.Options`; found by headings and cells when empty.
        weight_column: column to weight rows by.
        options: how to read the table, `ReadOptions()` when None.
        safe_for_excel: put an apostrophe before cells of CSV that spreadsheets take for formulas; `merge`
            knows the texts all the same.
        seed: random seed.
        force: overwrite the queue if it exists.

    Raises:
        DataError: the table cannot be read or lacks a column; a weight is not a number of 0 or above.
        OutputError: the queue ends neither in .xlsx nor in .csv, or cannot be written.
    """
    check_queue(output, force=force)
    model = model or load()
    progress.tell("reading texts")
    candidates = read_candidates(scored, model, text_columns=text_columns, weight_column=weight_column, options=options)
    weights = None if weight_column is None else candidates.weights
    progress.tell("choosing texts")
    if strategy is Strategy.RANDOM:
        chosen, drawn = draw(candidates.n_rows, n, seed)
    else:
        chosen, drawn = choose(model, candidates.texts, n, strategy, weights=weights, seed=seed), None
    n_too_long = write_queue(output, model, candidates, chosen, drawn, safe_for_excel=safe_for_excel, force=force)
    return Review(len(chosen) - n_too_long, len(candidates.texts), candidates.n_seen, n_too_long, candidates.reading)


def read_candidates(
    path: Path,
    model: Model,
    *,
    text_columns: Sequence[str] = (),
    weight_column: str | None = None,
    options: ReadOptions | None = None,
) -> Candidates:
    """Read the texts of a table that can be reviewed.

    Args:
        path: the table.
        model: the model; texts it was trained on are skipped.
        text_columns: the text columns, see `scoring.files.Options`; found by headings and cells when empty.
        weight_column: column to weight rows by.
        options: how to read the table, `ReadOptions()` when None.

    Raises:
        DataError: the table cannot be read or lacks a column; a weight is not a number of 0 or above.
    """
    found: dict[str, int] = {}
    texts: list[str] = []
    entries, rows, cells = [], [], []
    n_rows = 0
    options = replace(options or ReadOptions(), text_columns=text_columns)
    with opened(str(path), options) as table:
        columns = table.reader.columns
        if weight_column is not None and columns.count(weight_column) != 1:
            has = ", ".join(map(repr, columns))
            raise DataError(f"{path}: no column {weight_column!r}; it has {has}.{did_you_mean(weight_column, columns)}")
        places, batches = text_columns_of(str(path), table.reader, text_columns)
        for batch in batches:
            of_batch = _plain(batch.texts(places.parts))
            n_rows += len(batch)
            weighed = of_batch
            if weight_column:
                weighed = _plain(batch.texts([[Column(weight_column, columns.index(weight_column))]]))
            no_work = {place for place, why in batch.faults.items() if why.startswith(NOT_WORK)}
            for place, (number, raw, cell) in enumerate(zip(batch.numbers, of_batch, weighed, strict=True)):
                text = "" if place in no_work else raw or ""
                # Nothing can be learnt from a text without a word.
                if text_module.words(text):
                    entries.append(found.setdefault(same_text(text), len(texts)))
                    if entries[-1] == len(texts):
                        texts.append(text)
                    if weight_column:
                        rows.append(number)
                        cells.append(cell or "")
        location, encoding, notes = table.reader.location, table.reader.encoding, table.notes
    reading = describe(str(path), location, columns, places, options, n_rows=n_rows, encoding=encoding, notes=notes)
    warn(reading)
    weights = parse_weights(str(path), weight_column, rows, cells) if weight_column else None
    fresh = np.flatnonzero(~np.isin(hashes_of(texts), model.seen))
    return Candidates(
        [texts[i] for i in fresh.tolist()],
        np.bincount(entries, minlength=len(texts))[fresh],
        np.bincount(entries, weights, minlength=len(texts)).astype(np.float64)[fresh],
        len(texts) - len(fresh),
        reading,
    )


def draw(n_rows: NDArray[np.int64], n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Draw n rows of a table at random, without replacement.

    Args:
        n_rows: int64 (n_texts,), the number of rows with each text.
        n: how many rows to draw; all are if there are no more.
        seed: random seed.

    Returns:
        intp (n_drawn_texts,), the texts drawn, in random order; and int64 (n_drawn_texts,), how often each was.
    """
    ends = np.cumsum(n_rows)
    total = int(ends[-1]) if len(ends) else 0
    rows = np.random.default_rng(seed).choice(total, min(n, total), replace=False)
    texts, first, drawn = np.unique(np.searchsorted(ends, rows, side="right"), return_index=True, return_counts=True)
    order = np.argsort(first)
    return texts[order], drawn[order]


def _plain(column: Any) -> Sequence[str | None]:  # noqa: ANN401 - strings, `Utf8Column` or an Arrow array
    result: Sequence[str | None] = column.to_pylist() if hasattr(column, "to_pylist") else column
    return result


def check_queue(path: Path, *, force: bool) -> bool:
    """Return whether a queue is to be a workbook, and check that it can be written.

    Raises:
        OutputError: the name ends neither in .xlsx nor in .csv, or the file cannot be written.
    """
    style = path.suffix.lower()
    if style not in (".xlsx", ".csv"):
        raise OutputError(f"{path}: a queue is a workbook or a CSV file. Name one that ends in .xlsx or .csv.")
    check_output(path, force=force)
    return style == ".xlsx"


def _shown(text: str) -> str:
    """Return a text in a form that every program keeps; it has the same key."""
    return for_workbook(text.replace("\r\n", "\n").replace("\r", "\n"))


def write_queue(
    path: Path,
    model: Model,
    candidates: Candidates,
    chosen: NDArray[np.intp],
    drawn: NDArray[np.int64] | None = None,
    *,
    safe_for_excel: bool = False,
    force: bool,
) -> int:
    """Write the chosen texts for a person to label; return how many were too long for a workbook.

    `drawn` is int64 (n_chosen,), how often each was drawn at random; None if they were chosen otherwise.

    Raises:
        OutputError: see `check_queue`.
    """
    is_workbook = check_queue(path, force=force)
    shown = [_shown(candidates.texts[i]) for i in chosen.tolist()]
    fits = [k for k, text in enumerate(shown) if not is_workbook or workbook.length(text) <= workbook.MAX_CELL]
    answers = progress.each("row of the queue", predictions([shown[k] for k in fits], model), len(fits))
    times = [""] * len(fits) if drawn is None else drawn[fits].tolist()
    rows = [
        [*_row(p, int(candidates.n_rows[i]), float(candidates.weights[i])), n]
        for i, p, n in zip(chosen[fits].tolist(), answers, times, strict=True)
    ]
    with written_whole(path, force=force) as file:
        if is_workbook:
            _write_workbook(file, model, rows)
        else:
            # With the mark Excel takes it for UTF-8.
            dialect = Dialect(newline="\r\n", encoding="utf-8-sig", safe_for_excel=safe_for_excel)
            writer = FORMATS["csv"].open_writer(file, COLUMNS, {}, dialect)
            writer.write(Rows(COLUMNS, rows, range(2, len(rows) + 2), {}), {})
            writer.close()
    return len(chosen) - len(fits)


def _row(p: Prediction, n_rows: int, weight: float) -> list[Any]:
    because = "; ".join(f"{term} {value:+.2f}" for term, value in (*p.terms_for, *p.terms_against))
    return [
        key_of(p.text), p.text, p.label, round(p.probability, 3), p.service_line or "", p.reason, because,
        "", "", "", "", n_rows, weight,
    ]  # fmt: skip


def _write_workbook(file: IO[bytes], model: Model, rows: Sequence[Sequence[Any]]) -> None:
    queue = workbook.Workbook(file)
    wrapped = queue.book.add_format({"text_wrap": True, "valign": "top"})
    ask = queue.book.add_format({"bg_color": "#FFF7D6", "valign": "top", "border": 1, "border_color": "#D9C66B"})
    quiet = queue.book.add_format({"font_color": "#777777", "valign": "top"})
    formats = [ask if name in _ASKED else quiet if name == "key" else wrapped for name in COLUMNS]
    sheet = queue.add_sheet("review", COLUMNS, _WIDTHS, n_frozen=2)
    for row in rows:
        sheet.add_row()
        for place, (cell, cell_format) in enumerate(zip(row, formats, strict=True)):
            sheet.write(place, cell, cell_format)
    labels = queue.add_sheet("labels", ["label"], ())
    for label in model.labels:
        labels.add_row()
        labels.write(0, label)
    sheet.offer(COLUMNS.index("label"), f"='labels'!$A$2:$A${labels.n_rows + 1}")
    if model.has_lines:
        lines = queue.add_sheet("service lines", ["service_line", "label"], ())
        for label, line in sorted(zip(model.line_labels, model.lines, strict=True)):
            lines.add_row()
            lines.write(0, line)
            lines.write(1, label)
        sheet.offer(COLUMNS.index("service_line"), f"='service lines'!$A$2:$A${lines.n_rows + 1}")
    sheet.add_filters()
    queue.close()
