"""Parquet: Arrow record batches, their types untouched."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from outsort.buffers import first_told, utf8_column
from outsort.errors import COPY_AGAIN, DataError, first_line, raised_as
from outsort.tables.base import (
    BATCH_BYTES,
    BATCH_ROWS,
    MAX_PATHS,
    Dialect,
    Location,
    distinct_names,
    plain_cell,
    renaming,
    texts_of,
    used_columns,
)
from outsort.tables.packing import need_arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from outsort.tables.base import Added, Batch, BatchTexts, ReadOptions, TextColumns

#: Rows that are decoded before their size is known: a few bytes can hold the same long text in every row.
_DECODED_ROWS = 512


@dataclass(frozen=True)
class ArrowBatch:
    """A batch that is an Arrow record batch; see `base.Batch`."""

    content: pa.RecordBatch
    numbers: range

    @property
    def faults(self) -> Mapping[int, str]:
        """None: a file of Parquet is damaged as a whole or not at all."""
        return {}

    @property
    def header(self) -> Sequence[str]:
        """None: the schema names the columns."""
        return ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.content.num_rows)

    def cells_at(self, place: int) -> Sequence[object]:
        """Return the cells of a row."""
        return [column[place].as_py() for column in self.content.columns]

    def head(self, n: int) -> ArrowBatch:
        """Return the first n rows."""
        return replace(self, content=self.content[:n], numbers=self.numbers[:n])

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self.content.schema.names
        return names

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows as lists of values."""
        names, columns_of_cells = self.content.schema.names, self.content.columns
        values = (_values(name, cells, self.numbers[0]) for name, cells in zip(names, columns_of_cells, strict=True))
        return [list(row) for row in zip(*values, strict=True)]

    def texts(self, columns: TextColumns) -> BatchTexts:
        """Return the text of each row."""
        return arrow_texts(self.content, columns, self.numbers[0])


def arrow_texts(table: pa.Table | pa.RecordBatch, columns: TextColumns, first_row: int = 2) -> BatchTexts:
    """Return the text of each row of an Arrow table: the values of some columns, joined; see `TextColumns`."""
    import pyarrow as pa

    used, by_place = used_columns(columns)
    n_columns = len(table.schema)
    arrays = [
        table.column(column.place) if column.place < n_columns else _column_at(table, column.name) for column in used
    ]
    if len(columns) == 1 and all(pa.types.is_string(a.type) or pa.types.is_large_string(a.type) for a in arrays):
        return arrays[0] if len(arrays) == 1 else first_told(map(utf8_column, arrays))
    values = (_values(column.name, array, first_row) for column, array in zip(used, arrays, strict=True))
    return texts_of(by_place, zip(*values, strict=True))


def _column_at(table: pa.Table | pa.RecordBatch, path: str) -> pa.Array:
    """Return a column, or what is at a path of names with dots between them in a column of structs."""
    import pyarrow as pa

    # By place: Arrow finds no column by a name that several have.
    names = table.schema.names
    if path in names:
        return table.column(names.index(path))
    for at, field in enumerate(table.schema):
        if path.startswith(f"{field.name}.") and pa.types.is_struct(field.type):
            column = table.column(at)
            flat = (column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])).flatten()
            inner = pa.table(flat, names=[of_struct.name for of_struct in field.type])
            with suppress(KeyError):
                found = _column_at(inner, path[len(field.name) + 1 :])
                return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    raise KeyError(path)


def _paths_in(fields: Iterable[pa.Field], before: str = "") -> Iterator[str]:
    """Yield the paths of the fields within structs."""
    import pyarrow as pa

    for field in fields:
        if before:
            yield before + field.name
        if pa.types.is_struct(field.type):
            yield from _paths_in(field.type, f"{before}{field.name}.")


