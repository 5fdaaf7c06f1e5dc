"""Labelled descriptions: read from a table, and checked before anything is learnt from them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from outsort.data.identity import as_text, same_text
from outsort.data.label_map import LabelMap, meanings_of, proposal, translated
from outsort.data.marks import Marks, read_marks
from outsort.data.problems import listed, shortened
from outsort.data.table import read_table
from outsort.errors import DataError, did_you_mean
from outsort.labels import UNCLEAR, find_out_of_scope, spellings
from outsort.tables.base import ReadOptions, warn
from outsort.tables.columns import answers_in, find_column

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """Labelled texts that passed the checks.

    Attributes:
        frame: the table they came from, row by row the same as `texts`.
        texts: n_rows strings, none of them blank.
        labels: n_rows labels (or UNCLEAR, where it was allowed), each spelled in one way.
        lines: n_rows names of service lines, or None when the data has no such column.
        n_repeats: duplicate rows dropped: same text, label and line as an earlier row.
        source: the name of the data in messages.
        encoding: the encoding of the file it came from; utf-8 for rows from memory.
        out_of_scope: the label for what is out of scope; "" if there is none.
        merged: labels as written that stand for another, by their spelling or by the label map, with that one.
        marks: the marked clauses of texts, by the texts' keys.
        unclear: texts labelled UNCLEAR, which say too little for any label; of data for training only.
        reading: what was read of the file, in a line.
    """

    frame: pd.DataFrame
    texts: list[str]
    labels: list[str]
    lines: list[str] | None
    n_repeats: int
    source: str
    encoding: str = "utf-8"
    out_of_scope: str = ""
    merged: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Marks] = field(default_factory=dict)
    unclear: Sequence[str] = ()
    reading: str = ""

    @property
    def is_labelled(self) -> bool:
        """Whether any row has a label."""
        return any(self.labels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the texts, labels and lines in order: the same data, however it was stored."""
        digest = hashlib.sha256()
        rows = zip(self.texts, self.labels, self.lines or self.labels, strict=True)
        for row in chain(rows, ((text, UNCLEAR) for text in self.unclear)):
            # Lengths go in too, so that no two different rows run together into the same bytes.
            for cell in row:
                raw = cell.encode("utf-8", "surrogatepass")
                digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()


def read(
    data: Path | str | pd.DataFrame,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    label_map: LabelMap = None,
    out_of_scope: str | None = None,
    clauses: Path | str | None = None,
    known_labels: Sequence[str] | None = None,
    for_training: bool = True,
    needs_labels: bool = True,
    reading: ReadOptions | None = None,
) -> Dataset:
    """Read labelled descriptions and check them.

    Args:
        data: a table in any format that `outsort score` reads, or a frame, with one description per row.
        text_column: the text column: its name, its number from 1 or its letter, `a|b` for b where a is blank; None
            to find it by headings and cells.
        label_column: name of the column of labels; None to detect it by its usual names.
        line_column: likewise for the service lines, which are optional.
        label_map: what the labels in the data mean, see `LabelMap`.
        out_of_scope: the label for what is out of scope; None to find it by its usual names, such as
            NEITHER; "" for no such label.
        clauses: a table of marked clauses, see `read_marks`; None for none.
        known_labels: the labels of a model, which all labels must be among.
        for_training: drop duplicate rows, set rows labelled UNCLEAR apart, and refuse what nothing can be learnt
            from: one text or service line under two labels, fewer than two labels, or fewer than two rows of
            one. Pass False to measure with such rows.
        needs_labels: pass False to read a table without labels as it is, or one that `score` wrote and whose column
            of labels is not named; its rows have the label "".
        reading: how to read a file, `ReadOptions()` when None.

    Raises:
        DataError: the data cannot be read, lack a column, or hold rows that must be fixed first.
    """
    reading = replace(reading or ReadOptions(), text_columns=(text_column,) if text_column else ())
    table = read_table(data, only_work=True, reading=reading)
    frame = table.frame
    label_name = find_column(*table.columns, "label", label_column, optional=True)
    line_name = find_column(*table.columns, "line", line_column, optional=True)
    # A blank text is to be fixed, not learnt from a title in its place.
    found = table.find_texts(text_column, label_name, line_name, fall_back=False)
    texts = table.texts(found.parts)
    if not needs_labels and label_column is None and (label_name is None or answers_in(table.columns[1])):
        told = table.describe(found, reading)
        warn(told)
        return Dataset(frame, texts, [""] * len(texts), None, 0, table.source, table.encoding, reading=told)
    label_name = find_column(*table.columns, "label", label_column)
    told = table.describe(found, reading, label=label_name, line=line_name)
    warn(told)
    written = [as_text(cell).strip() for cell in frame[label_name]]
    meant = translated(written, meanings_of(label_map))
    spelled = spellings(meant, *([] if known_labels is None else [(*known_labels, UNCLEAR)]))
    labels = [spelled[label] for label in meant]
    lines = None if line_name is None else [as_text(c).strip() for c in frame[line_name]]
    dataset = from_rows(
        frame,
        texts,
        labels,
        lines,
        source=table.source,
        out_of_scope=out_of_scope,
        known_labels=known_labels,
        for_training=for_training,
    )
    return replace(
        dataset,
        encoding=table.encoding,
        merged={own: label for own, label in zip(written, labels, strict=True) if own != label},
        marks=read_marks(clauses, texts) if clauses else {},
        reading=told,
    )


