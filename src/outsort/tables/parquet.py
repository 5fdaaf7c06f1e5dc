"""Parquet: Arrow record batches, their types untouched."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from outsort.errors import DataError, first_line
from outsort.tables.base import BATCH_ROWS, Batch, Reader, plain_rows
from outsort.tables.packing import need_arrow
from outsort.tables.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from outsort.tables.base import Added


class ParquetReader:
    """Parquet: batches are Arrow record batches, their types untouched."""

    encoding = "utf-8"

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        """Read the schema."""
        arrow = need_arrow(source)
        try:
            self._file = arrow.parquet.ParquetFile(stream)
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{source}: cannot be read as Parquet ({first_line(error)}).") from None
        self.source, self._arrow = source, arrow
        self.columns = list(self._file.schema_arrow.names)
        self.schema = self._file.schema_arrow

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows."""
        try:
            for batch in self._file.iter_batches(BATCH_ROWS):
                yield Batch(batch, {})
        except (self._arrow.ArrowException, OSError) as error:
            raise DataError(f"{self.source}: is damaged ({first_line(error)}).") from None

    def close(self) -> None:
        """Nothing is held."""


class ParquetWriter:
    """Parquet; columns that came from Parquet keep their types, those of CSV are strings."""

    def __init__(
        self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], reader: Reader
    ) -> None:
        """Nothing is written before the first batch has told the types."""
        self._arrow = need_arrow("output")
        self._stream, self._columns, self._reader = stream, columns, reader
        types = {str: self._arrow.string(), float: self._arrow.float64()}
        self._added = {name: types[kind] for name, kind in added.items()}
        self._writer: Any = None
        self._schema = getattr(reader, "schema", None)

    def write(self, batch: Batch, added: Added) -> None:
        """Write rows."""
        pa = self._arrow
        rows = batch.rows
        if isinstance(rows, (list, Records)):
            rows = self._table(plain_rows(batch, self._columns))
        for name, values in added.items():
            rows = rows.append_column(name, pa.array(values.tolist(), self._added[name]))
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
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

    def _table(self, rows: Iterable[list[Any]]) -> Any:  # noqa: ANN401
        pa = self._arrow
        columns = list(zip(*rows, strict=True)) or [()] * len(self._columns)
        arrays = []
        for i, values in enumerate(columns):
            name = self._columns[i]
            kind = None if self._schema is None else self._schema.field(i).type
            try:
                arrays.append(pa.array(values, pa.string() if kind == pa.null() else kind))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                raise DataError(
                    f"column {name!r} holds values of several types ({first_line(error)}), "
                    "which Parquet cannot. Write CSV or JSON lines instead."
                ) from None
        arrays = [a.cast(pa.string()) if a.type == pa.null() else a for a in arrays]
        if self._schema is None:
            self._schema = pa.schema([(n, a.type) for n, a in zip(self._columns, arrays, strict=True)])
        return pa.Table.from_arrays(arrays, schema=self._schema)