def _values(name: str, array: pa.Array, first_row: int) -> list[Any]:
    """Return the values of an Arrow column as Python has them, bytes as the text they are.

    Values that Python lacks, such as times of nanoseconds, come as text.

    Args:
        name: of the column.
        array: the column.
        first_row: the number of its first row, for messages.

    Raises:
        DataError: the column holds bytes that are not UTF-8, or what Python has no values for.
    """
    import pyarrow as pa

    kind = str(array.type)
    try:
        if "time64[ns]" in kind:
            # Python would cut them to microseconds.
            array = array.cast(pa.string() if pa.types.is_time64(array.type) else array.type.storage_type)
        values: list[Any] = array.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError, KeyError, AttributeError):
        try:
            values = array.cast(pa.string()).to_pylist()
        except pa.ArrowException:
            values = [_BEYOND]
        if any(_BEYOND in (value or "") for value in values):
            raise DataError(f"column {name!r} holds {kind}, {_ONLY_PARQUET}") from None
    if "binary" in kind:
        for place, value in enumerate(values):
            try:
                values[place] = _decoded(value)
            except UnicodeDecodeError:
                where = f"row {first_row + place}, column {name!r}"
                raise DataError(f"{where} holds bytes that are not UTF-8, {_ONLY_PARQUET}") from None
    return values


#: What Arrow makes of a date that it cannot write as text.
_BEYOND = "<value out of range"
_ONLY_PARQUET = "which only Parquet can hold. Write Parquet, or leave the column out."


def _decoded(value: Any) -> Any:  # noqa: ANN401
    """Return a value with all bytes in it as the UTF-8 text they are."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {name: _decoded(inner) for name, inner in value.items()}
    return [_decoded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _same(before: object, after: object) -> bool:
    """Return whether a value is what it was; an object may have got keys without a value. NaN equals NaN."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(_same(before.get(name), after.get(name)) for name in before.keys() | after.keys())
    if isinstance(before, (list, tuple)) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, float) and before != before:
        return isinstance(after, float) and after != after
    return before == after and isinstance(before, bool) == isinstance(after, bool)


