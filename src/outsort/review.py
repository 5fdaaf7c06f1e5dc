"""What a person should look at next: texts of which a label teaches most, as a workbook or CSV file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from outsort import text as text_module
from outsort.dataset import hashes_of, key_of, parse_weights, same_text
from outsort.errors import DataError, OutputError
from outsort.files import check_output, for_workbook, written_whole
from outsort.kernel import Kernel
from outsort.model import LABELS, NEITHER, label_proba, odds_to_proba
from outsort.prediction import predictions
from outsort.scoring import Options, opened, text_columns, texts_of_batch
from outsort.tables import EXCEL_CELL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import scipy.sparse
    from numpy.typing import NDArray

    from outsort.model import Floats, Model
    from outsort.prediction import Prediction

#: The ways to choose: see `choose`.
WAYS = ("mixed", "uncertain", "weight", "novel", "random")
#: Texts among which a choice is made, at most: of more, the foremost or, where there is no order, a sample.
MAX_POOL = 20_000
#: Two texts whose tf-idf vectors have a greater cosine are near each other: one of them is enough.
NEAR = 0.8
#: Texts that the rarest terms of a model stand in.
FEWEST = 2
#: The variance of an answer to a text that the model was trained on, about; and the least that one to
#: another text is taken to have, for a model may be sure and wrong.
LEARNT_VARIANCE, LEAST_VARIANCE = 0.05, 0.02
#: Terms that come together, a word with its pieces and pairs, and are learnt together. Of 1, 4, 16 and 64 the
#: last two taught most (benchmarks/review.py).
TOGETHER = 16

COLUMNS = (
    "key", "text", "model_label", "probability", "model_line", "reason", "because",
    "label", "service_line", "reviewer", "decided_at", "rows", "weight",
)  # fmt: skip
_WIDTHS = (20, 70, 12, 11, 24, 24, 44, 11, 28, 14, 14, 7, 10)


@dataclass(frozen=True)
class Candidates:
    """Different texts of a table that the model was not trained on.

    Attributes:
        texts: n texts.
        n_rows: int64 (n,), rows of the table that hold each.
        weights: float64 (n,), their weights added up; 1 a row where no column says.
        n_seen: texts left out because the model was trained on them.
    """

    texts: list[str]
    n_rows: NDArray[np.int64]
    weights: Floats
    n_seen: int


def read_candidates(
    path: Path, model: Model, *, options: Options | None = None, weight_column: str | None = None
) -> Candidates:
    """Read the texts of a table that may be reviewed.

    Args:
        path: the table.
        model: the model; what it was trained on is left out.
        options: how to read the table, `Options()` when None.
        weight_column: the column of weights.

    Raises:
        DataError: the table cannot be read or lacks a column; a weight is no number of 0 or above.
    """
    options = options or Options()
    found: dict[str, int] = {}
    texts: list[str] = []
    entries, rows, cells = [], [], []
    number = 1
    with opened(str(path), options) as table:
        columns = table.reader.columns
        names = text_columns(str(path), columns, options.text_columns)
        if weight_column is not None and columns.count(weight_column) != 1:
            raise DataError(f"{path}: no column {weight_column!r}; it has {', '.join(map(repr, columns))}.")
        for batch in table.reader:
            of_batch, _ = texts_of_batch(batch, columns, names)
            weighed, _ = texts_of_batch(batch, columns, [weight_column]) if weight_column else (of_batch, {})
            for raw, cell in zip(_plain(of_batch), _plain(weighed), strict=True):
                number += 1
                text = raw or ""
                # Of a text without a word nothing can be learnt.
                if text_module.words(text):
                    entries.append(found.setdefault(same_text(text), len(texts)))
                    if entries[-1] == len(texts):
                        texts.append(text)
                    if weight_column:
                        rows.append(number)
                        cells.append(cell or "")
    weights = parse_weights(str(path), weight_column, rows, cells) if weight_column else None
    fresh = np.flatnonzero(~np.isin(hashes_of(texts), model.seen))
    return Candidates(
        [texts[i] for i in fresh.tolist()],
        np.bincount(entries, minlength=len(texts))[fresh],
        np.bincount(entries, weights, minlength=len(texts)).astype(np.float64)[fresh],
        len(texts) - len(fresh),
    )


def _plain(column: Any) -> Sequence[str | None]:  # noqa: ANN401 - strings, `Texts` or an Arrow array
    result: Sequence[str | None] = column.to_pylist() if hasattr(column, "to_pylist") else column
    return result


def choose(
    model: Model,
    texts: Sequence[str],
    n: int,
    by: str = "mixed",
    *,
    weights: Floats | None = None,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Choose texts of which a label teaches most; no two are near each other.

    `uncertain` takes those whose two likeliest labels are closest; `weight` those of greatest weight times
    uncertainty; `novel` those with most words the model does not know; `random` any. `mixed` takes those
    whose words stand in many uncertain texts and in few that the model was trained on: see `_most_telling`.

    Args:
        model: the model that is to learn.
        texts: n_texts different texts.
        n: how many to choose; fewer are returned where there are not enough.
        by: how: mixed, uncertain, weight, novel or random.
        weights: float64 (n_texts,), what each counts with `weight` and `mixed`; all alike when None.
        seed: of whatever is drawn.

    Returns:
        intp (n,), places in `texts`, in the order of choice.

    Raises:
        ValueError: there is no such way to choose.
        DataError: no text holds a letter or digit.
    """
    if by not in WAYS:
        raise ValueError(f"by is {by!r}: choose one of {', '.join(WAYS)}")
    if not texts:
        return np.empty(0, np.intp)
    rng = np.random.default_rng(seed)
    answers = Kernel(model).answer(texts)
    proba = label_proba(answers.log_odds, answers.neither)
    ranked = np.sort(proba, axis=1)
    doubt = 1 - (ranked[:, -1] - ranked[:, -2])
    worth = np.ones(len(texts)) if weights is None else weights
    priority = {
        "uncertain": doubt,
        "weight": doubt * worth,
        "novel": 1 - answers.n_known / np.maximum(answers.n_words, 1),
    }.get(by)
    if priority is None:
        pool = rng.permutation(len(texts))[:MAX_POOL]
    else:
        # Ties in any order but that of the file.
        pool = np.lexsort((rng.random(len(texts)), -priority))[:MAX_POOL]
    vectors, n_learnt = _vectors(model, [texts[i] for i in pool.tolist()])
    if by != "mixed":
        return pool[_apart(vectors, n)]
    variance = odds_to_proba(answers.log_odds).prod(axis=1) * (1 - proba[:, LABELS.index(NEITHER)])
    return pool[_most_telling(vectors, n_learnt, variance[pool], worth[pool], n)]


