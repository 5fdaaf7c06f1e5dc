"""Columns of a dataset as numbers, dates or text."""

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from outsort.data.amounts import amounts, decimal_mark
from outsort.data.dataset import Dataset
from outsort.data.identity import as_text
from outsort.data.problems import listed
from outsort.errors import DataError
from outsort.numeric import Floats
from outsort.tables.columns import only_place


def column_of(dataset: Dataset, column: str) -> list[str]:
    """Return the cells of a column as text, one for each of the dataset's rows.

    Raises:
        DataError: there is no such column.
    """
    columns = [str(c) for c in dataset.frame.columns]
    place = only_place(dataset.source, columns, column)
    return [as_text(cell).strip() for cell in dataset.frame.iloc[:, place]]


def weights_of(dataset: Dataset, column: str | None) -> Floats:
    """Return a column of weights, such as spend: float64 (n_rows,), 0 or above, not all 0; ones for None.

    Raises:
        DataError: there is no such column; a weight is missing, not a number, or below 0; or all are 0.
    """
    if column is None:
        return np.ones(len(dataset.texts))
    return parse_weights(dataset.source, column, list(dataset.frame.index), column_of(dataset, column))


def parse_weights(source: str, column: str, rows: Sequence[object], cells: Sequence[str]) -> Floats:
    """Return the cells of a column of weights as numbers: float64 (n_rows,), 0 or above, not all 0.

    Args:
        source: the name of the table in messages.
        column: the name of the column.
        rows: the numbers of the n_rows rows, for messages.
        cells: the n_rows cells.

    Raises:
        DataError: a weight is missing, not a number, or below 0; or all are 0.
    """
    weights = amounts(cells, decimal_mark(cells))
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        problems = (f"row {rows[i]}: weight {cells[i]!r} is not a number of 0 or above" for i in wrong.tolist())
        raise DataError(listed(source, list(problems)))
    if not weights.any():
        raise DataError(f"{source}: the weights in column {column!r} are all 0.")
    return weights


#: How dates are written, tried in this order on a whole column.
_DATE_FORMATS = ("ISO8601", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y")


def times_of(dataset: Dataset, column: str) -> NDArray[np.datetime64]:
    """Return a column of dates or times: datetime64 (n_rows,), in UTC where a zone is given.

    Raises:
        DataError: there is no such column; a cell is not a date; or the whole column can be read with the day
            first and with the month first.
    """
    cells = pd.Series(column_of(dataset, column), dtype=object)
    parsed = _readings(cells, _DATE_FORMATS)
    whole = [times for times in parsed if times.notna().all()]
    if not whole:
        best = max(parsed, key=lambda times: int(times.notna().sum()))
        problems = [
            f"row {dataset.frame.index[i]}: {cells[i]!r} in {column!r} is not a date such as 2026-04-30"
            for i in np.flatnonzero(best.isna()).tolist()
        ]
        raise DataError(listed(dataset.source, problems))
    if not _agree(whole):
        raise DataError(f"{dataset.source}: {_two_ways(column, cells[0])}")
    return whole[0].dt.tz_localize(None).to_numpy()


def groups_of(dataset: Dataset, column: str) -> NDArray[np.str_]:
    """Return what a column groups rows by: its cells as text, or the months of dates, as 2026-04: str (n_rows,).

    Blank cells stay blank. Dates that can be read in two ways stay as they are, and so do bare numbers.

    Raises:
        DataError: there is no such column.
    """
    cells = pd.Series(column_of(dataset, column), dtype=object)
    written = cells[cells != ""]
    if not written.empty and not written.str.isdigit().any():
        whole = [times for times in _readings(written, _DATE_FORMATS) if times.notna().all()]
        if whole and _agree(whole):
            cells[written.index] = whole[0].dt.strftime("%Y-%m")
    return cells.to_numpy(dtype=np.str_)


def _readings(cells: pd.Series, formats: Sequence[str]) -> "list[pd.Series[pd.Timestamp]]":
    """Read cells as dates in each of some formats; what cannot be read so is NaT."""
    return [pd.to_datetime(cells, format=name, errors="coerce", utc=True) for name in formats]


def _agree(readings: "Sequence[pd.Series[pd.Timestamp]]") -> bool:
    return all(times.equals(readings[0]) for times in readings[1:])


def _two_ways(column: str, cell: object) -> str:
    """Return what is wrong with dates of which two formats fit, such as that of a cell."""
    return (
        f"the dates in column {column!r}, such as {cell!r}, can be read with the day first and with the month first. "
        "Write them as 2026-04-30."
    )


def dates(column: str, cells: Sequence[object]) -> NDArray[np.datetime64]:
    """Return cells as days: datetime64[D] (n_cells,), NaT for what is no date.

    Args:
        column: the name of the column, for messages.
        cells: dates, or texts: in ISO form, or in the one other form that most of the rest can be read in.

    Raises:
        DataError: the rest can be read with the day first and with the month first.

    >>> dates("due", ["2026-04-30", "31/12/2026", datetime.date(2026, 5, 1), "5", None]).astype(str).tolist()
    ['2026-04-30', '2026-12-31', '2026-05-01', 'NaT', 'NaT']
    """
    own = [cell.isoformat() if isinstance(cell, datetime.date) else cell for cell in cells]
    texts = pd.Series([cell.strip() if isinstance(cell, str) else None for cell in own], dtype=object)
    # Pandas takes plain numbers for years, too.
    is_iso = texts.str.match(r"\d{4}-\d{2}-\d{2}(?!\d)", na=False).astype(bool)
    found = pd.to_datetime(texts.where(is_iso), format=_DATE_FORMATS[0], errors="coerce", utc=True)
    rest = texts[found.isna() & texts.notna() & (texts != "")]
    parsed = _readings(rest, _DATE_FORMATS[1:]) if len(rest) else []
    most = max((int(times.notna().sum()) for times in parsed), default=0)
    best = [times for times in parsed if most and times.notna().sum() == most]
    if not _agree(best):
        raise DataError(_two_ways(column, rest.iloc[0]))
    if best:
        found[best[0].index] = best[0]
    return found.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
