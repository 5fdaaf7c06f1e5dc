"""Queues of texts for a person to label: a workbook or a CSV file, its columns in the order of use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outsort.data.identity import key_of
from outsort.errors import OutputError
from outsort.explanation import Explanation, explain_read
from outsort.files import check_output, for_workbook, written_whole
from outsort.improving.review_sheet import write_workbook
from outsort.model import Model
from outsort.numeric import Floats
from outsort.prediction import Prediction, predictions, strongest_terms
from outsort.tables.base import Dialect, Rows
from outsort.tables.formats import FORMATS
from outsort.tables.workbooks import workbook

#: How often the random draw of a queue's rows drew this text; blank where texts were chosen otherwise.
DRAWN = "drawn"
COLUMNS = (
    "text", "label", "service_line", "model_label", "probability", "model_line", "because", "reason",
    "rows", "weight", DRAWN, "reviewer", "decided_at", "key",
)  # fmt: skip
#: Labels whose reasons are given, the likeliest, and the words for each.
_N_LABELS, _N_WORDS = 3, 3


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


def write_queue(
    path: Path,
    model: Model,
    candidates: Candidates,
    chosen: NDArray[np.intp],
    drawn: NDArray[np.int64] | None = None,
    *,
    safe_for_excel: bool = False,
    force: bool,
) -> list[int]:
    """Write the chosen texts for a person to label; return the places of those too long for a workbook.

    Args:
        path: the queue.
        model: what it says of each text is written beside it.
        candidates: the texts.
        chosen: intp (n_chosen,), which of them to write.
        drawn: int64 (n_chosen,), how often each was drawn at random; None if they were chosen otherwise.
        safe_for_excel: put an apostrophe before cells of CSV that spreadsheets take for formulas.
        force: overwrite the file if it exists.

    Raises:
        OutputError: see `check_queue`.
    """
    is_workbook = check_queue(path, force=force)
    shown = [_shown(candidates.texts[i]) for i in chosen.tolist()]
    fits = [not is_workbook or workbook.length(text) <= workbook.MAX_CELL for text in shown]
    kept = np.flatnonzero(fits)
    answers = predictions([shown[k] for k in kept.tolist()], model)
    times = [""] * len(kept) if drawn is None else drawn[kept].tolist()
    rows = [
        _row(model, p, int(candidates.n_rows[i]), float(candidates.weights[i]), n)
        for i, p, n in zip(chosen[kept].tolist(), answers, times, strict=True)
    ]
    with written_whole(path, force=force) as file:
        if is_workbook:
            write_workbook(file, model, COLUMNS, rows)
        else:
            # With the mark Excel takes it for UTF-8.
            dialect = Dialect(newline="\r\n", encoding="utf-8-sig", safe_for_excel=safe_for_excel)
            writer = FORMATS["csv"].open_writer(file, COLUMNS, {}, dialect)
            writer.write(Rows(COLUMNS, rows, range(2, len(rows) + 2), {}), {})
            writer.close()
    return np.flatnonzero(~np.array(fits, np.bool_)).tolist()


def _shown(text: str) -> str:
    """Return a text in a form that every program keeps; it has the same key."""
    return for_workbook(text.replace("\r\n", "\n").replace("\r", "\n"))


def _row(model: Model, p: Prediction, n_rows: int, weight: float, drawn: int | str) -> list[Any]:
    return [
        p.text, "", "", p.label, round(p.probability, 3), p.service_line or "", because(model, p), p.reason,
        n_rows, weight, drawn, "", "", key_of(p.text),
    ]  # fmt: skip


def because(model: Model, p: Prediction) -> str:
    """Return the words of a text that speak most for each of its likeliest labels: "BPO: logo · KPO: strategy".

    Words of grammar, numbers and what counts little are left out.
    """
    likeliest = sorted(p.probabilities, key=lambda label: -p.probabilities[label])[:_N_LABELS]
    reading = model.read(p.text)
    scores = model.label_scores(reading)
    parts = {label: _telling(explain_read(model, p.text, reading, scores, label)) for label in likeliest}
    return " · ".join(f"{label}: {', '.join(words)}" for label, words in parts.items() if words)


def _telling(explanation: Explanation) -> Sequence[str]:
    """Return the words that speak most for the label of an explanation."""
    terms, _ = strongest_terms(explanation, n_terms=len(explanation.text))
    # A word that is in a pair already adds nothing.
    told: list[str] = []
    for term, _ in terms:
        if not any(set(term.split()) & set(other.split()) for other in told):
            told.append(term)
    return told[:_N_WORDS]