def _vectors(model: Model, texts: Sequence[str]) -> tuple[scipy.sparse.csr_matrix, Floats]:
    """Return texts as the model would see them if it knew all their terms.

    Returns:
        Tf-idf vectors, float32 (n_texts, n_terms) over the texts' own terms; and float64 (n_terms,), about
        how many texts with each term the model was trained on, which its idf tells.
    """
    from sklearn.preprocessing import normalize

    from outsort.training import count_terms

    terms, counts = count_terms(texts)
    ids = np.array([model.vocabulary.get(term, -1) for term in terms])
    known = ids >= 0
    is_piece = np.array([text_module.is_piece(term) for term in terms])
    # Pieces have an idf of their own scale. The rarest of either kind stand in FEWEST texts, or one more.
    of_pieces = np.array([text_module.is_piece(term) for term in model.terms])
    rarest_piece, rarest_word = (model.idf[kind].max(initial=1.0) for kind in (of_pieces, ~of_pieces))
    rarest = np.where(is_piece, rarest_piece, rarest_word)
    idf = np.where(known, model.idf[ids], rarest)
    n_learnt = np.where(known, (1 + FEWEST) * np.exp((rarest - idf) * rarest_word / rarest) - 1, 0)
    return normalize(counts.multiply(idf).tocsr().astype(np.float32)), n_learnt


def _apart(vectors: scipy.sparse.csr_matrix, n: int) -> list[int]:
    """Take texts in order, but for those near one that is taken."""
    chosen: list[int] = []
    is_near = np.zeros(vectors.shape[0], np.bool_)
    for i in range(vectors.shape[0]):
        if len(chosen) == n:
            break
        if not is_near[i]:
            chosen.append(i)
            is_near |= _similarity(vectors, i) > NEAR
    return chosen


def _most_telling(
    vectors: scipy.sparse.csr_matrix, n_learnt: Floats, variance: Floats, worth: Floats, n: int
) -> list[int]:
    """Choose texts so that the answers to all become as certain as they can.

    A logistic regression is as unsure of a term's weight as it has little Fisher information on it:
    the penalty's, and of each labelled text the variance of its answer times the square of its feature. The
    variance of an answer is, to first order, the sum of its terms' squares over their information
    (transductive experimental design, Yu, Bi and Tresp, 2006; with the information of a logistic
    regression, Zhang and Oles, 2000). Chosen is, one after the other, the text whose label takes most
    from the sum over all texts. Terms count as independent of each other, but that a text tells of each
    of them what it tells of the `TOGETHER` that come with it.

    Args:
        vectors: tf-idf vectors, (n_texts, n_terms), of which no row is empty.
        n_learnt: float64 (n_terms,), texts with each term that the model was trained on.
        variance: float64 (n_texts,), p (1 - p) of each answer.
        worth: float64 (n_texts,), what each answer counts.
        n: how many texts to choose, none near another.
    """
    from outsort.training import Settings

    squares = vectors.multiply(vectors).tocsr().astype(np.float64)
    terms, rows = squares.indices, np.repeat(np.arange(len(variance)), np.diff(squares.indptr))
    n_here = np.bincount(terms, minlength=squares.shape[1])
    mean_square = np.bincount(terms, squares.data, squares.shape[1]) / np.maximum(n_here, 1)
    information = 1 / Settings.C + LEARNT_VARIANCE * mean_square * n_learnt
    at_stake = np.bincount(terms, squares.data * (variance * worth)[rows], squares.shape[1])
    brought = TOGETHER * squares.data * np.maximum(variance, LEAST_VARIANCE)[rows]
    open_ = np.ones(len(variance), np.bool_)
    chosen: list[int] = []
    while len(chosen) < n and open_.any():
        there = information[terms]
        gain = np.bincount(rows, at_stake[terms] * brought / (there * (there + brought)), len(variance))
        i = int(np.where(open_, gain, -1).argmax())
        chosen.append(i)
        open_ &= _similarity(vectors, i) <= NEAR
        open_[i] = False
        own = slice(squares.indptr[i], squares.indptr[i + 1])
        information[terms[own]] += brought[own]
    return chosen


