"""Labelled descriptions: read from a table, and checked before anything is learnt from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outsort.data.identity import as_text, same_text
from outsort.data.problems import listed, shortened
from outsort.data.table import read_table
from outsort.errors import DataError
from outsort.labels import ANSWERS, LABELS, UNCLEAR
from outsort.tables.columns import find_column

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """Labelled texts that passed the checks.

    Attributes:
        frame: the table they came from, row by row the same as `texts`.
        texts: n_rows strings, none of them blank.
        labels: n_rows of BPO, KPO, NEITHER (or UNCLEAR, where it was allowed).
        lines: n_rows names of service lines, or None when the data has no such column.
        n_repeats: duplicate rows dropped: same text, label and line as an earlier row.
        source: the name of the data in messages.
        encoding: the encoding of the file it came from; utf-8 for a frame.
    """

    frame: pd.DataFrame
    texts: list[str]
    labels: list[str]
    lines: list[str] | None
    n_repeats: int
    source: str
    encoding: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the texts, labels and lines in order: the same data, however it was stored."""
        digest = hashlib.sha256()
        for row in zip(self.texts, self.labels, self.lines or self.labels, strict=True):
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
    for_training: bool = True,
) -> Dataset:
    """Read labelled descriptions and check them.

    Args:
        data: a table in any format that `outsort score` reads, or a frame, with one description per row.
        text_column: name of the text column; None to detect it by its usual names.
        label_column: likewise for the labels.
        line_column: likewise for the service lines, which are optional.
        for_training: drop duplicate rows, and refuse what nothing can be learnt from: UNCLEAR, one text
            or service line under two labels, fewer than two rows of BPO or KPO. Pass False to measure
            with such rows.

    Raises:
        DataError: the data cannot be read, lack a column, or hold rows that must be fixed first.
    """
    table = read_table(data)
    frame = table.frame
    text_name = find_column(*table.columns, "text", text_column)
    label_name = find_column(*table.columns, "label", label_column)
    line_name = find_column(*table.columns, "line", line_column, optional=True)
    texts = [as_text(cell) for cell in frame[text_name]]
    labels = [as_text(cell).strip().upper() for cell in frame[label_name]]
    lines = None if line_name is None else [as_text(c).strip() for c in frame[line_name]]
    rows = list(frame.index)

    problems = list(_row_problems(rows, texts, labels, lines, for_training=for_training))
    keep = list(range(len(texts)))
    if for_training:
        problems += _conflicts("text", rows, [same_text(text) for text in texts], labels)
        problems += [] if lines is None else _conflicts("service line", rows, lines, labels)
        firsts: dict[tuple[str, str, str], int] = {}
        for i in keep:
            firsts.setdefault((same_text(texts[i]), labels[i], lines[i] if lines else ""), i)
        keep = list(firsts.values())
    if problems:
        raise DataError(listed(table.source, problems))
    dataset = Dataset(
        frame=frame.iloc[keep],
        texts=[texts[i] for i in keep],
        labels=[labels[i] for i in keep],
        lines=None if lines is None else [lines[i] for i in keep],
        n_repeats=len(texts) - len(keep),
        source=table.source,
        encoding=table.encoding,
    )
    if for_training:
        _check_classes(dataset)
    return dataset


def _row_problems(
    rows: Sequence[object],
    texts: Sequence[str],
    labels: Sequence[str],
    lines: Sequence[str] | None,
    *,
    for_training: bool,
) -> Iterable[str]:
    known = LABELS if for_training else (*LABELS, UNCLEAR)
    for row, text, label, line in zip(rows, texts, labels, lines or labels, strict=True):
        if not text.strip():
            yield f"row {row}: the text is empty"
        if label not in known:
            yield f"row {row}: label {label!r} is not one of {', '.join(LABELS)}"
        if not line and label:
            yield f"row {row}: the service line is empty"


def _conflicts(what: str, rows: Sequence[object], keys: Sequence[str], labels: Sequence[str]) -> Iterable[str]:
    """Yield a problem for each row whose key had another label in an earlier row."""
    firsts: dict[str, tuple[object, str]] = {}
    for row, key, label in zip(rows, keys, labels, strict=True):
        first_row, first_label = firsts.setdefault(key, (row, label))
        if label != first_label:
            yield (f"row {row}: {what} {shortened(key)!r} has label {label!r}, but {first_label!r} in row {first_row}")


def _check_classes(dataset: Dataset) -> None:
    for label in ANSWERS:
        count = dataset.labels.count(label)
        if count < 2:
            raise DataError(
                f"{dataset.source}: {count or 'no'} row{'s' * (count != 1)} labelled {label}. "
                f"Training needs at least 2 rows of {' and of '.join(ANSWERS)}."
            )
