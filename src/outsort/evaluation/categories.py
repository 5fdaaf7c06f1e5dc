"""Rows labelled with the categories of a taxonomy, rather than with labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from outsort.data.dataset import Dataset, read
from outsort.data.label_map import LabelMap, meanings_of
from outsort.errors import DataError
from outsort.tables.base import ReadOptions
from outsort.tables.columns import NoColumnError
from outsort.taxonomy import Axis, Taxonomy


def read_categories(
    data: Path | str,
    taxonomy: Taxonomy,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    label_map: LabelMap = None,
    reading: ReadOptions | None = None,
) -> list[tuple[Taxonomy, Dataset]]:
    """Read labelled rows for each axis of a taxonomy whose column they have.

    Args:
        data: a table.
        taxonomy: the taxonomy. The column of an axis is `Axis.label_column`; its cells are codes or names.
        text_column: see `data.dataset.read`.
        label_column: the column of a taxonomy with one axis, if it has another name.
        label_map: see `data.dataset.read`.
        reading: how to read a file.

    Returns:
        The taxonomy of each axis alone, and the rows, labelled with its codes.

    Raises:
        DataError: the rows cannot be used, or there is a column for none of the axes.
    """
    if label_column and len(taxonomy.axes) > 1:
        names = " and ".join(axis.label_column for axis in taxonomy.axes)
        raise DataError(f"{taxonomy.source}: has several axes. Name the columns {names}, instead of one label column.")
    found: list[tuple[Taxonomy, Dataset]] = []
    lacking: NoColumnError | None = None
    for part in taxonomy.parts():
        axis = part.axes[0]
        try:
            rows = read(
                data,
                text_column=text_column,
                label_column=label_column or axis.label_column,
                label_map=_codes(axis, label_map),
                known_labels=axis.codes,
                # The axis knows it, whether or not a row has it.
                out_of_scope="",
                for_training=False,
                reading=reading,
            )
        except NoColumnError as error:
            lacking = lacking or error
        else:
            found.append((part, rows))
    if lacking and not found:
        raise lacking
    return found


def _codes(axis: Axis, label_map: LabelMap) -> dict[str, str]:
    """Return the codes that own words and the names of categories mean; of a name of several codes, none."""
    known = Counter(name.casefold() for name in axis.names)
    codes = {name.casefold(): code for code, name in zip(axis.codes, axis.names, strict=True)}
    codes = {name: code for name, code in codes.items() if known[name] == 1}
    return codes | {own: codes.get(meant.casefold(), meant) for own, meant in meanings_of(label_map).items()}