def _similarity(vectors: scipy.sparse.csr_matrix, i: int) -> Floats:
    """Return the cosines of all texts with text `i`."""
    cosines: Floats = (vectors @ vectors[i].toarray().ravel()).astype(np.float64)
    return cosines


def check_queue(path: Path, *, force: bool) -> bool:
    """Tell whether a queue is to be a workbook; see that it can be written.

    Raises:
        OutputError: the name ends neither in .xlsx nor in .csv, or the file cannot be written.
    """
    style = path.suffix.lower()
    if style not in (".xlsx", ".csv"):
        raise OutputError(
            f"{path}: a queue is a workbook or a CSV file. Name one that ends in .xlsx or .csv."
        )
    check_output(path, force=force)
    return style == ".xlsx"


def _shown(text: str) -> str:
    """Return a text as any program shows and keeps it; its key is that of the text."""
    return for_workbook(text.replace("\r\n", "\n").replace("\r", "\n"))


def write_queue(
    path: Path, model: Model, candidates: Candidates, chosen: NDArray[np.intp], *, force: bool
) -> int:
    """Write the chosen texts for a person to label; return how many were too long for a workbook.

    Raises:
        OutputError: see `check_queue`.
    """
    is_workbook = check_queue(path, force=force)
    shown = [_shown(candidates.texts[i]) for i in chosen.tolist()]
    fits = [k for k, text in enumerate(shown) if not is_workbook or len(text) <= EXCEL_CELL]
    told = predictions([shown[k] for k in fits], model)
    rows = [
        _row(p, int(candidates.n_rows[i]), float(candidates.weights[i]))
        for i, p in zip(chosen[fits].tolist(), told, strict=True)
    ]
    with written_whole(path, force=force) as file:
        if is_workbook:
            _write_workbook(file, model, rows)
        else:
            out = io.StringIO(newline="")
            csv.writer(out).writerows([COLUMNS, *rows])
            # With the mark Excel takes it for UTF-8.
            file.write(out.getvalue().encode("utf-8-sig"))
    return len(chosen) - len(fits)


def _row(p: Prediction, n_rows: int, weight: float) -> list[Any]:
    said = "; ".join(f"{term} {value:+.2f}" for term, value in (*p.terms_for, *p.terms_against))
    return [
        key_of(p.text), p.text, p.label, round(p.probability, 3), p.service_line or "", p.reason, said,
        "", "", "", "", n_rows, weight,
    ]  # fmt: skip


def _write_workbook(file: IO[bytes], model: Model, rows: Sequence[Sequence[Any]]) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(
        file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet("review")
    header = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    ask = book.add_format({"bg_color": "#FFF7D6", "valign": "top", "border": 1, "border_color": "#D9C66B"})
    quiet = book.add_format({"font_color": "#777777", "valign": "top"})
    for j, (name, width) in enumerate(zip(COLUMNS, _WIDTHS, strict=True)):
        sheet.set_column(j, j, width)
        sheet.write_string(0, j, name, header)
    open_cells = {COLUMNS.index(name) for name in ("label", "service_line", "reviewer", "decided_at")}
    for i, row in enumerate(rows, 1):
        for j, cell in enumerate(row):
            style = ask if j in open_cells else quiet if j == 0 else wrapped
            if isinstance(cell, str):
                sheet.write_string(i, j, cell, style) if cell else sheet.write_blank(i, j, None, style)
            else:
                sheet.write_number(i, j, cell, style)
    last = max(1, len(rows))
    place = COLUMNS.index("label")
    sheet.data_validation(1, place, last, place, {"validate": "list", "source": list(LABELS)})
    if model.has_lines:
        lines = book.add_worksheet("service lines")
        ordered = sorted(zip(model.line_labels, model.lines, strict=True))
        lines.write_row(0, 0, ["service_line", "label"], header)
        for i, (label, line) in enumerate(ordered, 1):
            lines.write_row(i, 0, [line, label])
        source = f"='service lines'!$A$2:$A${len(ordered) + 1}"
        place = COLUMNS.index("service_line")
        sheet.data_validation(1, place, last, place, {"validate": "list", "source": source})
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
    book.close()
