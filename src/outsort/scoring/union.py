"""Several tables read as one: columns united by name, and a column with the file that each row is from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from outsort.errors import DataError
from outsort.scoring.scorer import PREFIX
from outsort.tables.base import Batch, Column, Dialect, Location, ReadOptions, Rows, TextColumns, plain_texts, value_at
from outsort.tables.columns import Found, text_columns_of
from outsort.tables.formats import Format
from outsort.tables.jsonl import JsonlRows
from outsort.tables.packing import need_arrow
from outsort.tables.reading import Reading, describe
from outsort.tables.sources import Opened, opened

if TYPE_CHECKING:
    from outsort.tables.base import BatchTexts

#: What opens a table, see `sources.opened`.
OpenTable: TypeAlias = Callable[[str, ReadOptions], AbstractContextManager[Opened]]
#: The column with the file that a row is from.
SOURCE = "source"
#: Differences of headers that are told one by one.
_N_TOLD = 5
#: A column: its name, and how many of that name stand before it.
_Column = tuple[str, int]


@dataclass(frozen=True)
class UnionBatch:
    """A batch of one of several tables, with the columns of all; see `base.Batch`.

    Attributes:
        inner: the batch as it was read.
        table: the table that it is from.
        places: of each column of the union the place in that table; None where it lacks the column.
        is_whole: whether that table has just the columns and types of the union.
        source_column: the name of the column to append with the name of that table.
    """

    inner: Batch
    table: _Table
    places: Sequence[int | None]
    is_whole: bool
    source_column: str

    @property
    def source(self) -> str:
        """What its table is called."""
        return self.table.name

    @property
    def written(self) -> Batch:
        """The batch to write: as it was read where that will do, so that rows stay as they were, and quickly."""
        return self.inner if self.is_whole else self

    @property
    def faults(self) -> Mapping[int, str]:
        """See `base.Batch`."""
        return self.inner.faults

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the rows in their own table."""
        return self.inner.numbers

    @property
    def header(self) -> Sequence[str]:
        """The header of its own table."""
        return self.inner.header

    @property
    def number_formats(self) -> list[list[str]] | None:
        """The number format of each cell, where the table is a sheet."""
        formats = getattr(self.inner, "number_formats", None)
        if formats is None:
            return None
        return [["General" if place is None else row[place] for place in self.places] for row in formats]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.inner)

    def cells_at(self, place: int) -> Sequence[object]:
        """Return the cells of a row in its own table."""
        return self.inner.cells_at(place)

    def head(self, n: int) -> UnionBatch:
        """Return the first n rows."""
        return replace(self, inner=self.inner.head(n))

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows as lists of values; None where their table lacks the column."""
        rows = self.inner.values(self.table.columns)
        return [[None if place is None else row[place] for place in self.places] for row in rows]

    def texts(self, columns: TextColumns) -> BatchTexts:  # noqa: ARG002 - each table has its own
        """Return the text of each row, from the text columns of its own table."""
        return self.inner.texts(self.table.texts.parts)


class _Table(NamedTuple):
    """One of the tables.

    Attributes:
        path: the file; - for standard input.
        name: what it is called in the column `SOURCE`.
        columns: its columns.
        nested_columns: its paths into objects, see `base.Reader`.
        texts: its text columns.
        encoding: of its text.
        notes: what was guessed about it.
        size: its bytes, or 0 if that cannot be told.
        schema: its Arrow schema, or None.
        kept: the table itself and its rows if it cannot be opened again, as what comes through a pipe.
    """

    path: str
    name: str
    columns: list[str]
    nested_columns: Sequence[str]
    texts: Found
    encoding: str
    notes: Sequence[str]
    size: int
    schema: Any
    kept: tuple[Opened, Iterator[Batch]] | None


class UnionReader:
    """Several tables, one after the other; see `base.Reader`.

    Attributes:
        format: that of the first table.
        source_column: the name of the column to append with the name of each row's file.
    """

    encoding = "utf-8"
    #: The rows of each table are numbered by itself.
    location = Location()

    def __init__(
        self,
        tables: Sequence[_Table],
        options: ReadOptions,
        dialect: Dialect,
        style: Format,
        tell: Callable[[str], None],
        open_table: OpenTable,
    ) -> None:
        """Unite the columns."""
        self.dialect, self.format = dialect, style
        self._tables, self._options, self._open_table = tables, options, open_table
        united = list(dict.fromkeys(column for table in tables for column in _numbered(table.columns)))
        self._places = [_places(table.columns, united) for table in tables]
        names = [name for name, _ in united]
        self.source_column = SOURCE if SOURCE not in names else PREFIX + SOURCE
        if self.source_column in names:
            raise DataError(f"the inputs have the columns {SOURCE!r} and {PREFIX + SOURCE!r}. Rename one of them.")
        self.columns = self.head_columns = names
        nested = dict.fromkeys(path for table in tables for path in table.nested_columns)
        self.nested_columns = [path for path in nested if path not in names]
        #: What was read of each table, once it is.
        self.readings: list[Reading] = []
        self._before = 0
        self._raw: Any = None
        self._tell_differences(united, tell)

    def __iter__(self) -> Iterator[UnionBatch]:
        """Yield the rows of all tables."""
        for table in self.tables_in_turn():
            yield from table

    def tables_in_turn(self) -> Iterator[Iterator[UnionBatch]]:
        """Yield the rows of each table."""
        for table, places in zip(self._tables, self._places, strict=True):
            with ExitStack() as stack:
                if table.kept:
                    found, batches = table.kept
                else:
                    # Its encoding is known.
                    options = replace(self._options, encoding=table.encoding)
                    found = stack.enter_context(self._open_table(table.path, options))
                    batches = iter(found.reader)
                if not found.format.of_objects and found.reader.columns != table.columns:
                    raise DataError(f"{table.path}: its columns changed while it was read. Run again.")
                self._raw = found.raw
                is_whole = table.columns == self.columns and _is_alike(table.schema, self.dialect.schema)
                about = (table, places, is_whole, self.source_column)
                yield (UnionBatch(batch, *about) for batch in batches)
                where = (found.reader.location, table.columns, table.texts, self._options)
                is_alone = len(self._tables) == 1
                reading = describe(table.path, *where, encoding=table.encoding, notes=table.notes, is_alone=is_alone)
                self.readings.append(reading)
            self._before += table.size

    @property
    def done(self) -> float:
        """The fraction that is read, 0 to 1."""
        total = sum(table.size for table in self._tables)
        at = self._raw.tell() if self._raw and not self._raw.closed else 0
        return min(1.0, (self._before + at) / total) if total else 1.0

    def close(self) -> None:
        """Nothing is held."""

    def _tell_differences(self, united: Sequence[_Column], tell: Callable[[str], None]) -> None:
        """Say which tables lack which columns."""
        lacking: dict[tuple[str, ...], list[str]] = {}
        for table, places in zip(self._tables, self._places, strict=True):
            lacks = tuple(name for (name, _), place in zip(united, places, strict=True) if place is None)
            if lacks:
                lacking.setdefault(lacks, []).append(table.name)
        for lacks, names in list(lacking.items())[:_N_TOLD]:
            verb = "lacks" if len(names) == 1 else "lack"
            tell(f"{_listed(names)}: {verb} {_listed(list(map(repr, lacks)))}, blank in the output")
        if len(lacking) > _N_TOLD:
            tell(f"{sum(map(len, list(lacking.values())[_N_TOLD:])):,} more inputs lack other columns")


@contextmanager
def united(
    sources: Sequence[str],
    options: ReadOptions,
    wanted: Sequence[str],
    tell: Callable[[str], None],
    open_table: OpenTable = opened,
) -> Iterator[UnionReader]:
    """Open several tables to be read as one, for as long as the block lasts.

    Each is opened twice: for its columns first, and for its rows when its turn comes.

    Args:
        sources: the files; - for standard input. Their formats may differ.
        options: how to read them.
        wanted: the text columns, which each table must have; found in each by itself if empty.
        tell: called with what was guessed, and which tables lack which columns.
        open_table: opens one of them, see `sources.opened`.

    Raises:
        DataError: a table cannot be read or has no text column, or a file is given twice.
    """
    names = names_of(sources)
    tables, dialects, styles = [], [], []
    with ExitStack() as stack:
        for source, name in zip(sources, names, strict=True):
            # What comes through a pipe cannot be opened again.
            is_file = source != "-" and Path(source).is_file()
            with ExitStack() as only_here:
                found = (only_here if is_file else stack).enter_context(open_table(source, options))
                columns = list(found.reader.columns)
                texts, batches = text_columns_of(source, found.reader, wanted)
                size = Path(source).stat().st_size if is_file else 0
                schema = found.reader.dialect.schema
                kept = None if is_file else (found, batches)
                encoding = found.reader.encoding
                nested = found.reader.nested_columns
                tables.append(_Table(source, name, columns, nested, texts, encoding, found.notes, size, schema, kept))
                dialects.append(found.reader.dialect)
                styles.append(found.format)
        encoding = next((d.encoding for d in dialects if d.encoding != "utf-8"), "utf-8")
        schema = _united_schema(tables)
        yield UnionReader(
            tables,
            options,
            replace(dialects[0], encoding=encoding, schema=schema, origin=None),
            styles[0],
            tell,
            open_table,
        )


def cells_of(batch: Batch, name: str) -> list[object]:
    """Return the cells of a column, or what is at a path into objects, numbers as such where the format has them."""
    if isinstance(batch, UnionBatch):
        if name == batch.source_column:
            return [batch.source] * len(batch)
        is_there = name in batch.table.columns or name in batch.table.nested_columns
        return cells_of(batch.inner, name) if is_there else [None] * len(batch)
    if isinstance(batch, JsonlRows):
        return [value_at(content, name) for content in batch.cells]
    # All others have their columns.
    columns: Sequence[str] = batch.columns  # type: ignore[attr-defined]
    if isinstance(batch, Rows) and name not in columns:
        # Clauses have the objects of their row.
        return [value_at(dict(zip(columns, row, strict=True)), name) for row in batch.cells]
    place = columns.index(name) if name in columns else len(columns)
    if isinstance(batch, Rows):
        return [row[place] for row in batch.cells]
    # A column of a single type: its text says as much.
    return list(plain_texts(batch.texts([[Column(name, place)]])))


def names_of(sources: Sequence[str]) -> list[str]:
    """Return what to call each file: its name, and as much of its path as tells it from another of that name.

    Raises:
        DataError: a file is given twice.

    >>> names_of(["may/spend.csv", "june/spend.csv", "-"])
    ['may/spend.csv', 'june/spend.csv', 'standard input']
    """
    paths = [None if source == "-" else Path(source).absolute() for source in sources]
    twice = [source for source, n in Counter(map(_identity, sources)).items() if n > 1]
    if twice:
        raise DataError(f"{twice[0]}: is given twice. Name each input once.")
    n_parts = [1] * len(paths)
    while True:
        names = [
            "standard input" if path is None else "/".join(path.parts[-n:])
            for path, n in zip(paths, n_parts, strict=True)
        ]
        counts = Counter(names)
        again = [i for i, name in enumerate(names) if counts[name] > 1]
        if not again:
            return names
        for i in again:
            n_parts[i] += 1


def _identity(source: str) -> str:
    return source if source == "-" else str(Path(source).resolve())


def _numbered(columns: Sequence[str]) -> list[_Column]:
    """Return columns with the number of those of the same name before them: a table may have two of one name."""
    seen: Counter[str] = Counter()
    result = []
    for name in columns:
        result.append((name, seen[name]))
        seen[name] += 1
    return result


def _places(columns: Sequence[str], united: Sequence[_Column]) -> list[int | None]:
    found = {column: place for place, column in enumerate(_numbered(columns))}
    return [found.get(column) for column in united]


def _united_schema(tables: Sequence[_Table]) -> Any:  # noqa: ANN401 - of Arrow
    """Return the Arrow schema of the union; None if no table is Parquet.

    A column keeps its type if all tables that have it are Parquet and agree; it is text otherwise.
    """
    first = tables[0].schema
    if all(table.schema is not None and table.schema.equals(first) for table in tables):
        return first
    if not any(table.schema for table in tables):
        return None
    arrow = need_arrow("output")
    types: dict[str, Any] = {}
    for table in tables:
        own = {field.name: field.type for field in table.schema or ()}
        for name in table.columns:
            kind = own.get(name, arrow.string())
            types[name] = kind if types.get(name, kind) == kind else arrow.string()
    return arrow.schema(list(types.items()))


def _is_alike(schema: Any, united: Any) -> bool:  # noqa: ANN401 - of Arrow
    """Return whether the types of a table are those of the union; tables of text have none of their own."""
    return schema is united or (schema is not None and united is not None and bool(schema.equals(united)))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_N_TOLD])
    return f"{shown} and {len(names) - _N_TOLD:,} more" if len(names) > _N_TOLD else shown