class ParquetReader:
    """A Parquet file; see `base.Reader`."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:  # noqa: ARG002
        """Read the schema."""
        arrow = need_arrow(source)
        self.source, self._arrow, self._errors = source, arrow, (arrow.ArrowException, OSError, ValueError)
        with raised_as(DataError, f"{source}: cannot be read as Parquet", COPY_AGAIN, *self._errors):
            self._file = arrow.parquet.ParquetFile(stream)
            schema = self._file.schema_arrow
            self.columns: list[str] = list(schema.names)
        self.head_columns = self.columns
        self.nested_columns = [path for path in _paths_in(schema) if path not in self.columns][:MAX_PATHS]
        self.dialect, self.location = Dialect(schema=schema), Location()

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""
        number = 2
        with raised_as(DataError, f"{self.source}: is damaged", COPY_AGAIN, *self._errors):
            for content in self._batches():
                # Bytes that are not UTF-8 must not reach compiled code.
                content.validate(full=True)
                yield ArrowBatch(content, range(number, number + content.num_rows))
                number += content.num_rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        parts: list[pa.RecordBatch] = []
        for part in self._file.iter_batches(_DECODED_ROWS):
            parts.append(part)
            if sum(len(p) for p in parts) >= BATCH_ROWS or sum(p.nbytes for p in parts) >= BATCH_BYTES:
                yield from self._joined(parts)
                parts = []
        yield from self._joined(parts)

    def _joined(self, parts: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        if not parts:
            return []
        table = self._arrow.Table.from_batches(parts).combine_chunks()
        return list(table.to_batches())

    def close(self) -> None:
        """Nothing is held."""


class ParquetWriter:
    """A Parquet file; columns that came from Parquet keep their types, those of CSV are strings."""

    def __init__(self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect) -> None:
        """Wait for the first batch, which tells the types."""
        self._arrow = need_arrow("output")
        self._stream, self._columns = stream, distinct_names(columns, added)
        self._renamed = renaming(columns, self._columns)
        types = {str: self._arrow.string(), float: self._arrow.float64()}
        self._added = {name: types[kind] for name, kind in added.items()}
        self._writer: Any = None
        self._n_as_text = 0
        known = dialect.schema or ()
        self._types = {field.name: field.type for field in known}
        self._schema = dialect.schema if [field.name for field in known] == self._columns else None

    def __del__(self) -> None:
        """Give up what was not closed: Arrow would end it in a stream that is closed by then."""
        if getattr(self, "_writer", None) is not None:
            self._writer.is_open = False

    @property
    def changes(self) -> Sequence[str]:
        """See `base.Writer`."""
        n = self._n_as_text
        odd = [f"values in columns that held text or nothing before, kept as text ({n:,})"] if n else []
        return self._renamed + odd

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        pa = self._arrow
        table = pa.Table.from_batches([batch.content]) if isinstance(batch, ArrowBatch) else self._table(batch)
        if self._renamed:
            table = table.rename_columns(self._columns)
        for name, values in added.items():
            table = table.append_column(name, pa.array(values.tolist(), self._added[name]))
        if self._writer is None:
            self._writer = self._opened(table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer; a table without rows has its columns."""
        pa = self._arrow
        if self._writer is None:
            schema = self._schema or pa.schema([(name, pa.string()) for name in self._columns])
            for name, kind in self._added.items():
                schema = schema.append(pa.field(name, kind))
            self._writer = self._opened(schema)
        self._writer.close()

    def _opened(self, schema: pa.Schema) -> Any:  # noqa: ANN401
        parquet = self._arrow.parquet
        trial = io.BytesIO()
        try:
            # What is nested too deeply can be written, but not read.
            parquet.write_table(schema.empty_table(), trial)
            parquet.read_schema(trial)
            return parquet.ParquetWriter(self._stream, schema, compression="zstd")
        except (self._arrow.ArrowException, OSError) as error:
            raise DataError(f"Parquet cannot store this table ({first_line(error)}). {_INSTEAD}") from None

    def _table(self, batch: Batch) -> pa.Table:
        pa = self._arrow
        columns: list[Sequence[Any]] = list(zip(*batch.values(self._columns), strict=True))
        arrays = []
        for name, values in zip(self._columns, columns or [()] * len(self._columns), strict=True):
            kind = self._types.get(name)
            if kind in (pa.null(), pa.string()):
                kind = pa.string()
                values = values if set(map(type, values)) <= _TEXT else list(map(self._as_text, values))
            try:
                array = pa.array(values, kind)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                raise DataError(
                    f"column {name!r} holds values of several types ({first_line(error)}), "
                    f"which Parquet cannot store. {_INSTEAD}"
                ) from None
            if not pa.types.is_string(array.type):
                # Arrow cuts numbers and dates to the type of the rows before, and drops unknown keys.
                self._check_unchanged(name, values, array, batch.numbers)
            arrays.append(array)
        arrays = [a.cast(pa.string()) if a.type == pa.null() else a for a in arrays]
        if self._schema is None:
            self._schema = pa.schema([(n, a.type) for n, a in zip(self._columns, arrays, strict=True)])
            self._types = dict(zip(self._columns, self._schema.types, strict=True))
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _as_text(self, value: object) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self._n_as_text += 1
        return str(plain_cell(value))

    def _check_unchanged(self, name: str, values: Sequence[Any], array: pa.Array, numbers: Sequence[int]) -> None:
        for before, after, number in zip(values, array.to_pylist(), numbers, strict=True):
            if not _same(before, after):
                raise DataError(
                    f"row {number}, column {name!r}: {before!r} does not fit the type that Parquet gives the column "
                    f"by the rows before ({array.type}). {_INSTEAD}"
                )


_TEXT = {str, type(None)}
_INSTEAD = "Write CSV or JSON Lines instead."
