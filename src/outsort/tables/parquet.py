"""Parquet: Arrow record batches, their types untouched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from outsort.errors import DataError, first_line
from outsort.tables.base import BATCH_BYTES, BATCH_ROWS, Dialect, joined
from outsort.tables.packing import need_arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from outsort.tables.base import Added, Batch, ReadOptions

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

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.content.num_rows)

    def head(self, n: int) -> ArrowBatch:
        """Return the first n rows."""
        return replace(self, content=self.content[:n], numbers=self.numbers[:n])

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows as lists of values."""
        columns_of_values = (column.to_pylist() for column in self.content.columns)
        return [list(row) for row in zip(*columns_of_values, strict=True)]

    def texts(self, columns: Sequence[str]) -> list[str] | pa.Array:
        """Return the text of each row."""
        return arrow_texts(self.content, columns)


def arrow_texts(table: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> list[str] | pa.Array:
    """Return the text of each row of an Arrow table: the values of some columns, joined by a space."""
    import pyarrow as pa

    arrays = [table.column(name) for name in columns]
    if len(arrays) == 1 and (pa.types.is_string(arrays[0].type) or pa.types.is_large_string(arrays[0].type)):
        return arrays[0]
    return [joined(values) for values in zip(*(array.to_pylist() for array in arrays), strict=True)]


class ParquetReader:
    """A Parquet file; see `base.Reader`."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions) -> None:  # noqa: ARG002
        """Read the schema."""
        arrow = need_arrow(source)
        try:
            self._file = arrow.parquet.ParquetFile(stream)
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{source}: cannot be read as Parquet ({first_line(error)}).") from None
        self.source, self._arrow = source, arrow
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self.head_columns = self.columns
        self.dialect = Dialect(schema=self._file.schema_arrow)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""
        number = 2
        try:
            for content in self._batches():
                yield ArrowBatch(content, range(number, number + content.num_rows))
                number += content.num_rows
        except MemoryError:
            raise
        except (self._arrow.ArrowException, OSError) as error:
            raise DataError(f"{self.source}: is damaged ({first_line(error)}).") from None

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
        self._stream, self._columns = stream, columns
        types = {str: self._arrow.string(), float: self._arrow.float64()}
        self._added = {name: types[kind] for name, kind in added.items()}
        self._writer: Any = None
        known = dialect.schema or ()
        self._types = {field.name: field.type for field in known}
        self._schema = dialect.schema if [field.name for field in known] == list(columns) else None

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        pa = self._arrow
        if isinstance(batch, ArrowBatch):
            table = pa.Table.from_batches([batch.content])
        else:
            table = self._table(batch.values(self._columns))
        for name, values in added.items():
            table = table.append_column(name, pa.array(values.tolist(), self._added[name]))
        if self._writer is None:
            self._writer = pa.parquet.ParquetWriter(self._stream, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer; a table without rows has its columns."""
        pa = self._arrow
        if self._writer is None:
            schema = self._schema or pa.schema([(name, pa.string()) for name in self._columns])
            for name, kind in self._added.items():
                schema = schema.append(pa.field(name, kind))
            self._writer = pa.parquet.ParquetWriter(self._stream, schema, compression="zstd")
        self._writer.close()

    def _table(self, rows: Iterable[list[Any]]) -> pa.Table:
        pa = self._arrow
        columns = list(zip(*rows, strict=True)) or [()] * len(self._columns)
        arrays = []
        for i, values in enumerate(columns):
            name = self._columns[i]
            kind = self._types.get(name)
            try:
                arrays.append(pa.array(values, pa.string() if kind == pa.null() else kind))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                raise DataError(
                    f"column {name!r} holds values of several types ({first_line(error)}), "
                    "which Parquet cannot store. Write CSV or JSON Lines instead."
                ) from None
        arrays = [a.cast(pa.string()) if a.type == pa.null() else a for a in arrays]
        if self._schema is None:
            self._schema = pa.schema([(n, a.type) for n, a in zip(self._columns, arrays, strict=True)])
        return pa.Table.from_arrays(arrays, schema=self._schema)
