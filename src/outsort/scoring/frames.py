"""Score tables in memory: pandas DataFrames and Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outsort.model import Model
from outsort.scoring.scorer import Scorer, added_prefix, renamed, scorer_of
from outsort.tables.base import joined
from outsort.tables.columns import NoColumnError, find_text_columns
from outsort.tables.parquet import arrow_texts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def score(
    data: pd.DataFrame | pa.Table | Iterable[Any],
    model: Model | Scorer | None = None,
    *,
    text_column: str | Sequence[str] | None = None,
    prefix: str | None = None,
    explain: bool = False,
    workers: int | None = None,
) -> Any:  # noqa: ANN401 - what goes in comes out
    """Score every row of a table.

    Args:
        data: a pandas DataFrame, an Arrow table or record batch, or an iterable of any of these.
        model: the model, or a `Scorer`, which has its own `workers` and `explain`; the default model if
            None.
        text_column: the text column, or several to join; found by its usual name if None.
        prefix: prefix for added columns; if None, only used when a name is taken.
        explain: add the top terms for and against each label.
        workers: number of threads; one per core if None.

    Returns:
        The same kind of table with the same rows, index and columns, and the columns `Scorer.added` appended;
        for an iterable, an iterator of such tables.

    Raises:
        DataError: there is no text column.
        TypeError: `data` is not a table, and nothing that tables come from; the message names the way out.
    """
    scorer = scorer_of(model, workers=workers, explain=explain)
    names = [text_column] if isinstance(text_column, str) else list(text_column or ())

    def scored(table: Any) -> Any:  # noqa: ANN401
        _check_table(table)
        columns = [str(c) for c in (table.column_names if hasattr(table, "column_names") else table.columns)]
        try:
            chosen = find_text_columns("the table", columns, names)
        except NoColumnError as error:
            raise NoColumnError(str(error).replace("--text-column", "text_column"), error.columns) from None
        texts = _texts(table, columns, chosen)
        prefixed = renamed(scorer.columns(texts), added_prefix(columns, scorer.added, prefix))
        added = {name: values.tolist() for name, values in prefixed.items()}
        if hasattr(table, "assign"):
            return _appended(table, dict(zip(added, scorer.added.values(), strict=True)), added)
        import pyarrow as pa

        for (name, values), kind in zip(added.items(), scorer.added.values(), strict=True):
            column = pa.array(values, pa.float64() if kind is float else pa.string())
            table = table.append_column(name, column)
        return table

    is_one = hasattr(data, "columns") or hasattr(data, "to_frame") or isinstance(data, (str, bytes, Mapping))
    if is_one or not isinstance(data, Iterable):
        return scored(data)
    if isinstance(data, (list, tuple)):
        for table in data:
            _check_table(table)
    return map(scored, data)


def _check_table(data: object) -> None:
    """Raise TypeError, with the way out, unless this is a table of pandas or Arrow."""
    if hasattr(data, "assign") or hasattr(data, "append_column"):
        return
    if hasattr(data, "to_frame"):
        way = "pass series.to_frame('text'), or its texts to outsort.predict"
    elif hasattr(data, "to_arrow"):
        way = "pass table.to_arrow()"
    elif isinstance(data, (str, bytes, Path)):
        way = "outsort.predict takes texts, and outsort.score_file takes files"
    else:
        way = "make one of it, as in pandas.DataFrame({'text': texts})"
    kind = type(data).__name__
    raise TypeError(f"expected a table of pandas or Arrow, or an iterable of tables, got a {kind}: {way}")


def _appended(frame: pd.DataFrame, types: Mapping[str, type], added: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return a frame with columns appended, with the same types even if it has no rows."""
    import pandas as pd

    text = pd.Series([""]).dtype
    new = {
        name: pd.Series(values, frame.index, "float64" if types[name] is float else text)
        for name, values in added.items()
    }
    return pd.concat([frame, pd.DataFrame(new, index=frame.index)], axis=1)


def _texts(table: Any, columns: Sequence[str], names: Sequence[str]) -> list[str] | pa.Array:  # noqa: ANN401
    """Return the texts of a frame or an Arrow table, joined from the named ones of its columns."""
    if not hasattr(table, "assign"):
        return arrow_texts(table, names)
    # By place: what a frame calls a column need not be a string.
    chosen = [table.iloc[:, columns.index(name)] for name in names]
    values = [[None if missing else v for v, missing in zip(column, column.isna(), strict=True)] for column in chosen]
    return [joined(row) for row in zip(*values, strict=True)]
