"""Several tables read as one: columns united by name, and a column with the file that each row is from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from outsort.errors import DataError
from outsort.scoring.scorer import PREFIX
from outsort.tables.base import Batch, Dialect, ReadOptions
from outsort.tables.columns import find_text_columns
from outsort.tables.formats import Format
from outsort.tables.packing import need_arrow
from outsort.tables.sources import Opened, opened

if TYPE_CHECKING:
    from outsort.tables.base import BatchTexts

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
        columns: the columns of its own table.
        places: of each column of the union but the last, the place in `columns`; None where its table lacks it.
        text_columns: the text columns of its table.
        source: what its table is called, which is the value of the last column.
        source_column: the name of that column.
    """

    inner: Batch
    columns: Sequence[str]
    places: Sequence[int | None]
    text_columns: Sequence[str]
    source: str
    source_column: str

    @property
    def faults(self) -> Mapping[int, str]:
        """See `base.Batch`."""
        return self.inner.faults

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the rows in their own table."""
        return self.inner.numbers

    @property
    def number_formats(self) -> list[list[str]] | None:
        """The number format of each cell, where the table is a sheet."""
        formats = getattr(self.inner, "number_formats", None)
        if formats is None:
            return None
        return [[*("General" if place is None else row[place] for place in self.places), "General"] for row in formats]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.inner)

    def head(self, n: int) -> UnionBatch:
        """Return the first n rows."""
        return replace(self, inner=self.inner.head(n))

    def values(self, columns: Sequence[str]) -> Iterable[list[Any]]:  # noqa: ARG002 - they are in order
        """Return the rows as lists of values; None where their table lacks the column."""
        return [
            [*(None if place is None else row[place] for place in self.places), self.source]
            for row in self.inner.values(self.columns)
        ]

    def texts(self, columns: Sequence[str]) -> BatchTexts:  # noqa: ARG002 - each table has its own
        """Return the text of each row, from the text columns of its own table."""
        return self.inner.texts(self.text_columns)


class _Table(NamedTuple):
    """One of the tables.

    Attributes:
        path: the file; - for standard input.
        name: what it is called in the column `SOURCE`.
        columns: its columns.
        text_columns: its text columns.
        size: its bytes, or 0 if that cannot be told.
        kept: the table itself if it cannot be opened again, as what comes through a pipe.
    """

    path: str
    name: str
    columns: list[str]
    text_columns: list[str]
    size: int
    kept: Opened | None


class UnionReader:
    """Several tables, one after the other; see `base.Reader`.

    Attributes:
        format: that of the first table.
        source_column: the name of the last column.
    """

    encoding = "utf-8"

    def __init__(
        self,
        tables: Sequence[_Table],
        options: ReadOptions,
        dialect: Dialect,
        style: Format,
        tell: Callable[[str], None],
    ) -> None:
        """Unite the columns."""
        self.dialect, self.format = dialect, style
        self._tables, self._options = tables, options
        united = list(dict.fromkeys(column for table in tables for column in _numbered(table.columns)))
        self._places = [_places(table.columns, united) for table in tables]
        names = [name for name, _ in united]
        self.source_column = SOURCE if SOURCE not in names else PREFIX + SOURCE
        if self.source_column in names:
            raise DataError(f"the inputs have the columns {SOURCE!r} and {PREFIX + SOURCE!r}. Rename one of them.")
        self.columns = self.head_columns = [*names, self.source_column]
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
                found = table.kept or stack.enter_context(opened(table.path, self._options))
                if found.format.name != "jsonl" and found.reader.columns != table.columns:
                    raise DataError(f"{table.path}: its columns changed while it was read. Run again.")
                self._raw = found.raw
                about = (table.columns, places, table.text_columns, table.name, self.source_column)
                yield (UnionBatch(batch, *about) for batch in found.reader)
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
    sources: Sequence[str], options: ReadOptions, wanted: Sequence[str], tell: Callable[[str], None]
) -> Iterator[UnionReader]:
    """Open several tables to be read as one, for as long as the block lasts.

    Each is opened twice: for its columns first, and for its rows when its turn comes.

    Args:
        sources: the files; - for standard input. Their formats may differ.
        options: how to read them.
        wanted: the text columns, which each table must have; found in each by itself if empty.
        tell: called with what was guessed, and which tables lack which columns.

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
                found = (only_here if is_file else stack).enter_context(opened(source, options))
                columns = list(found.reader.columns)
                texts = find_text_columns(source, found.reader.head_columns, wanted)
                size = Path(source).stat().st_size if is_file else 0
                tables.append(_Table(source, name, columns, texts, size, None if is_file else found))
                dialects.append(found.reader.dialect)
                styles.append(found.format)
                if found.reader.encoding == "cp1252" and not options.encoding:
                    tell(f"{source}: read as cp1252, because it is not UTF-8")
        encoding = next((d.encoding for d in dialects if d.encoding != "utf-8"), "utf-8")
        schema = _united_schema(tables, dialects)
        yield UnionReader(tables, options, replace(dialects[0], encoding=encoding, schema=schema), styles[0], tell)


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


def _united_schema(tables: Sequence[_Table], dialects: Sequence[Dialect]) -> Any:  # noqa: ANN401 - of Arrow
    """Return the Arrow schema of the union; None if no table is Parquet.

    A column keeps its type if all tables that have it are Parquet and agree; it is text otherwise.
    """
    if not any(dialect.schema for dialect in dialects):
        return None
    arrow = need_arrow("output")
    types: dict[str, Any] = {}
    for table, dialect in zip(tables, dialects, strict=True):
        own = {} if dialect.schema is None else {field.name: field.type for field in dialect.schema}
        for name in table.columns:
            kind = own.get(name, arrow.string())
            types[name] = kind if types.get(name, kind) == kind else arrow.string()
    source = SOURCE if SOURCE not in types else PREFIX + SOURCE
    return arrow.schema([*types.items(), (source, arrow.string())])


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_N_TOLD])
    return f"{shown} and {len(names) - _N_TOLD:,} more" if len(names) > _N_TOLD else shown