def from_rows(
    frame: pd.DataFrame,
    texts: Sequence[str],
    labels: Sequence[str],
    lines: Sequence[str] | None,
    *,
    source: str,
    out_of_scope: str | None = None,
    known_labels: Sequence[str] | None = None,
    for_training: bool = True,
) -> Dataset:
    """Check labelled rows, and make a dataset of them.

    Args:
        frame: the n_rows rows; its index names them in messages.
        texts: their texts.
        labels: their labels, each spelled in one way.
        lines: their service lines, or None.
        source: the name of the data in messages.
        out_of_scope: as in `read`, like the others.
        known_labels: likewise.
        for_training: likewise.

    Raises:
        DataError: there are rows that must be fixed first.
    """
    rows = list(frame.index)

    problems = list(_row_problems(rows, texts, labels, lines, known_labels, for_training=for_training))
    keep, unclear = list(range(len(texts))), []
    if for_training:
        problems += _conflicts("text", rows, [same_text(text) for text in texts], labels)
        firsts: dict[tuple[str, str, str], int] = {}
        for i in keep:
            firsts.setdefault((same_text(texts[i]), labels[i], lines[i] if lines else ""), i)
        distinct = list(firsts.values())
        keep = [i for i in distinct if labels[i] != UNCLEAR]
        unclear = [texts[i] for i in distinct if labels[i] == UNCLEAR]
        if lines:
            problems += _conflicts(
                "service line", [rows[i] for i in keep], [lines[i] for i in keep], [labels[i] for i in keep]
            )
    if problems:
        own = [] if known_labels is None else [one for one in labels if one and one not in (*known_labels, UNCLEAR)]
        raise DataError(f"{listed(source, problems)} {proposal(own, known_labels or ())}".rstrip())
    dataset = Dataset(
        frame=frame.iloc[keep],
        texts=[texts[i] for i in keep],
        labels=[labels[i] for i in keep],
        lines=None if lines is None else [lines[i] for i in keep],
        n_repeats=len(texts) - len(keep) - len(unclear),
        source=source,
        out_of_scope=_role([labels[i] for i in keep], out_of_scope, source),
        unclear=unclear,
    )
    if for_training:
        _check_classes(dataset)
    return dataset


def _row_problems(
    rows: Sequence[object],
    texts: Sequence[str],
    labels: Sequence[str],
    lines: Sequence[str] | None,
    known_labels: Sequence[str] | None,
    *,
    for_training: bool,
) -> Iterable[str]:
    for row, text, label, line in zip(rows, texts, labels, lines or labels, strict=True):
        if not text.strip():
            yield f"row {row}: the text is empty"
        if not label:
            yield f"row {row}: the label is empty; write one, or {UNCLEAR} where the text says too little"
        elif known_labels is not None and label not in (*known_labels, UNCLEAR):
            yield f"row {row}: label {label!r} is not one of {', '.join(known_labels)}"
        # A queue leaves the lines blank that a person did not fill in.
        if not line and label not in ("", UNCLEAR) and for_training:
            yield f"row {row}: the service line is empty"


def _role(labels: Sequence[str], wanted: str | None, source: str) -> str:
    """Return the label for what is out of scope, as it is spelled here."""
    if wanted is None:
        return find_out_of_scope(labels)
    found = next((label for label in labels if label.casefold() == wanted.casefold()), "")
    if wanted and not found:
        meant = did_you_mean(wanted, set(labels))
        raise DataError(f"{source}: no row is labelled {wanted!r}, the label for what is out of scope.{meant}")
    return found


def _conflicts(what: str, rows: Sequence[object], keys: Sequence[str], labels: Sequence[str]) -> Iterable[str]:
    """Yield a problem for each row whose key had another label in an earlier row."""
    firsts: dict[str, tuple[object, str]] = {}
    for row, key, label in zip(rows, keys, labels, strict=True):
        first_row, first_label = firsts.setdefault(key, (row, label))
        if label != first_label:
            yield (f"row {row}: {what} {shortened(key)!r} has label {label!r}, but {first_label!r} in row {first_row}")


def _check_classes(dataset: Dataset) -> None:
    counts = Counter(dataset.labels)
    if len(counts) < 2:
        found = f"only the label {next(iter(counts))!r}" if counts else "no labelled row"
        raise DataError(f"{dataset.source}: has {found}. Training needs at least 2 rows of each of 2 labels or more.")
    for label, count in counts.items():
        if count < 2:
            raise DataError(f"{dataset.source}: 1 row labelled {label}. Training needs at least 2 rows of each label.")
