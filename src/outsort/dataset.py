"""Labelled descriptions: read from any CSV, checked before anything is learnt from them."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from outsort.columns import find_column
from outsort.errors import DataError
from outsort.files import decode, delimiter_of, for_workbook, read_bytes
from outsort.model import ANSWERS, LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from outsort.model import Floats

#: The label that only measuring knows: a text that says too little.
UNCLEAR = "UNCLEAR"

_MAX_SHOWN = 10


@dataclass(frozen=True)
class Table:
    """A CSV file as it stands: every cell a string.

    Attributes:
        frame: one row a record; its index is the row's number in a spreadsheet, where the header is
            row 1 and a record with line breaks in a cell is one row.
        source: the name to call it by in messages.
        encoding: the encoding found.
    """

    frame: pd.DataFrame
    source: str
    encoding: str

    @property
    def columns(self) -> tuple[str, list[str]]:
        """Its name and those of its columns."""
        return self.source, [str(column) for column in self.frame.columns]


@dataclass(frozen=True)
class Dataset:
    """Labelled texts that have passed the checks.

    Attributes:
        frame: the table they came from, row by row the same as `texts`.
        texts: n_rows strings, none of them blank.
        labels: n_rows of BPO, KPO, NEITHER (or UNCLEAR, where it was allowed).
        lines: n_rows names of service lines, or None when the data has no such column.
        n_repeats: rows left out because the same text stood before with the same label and line.
        source: the name to call the data by in messages.
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
        data: a CSV file, or a frame with one row a description.
        text_column: name of the column of texts; found by its usual name when None.
        label_column: likewise for the labels.
        line_column: likewise for the service lines; data without such a column are welcome.
        for_training: leave repeated rows out and refuse what nothing can be learnt from: UNCLEAR,
            one text under two labels, one line under two labels, fewer than two rows of BPO or KPO.
            When False, for measuring, such rows stay in.

    Raises:
        DataError: the data cannot be read, lack a column, or hold rows that must be mended first.
    """
    table = Table(data, "the frame", "utf-8") if isinstance(data, pd.DataFrame) else read_table(data)
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
        raise DataError(_listed(table.source, problems))
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


def hashes_of(texts: Iterable[str]) -> NDArray[np.uint32]:
    """Return a hash of each of n texts: uint32 (n,), the same for texts that differ in case or spacing only.

    A model keeps those of its training texts, to tell them from others without holding any. Of a million
    texts that are not among 36,000, about eight look as if they were.
    """
    digests = b"".join(
        hashlib.blake2b(same_text(text).encode("utf-8", "surrogatepass"), digest_size=4).digest()
        for text in texts
    )
    return np.frombuffer(digests, dtype="<u4").astype(np.uint32)


def key_of(text: str) -> str:
    """Return the key of a text in a review: the letter k and BLAKE2b of 64 bits in hexadecimal.

    Texts that differ in case or spacing only have one key, or in signs that a workbook cannot hold: it
    outlives programs that change those.
    Without the letter, some keys would look like numbers, which spreadsheets shorten.

    >>> key_of("Data entry")
    'k2ffc7e5996f99d96'
    """
    return "k" + hashlib.blake2b(same_text(for_workbook(text)).encode(), digest_size=8).hexdigest()


def column_of(dataset: Dataset, column: str) -> list[str]:
    """Return the cells of a column as text, one for each of the dataset's rows.

    Raises:
        DataError: there is no such column.
    """
    columns = [str(c) for c in dataset.frame.columns]
    if columns.count(column) != 1:
        complaint = "two columns" if column in columns else "no column"
        raise DataError(f"{dataset.source}: {complaint} {column!r}; it has {', '.join(map(repr, columns))}.")
    return [as_text(cell).strip() for cell in dataset.frame.iloc[:, columns.index(column)]]


def weights_of(dataset: Dataset, column: str) -> Floats:
    """Return a column of weights, such as spend: float64 (n_rows,), 0 or above, not all 0.

    Raises:
        DataError: there is no such column; a weight is missing, no number or below 0; or all are 0.
    """
    return parse_weights(dataset.source, column, list(dataset.frame.index), column_of(dataset, column))


def parse_weights(source: str, column: str, rows: Sequence[object], cells: Sequence[str]) -> Floats:
    """Return the cells of a column of weights as numbers: float64 (n_rows,), 0 or above, not all 0.

    Args:
        source: the name to call the table by in messages.
        column: the name of the column.
        rows: the numbers of the n_rows rows, for messages.
        cells: the n_rows cells.

    Raises:
        DataError: a weight is missing, no number or below 0; or all are 0.
    """
    weights = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        problems = (f"row {rows[i]}: weight {cells[i]!r} is no number of 0 or above" for i in wrong.tolist())
        raise DataError(_listed(source, list(problems)))
    if not weights.any():
        raise DataError(f"{source}: the weights in column {column!r} are all 0.")
    return weights


#: How dates are written, tried in this order on a whole column.
_DATE_FORMATS = (
    "ISO8601",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d %B %Y",
)


def times_of(dataset: Dataset, column: str) -> NDArray[np.datetime64]:
    """Return a column of dates or times: datetime64 (n_rows,), in UTC where a zone is given.

    Raises:
        DataError: there is no such column; a cell is no date; or the whole column can be read with the day
            first and with the month first.
    """
    cells = pd.Series(column_of(dataset, column), dtype=object)
    parsed = {name: pd.to_datetime(cells, format=name, errors="coerce", utc=True) for name in _DATE_FORMATS}
    whole = [times for times in parsed.values() if times.notna().all()]
    if not whole:
        best = max(parsed.values(), key=lambda times: int(times.notna().sum()))
        problems = [
            f"row {dataset.frame.index[i]}: {cells[i]!r} in column {column!r} is no date as 2026-04-30"
            for i in np.flatnonzero(best.isna()).tolist()
        ]
        raise DataError(_listed(dataset.source, problems))
    if any(not times.equals(whole[0]) for times in whole[1:]):
        raise DataError(
            f"{dataset.source}: the dates in column {column!r}, such as {cells[0]!r}, can be read with the "
            "day first and with the month first. Write them as 2026-04-30."
        )
    return whole[0].dt.tz_localize(None).to_numpy()


def read_table(path: Path | str) -> Table:
    """Read a CSV file in UTF-8, UTF-16 or cp1252, separated by comma, semicolon, tab or bar.

    Raises:
        DataError: the file cannot be read, is no CSV, is empty, or has a ragged row.
    """
    path = Path(path)
    raw = read_bytes(path, hint="Name a CSV file with a text and a label column.")
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{path}: is a workbook or archive, not a CSV. Save it as CSV (UTF-8).")
    text, encoding = decode(raw, str(path))
    if not text.strip():
        raise DataError(f"{path}: is empty. It needs a header and at least two rows of each label.")
    header, *records = _records(text, str(path))
    problems = [
        f"row {number} has {len(record)} cells where the header has {len(header)}"
        for number, record in records
        if len(record) != len(header[1])
    ]
    if problems:
        raise DataError(_listed(str(path), problems))
    if not records:
        raise DataError(f"{path}: holds a header and no rows. Add the rows to learn from.")
    frame = pd.DataFrame(
        [record for _, record in records],
        columns=header[1],
        index=pd.Index([number for number, _ in records], name="row"),
        dtype=object,
    )
    return Table(frame, str(path), encoding)


def same_text(text: str) -> str:
    """Return what two texts share when they differ only in case and white space.

    >>> same_text("  Data  Entry ") == same_text("data entry")
    True
    """
    return " ".join(text.split()).casefold()


def _records(text: str, source: str) -> list[tuple[int, list[str]]]:
    """Return each record of a CSV text with its row number; blank lines are left out."""
    # The limit of 128 KiB a cell is the csv module's own; a contract's text may be longer.
    csv.field_size_limit(2**31 - 1)
    records = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        records = [(number, record) for number, record in enumerate(reader, 1) if record]
    except csv.Error as error:
        raise DataError(
            f"{source}: line {reader.line_num} cannot be read as CSV ({error}). "
            "Is a quote left open, or not doubled inside quotes?"
        ) from None
    return records


def as_text(cell: object) -> str:
    """Return a cell as text: a missing value of a frame is blank."""
    return cell if isinstance(cell, str) else "" if pd.isna(cell) else str(cell)  # type: ignore[call-overload]


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
            yield f"row {row}: label {label!r} is none of {', '.join(LABELS)}"
        if not line and label:
            yield f"row {row}: the service line is empty"


def _conflicts(
    what: str, rows: Sequence[object], keys: Sequence[str], labels: Sequence[str]
) -> Iterable[str]:
    """Tell each row whose key stood before under another label."""
    firsts: dict[str, tuple[object, str]] = {}
    for row, key, label in zip(rows, keys, labels, strict=True):
        first_row, first_label = firsts.setdefault(key, (row, label))
        if label != first_label:
            yield (
                f"row {row}: {what} {_shortened(key)!r} has label {label!r}, "
                f"but {first_label!r} in row {first_row}"
            )


def _check_classes(dataset: Dataset) -> None:
    for label in ANSWERS:
        count = dataset.labels.count(label)
        if count < 2:
            raise DataError(
                f"{dataset.source}: {count or 'no'} row{'s' * (count != 1)} labelled {label}. "
                f"Training needs at least 2 rows of {' and of '.join(ANSWERS)}."
            )


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _listed(source: str, problems: Sequence[str]) -> str:
    """Put problems under one head: the first ten, and how many more."""
    if len(problems) == 1:
        return f"{source}, {problems[0]}. Mend it and try again."
    shown = "".join(f"\n  {problem}" for problem in problems[:_MAX_SHOWN])
    more = len(problems) - _MAX_SHOWN
    rest = f"\n  and {more} more" if more > 0 else ""
    return f"{source}: {len(problems)} problems to mend first:{shown}{rest}"
