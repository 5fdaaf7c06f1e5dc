"""Score tables in memory: pandas DataFrames and Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outsort.buffers import utf8_column
from outsort.errors import DataError
from outsort.model import Model
from outsort.rules.rule import Rules
from outsort.scoring.scorer import Scorer, added_prefix, renamed, scorer_of
from outsort.tables.base import Column, texts_of, used_columns, warn
from outsort.tables.columns import N_JUDGED, NoColumnError, find_text_columns
from outsort.tables.parquet import arrow_texts
from outsort.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from outsort.tables.base import BatchTexts, TextColumns
    from outsort.tables.columns import Cells


def score(
    data: pd.DataFrame | pa.Table | Iterable[Any],
    model: Model | Scorer | None = None,
    *,
    text_column: str | Sequence[str] | None = None,
    prefix: str | None = None,
    explain: bool = False,
    taxonomy: Taxonomy | None = None,
    rules: Rules | None = None,
    workers: int | None = None,
) -> Any:  # noqa: ANN401 - what goes in comes out
    """Score every row of a table.

    Args:
        data: a pandas DataFrame, an Arrow table or record batch, or an iterable of any of these.
        model: the model, or a `Scorer`, which has its own `workers`, `explain`, `taxonomy` and `rules`; the
            default model if None.
        text_column: the text column, or several to join: a name, a number from 1 as text, or a letter such as A;
            `a|b` for b where a is blank. Found by headings and cells if None; of several tables, by headings alone,
            so that the rows of each are read alike.
        prefix: prefix for added columns; if None, only used when a name is taken.
        explain: add the top terms for and against each label.
        taxonomy: add the categories of `outsort.load_taxonomy`.
        rules: let the rules of `outsort.load_rules` decide before the model.
        workers: number of threads; one per core if None.

    Returns:
        The same kind of table with the same rows, index and columns, and the columns `Scorer.added` appended;
        for an iterable, an iterator of such tables.

    Raises:
        DataError: there is no text column, or none that a rule needs.
        TypeError: `data` is not a table, and nothing that tables come from; the message names the way out.
    """
    scorer = scorer_of(model, workers=workers, explain=explain, taxonomy=taxonomy, rules=rules)
    names = [text_column] if isinstance(text_column, str) else list(text_column or ())

    is_one = hasattr(data, "columns") or hasattr(data, "to_frame") or isinstance(data, (str, bytes, Mapping))
    is_one = is_one or not isinstance(data, Iterable)

    def scored(table: Any) -> Any:  # noqa: ANN401
        _check_table(table)
        columns = [str(c) for c in (table.column_names if hasattr(table, "column_names") else table.columns)]
        try:
            found = find_text_columns("the table", columns, names, _first_cells(table, columns) if is_one else None)
        except NoColumnError as error:
            message = str(error).replace("--text-column", "text_column")
            raise NoColumnError(message, error.columns, error.samples) from None
        if found.why and is_one:
            warn(f"the table: {found.why.replace('--text-column ', 'text_column=')}")
        texts, hits = _texts(table, found.parts), None
        if scorer.rules:
            of_rules = scorer.rules.columns_in("the table", columns)
            hits = partial(scorer.rules.hits, texts, lambda name: _cells(table, columns.index(of_rules[name])))
        answered = scorer.columns(texts, hits=hits)
        prefixed = renamed(answered, added_prefix(columns, scorer.added, prefix))
        added = {name: values.tolist() for name, values in prefixed.items()}
        if hasattr(table, "assign"):
            return _appended(table, dict(zip(added, scorer.added.values(), strict=True)), added)
        import pyarrow as pa

        for (name, values), kind in zip(added.items(), scorer.added.values(), strict=True):
            column = pa.array(values, pa.float64() if kind is float else pa.string())
            table = table.append_column(name, column)
        return table

    if is_one:
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


def _first_cells(table: Any, columns: Sequence[str]) -> Cells:  # noqa: ANN401
    """Return a function for the first cells of each column of a frame or an Arrow table, as text."""
    head = table.iloc[:N_JUDGED] if hasattr(table, "assign") else table.slice(0, N_JUDGED)

    def cells(place: int) -> list[str]:
        with suppress(DataError):
            return utf8_column(_texts(head, [[Column(columns[place], place)]])).to_pylist()
        return []

    return cells


def _texts(table: Any, columns: TextColumns) -> BatchTexts:  # noqa: ANN401
    """Return the texts of a frame or an Arrow table."""
    if not hasattr(table, "assign"):
        return arrow_texts(table, columns)
    used, by_place = used_columns(columns)
    return texts_of(by_place, zip(*(_cells(table, column.place) for column in used), strict=True))


def _cells(table: Any, place: int) -> list[object]:  # noqa: ANN401
    """Return the cells of a column of a frame or an Arrow table, None for what is missing."""
    if not hasattr(table, "assign"):
        cells: list[object] = table.column(place).to_pylist()
        return cells
    # By place: what a frame calls a column need not be a string, nor its own.
    column = table.iloc[:, place]
    return [None if missing else v for v, missing in zip(column, column.isna(), strict=True)]
