"""Score a file: every row is scored, every column kept."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from outsort.decision import ACCEPT
from outsort.errors import DataError, OutputError, Unlike
from outsort.files import check_output, written_whole
from outsort.likeness import Tally, differences
from outsort.model import Model
from outsort.progress import tell
from outsort.rules.rule import Rules
from outsort.scoring.corrections import CORRECTED, Correction, corrected
from outsort.scoring.scorer import Scorer, added_prefix, renamed, scorer_of
from outsort.scoring.split import AMOUNT, WEIGHTED, Splitting
from outsort.scoring.summary import Summary, SummaryTally, add_batch
from outsort.scoring.union import UnionBatch, UnionReader, cells_of, united
from outsort.tables.base import (
    Batch,
    Categorical,
    Reader,
    ReadOptions,
    TextColumns,
    Writer,
    distinct_names,
    limited,
    warn,
)
from outsort.tables.columns import text_columns_of
from outsort.tables.formats import Format, output_format_of
from outsort.tables.not_work import faults_of
from outsort.tables.packing import packed_output
from outsort.tables.reading import Reading, describe
from outsort.tables.sources import opened
from outsort.taxonomy import Taxonomy

if TYPE_CHECKING:
    from outsort.tables.base import Added, BatchTexts, Dialect
    from outsort.tables.workbooks.copying import WorkbookCopy
    from outsort.tables.workbooks.excel import ExcelWriter


@dataclass(frozen=True)
class Options(ReadOptions):
    """How to score files, in addition to how to read them (`ReadOptions`).

    Attributes:
        prefix: prefix for added columns; if None, only used when a name is taken.
        explain: add the top terms for and against each label.
        taxonomy: add the categories of a taxonomy, loaded for the same model; None for none.
        limit: read only this many rows of each file, or passages of each document; None for all.
        workers: number of threads; None for one per core.
        write_as: name of the output format; None to use the output's suffix, or else the input's format.
        safe_for_excel: put an apostrophe before cells of CSV and TSV that spreadsheets take for formulas.
        plain: write a new workbook of the values where the input is one, instead of a copy of it.
        corrections: what a person decided, by the place of the row, the first being 0; if there are any, the
            columns `CORRECTED` are added as well.
        weight_column: the column of amounts, such as spend, that `split` divides among the clauses of a row; None for
            none.
    """

    prefix: str | None = None
    explain: bool = False
    taxonomy: Taxonomy | None = None
    rules: Rules | None = None
    limit: int | None = None
    workers: int | None = None
    write_as: str | None = None
    safe_for_excel: bool = False
    plain: bool = False
    corrections: Mapping[int, Correction] = field(default_factory=dict)
    weight_column: str | None = None


def score_file(
    source: Path | str | Sequence[Path | str],
    output: Path | str,
    model: Model | Scorer | None = None,
    *,
    options: Options | None = None,
    force: bool = False,
    progress: Callable[[int, float], None] | None = None,
    tell: Callable[[str], None] = warn,
    summary: SummaryTally | None = None,
) -> int:
    """Score every row of a file, or of several files into one.

    Args:
        source: the file to read; - for stdin. Of a list of files the rows come one file after the other, under the
            columns of all, united by name, with the column `source`: the name of the file.
        output: the file to write, atomically; - for stdout.
        model: the model, or a `Scorer`, which has its own `workers`, `explain`, `taxonomy` and `rules`; the default
            model if None.
        options: how to read and score; `Options()` if None.
        force: replace the output if it exists.
        progress: called after each batch with the rows done and the fraction of the input read, 0 to 1.
        tell: called with what was guessed, and with each kind of cell that was kept as text; a `DataWarning`
            by default.
        summary: the rows are added to this tally, once all are written.

    Returns:
        The number of rows.

    Raises:
        DataError: the input cannot be read, or the output's format cannot hold it; the message gives the row,
            if any. Nothing is written.
        OutputError: the output exists (and not `force`), is the input, or cannot be written.
    """
    options = options or Options()
    scorer = scorer_for(model, options)
    sources = str(source) if isinstance(source, (Path, str)) else list(map(str, source))
    return score_one(scorer, sources, str(output), options, force=force, progress=progress, tell=tell, summary=summary)


def scorer_for(model: Model | Scorer | None, options: Options) -> Scorer:
    """Return `model` if it is a scorer, else a new one with these options, of the default model if None."""
    return scorer_of(
        model, workers=options.workers, explain=options.explain, taxonomy=options.taxonomy, rules=options.rules
    )


def share_accepted(source: Path | str, model: Model, *, options: Options | None = None) -> float:
    """Return the share of a table's rows whose answers are accepted; 0 for no rows.

    Raises:
        DataError: the table cannot be read, or has no text column.
    """
    options = options or Options()
    scorer = Scorer(model, workers=options.workers)
    n_rows = n_accepted = 0
    with opened(str(source), options) as table:
        found, batches = text_columns_of(str(source), table.reader, options.text_columns)
        batches = limited(batches, options.limit)
        for batch, _, new in _answered(scorer, batches, found.parts, str(source), None, {}):
            n_rows += len(batch)
            n_accepted += new["decision"].tolist().count(ACCEPT)
            tell(f"row of {source}", n_rows, 0)
    return n_accepted / max(n_rows, 1)


def schema_of(source: str, options: Options) -> list[tuple[str, str]]:
    """Return the name and type of each column of a file, from its head; [] for JSON.

    Raises:
        DataError: the file cannot be read.
    """
    with opened(source, replace(options, keep=True)) as table:
        if table.format.of_objects:
            return []
        names, schema = table.reader.columns, table.reader.dialect.schema
    types = [str(field.type) for field in schema] if schema else ["text"] * len(names)
    return list(zip(names, types, strict=True))


class Layout(NamedTuple):
    """The columns of a table.

    Attributes:
        columns: all names in order, those of one name with their numbers; for JSON, those of the first rows.
        text_columns: the text columns, each with those read where it is blank.
        prefix: prefix of the added columns.
    """

    columns: list[str]
    text_columns: list[list[str]]
    prefix: str


def layout(source: Path | str, options: Options, added: Iterable[str]) -> Layout:
    """Return the columns of a file, its text columns and the prefix of the columns to add, `added`.

    Raises:
        DataError: the columns cannot be read, there is no text column, or the prefixed names are taken.
    """
    with opened(str(source), options) as table:
        columns = table.reader.head_columns
        found, _ = text_columns_of(str(source), table.reader, options.text_columns)
        choices = [*distinct_names(columns), *table.reader.nested_columns]
    added = [*added, *(CORRECTED if options.corrections else ())]
    texts = [[choices[column.place] for column in part] for part in found.parts]
    return Layout(choices[: len(columns)], texts, added_prefix(columns, added, options.prefix))


class _Input(NamedTuple):
    """What is read: a table, or several as one.

    Attributes:
        name: what messages call it.
        reader: its columns and its dialect.
        text_columns: its text columns.
        format: its format, of several tables that of the first.
        batches: its rows.
        done: returns the fraction that is read, 0 to 1.
        told: returns what was read of each table, once all rows are; takes their number.
    """

    name: str
    reader: Reader
    text_columns: TextColumns
    format: Format
    batches: Iterator[Batch]
    done: Callable[[], float]
    told: Callable[[int], Sequence[Reading]]


@contextmanager
def _input(
    source: str | Sequence[str], options: Options, scorer: Scorer, tell: Callable[[str], None]
) -> Iterator[_Input]:
    how = Splitting(scorer.weights, options.limit, options.prefix, options.weight_column)
    open_table = how.opened if options.split else opened
    # Clauses are not counted, but the rows that they are from.
    limit = None if options.split else options.limit
    if isinstance(source, str):
        with open_table(source, options) as table:
            raw, reader = table.raw, table.reader
            size = os.fstat(raw.fileno()).st_size
            found, batches = text_columns_of(source, reader, options.text_columns)
            name = "standard input" if source == "-" else source
            rows = limited(batches, limit)
            done = partial(_share_read, raw, size)

            def told(n_rows: int) -> list[Reading]:
                about = (reader.location, reader.head_columns, found, options)
                return [describe(name, *about, n_rows=n_rows, encoding=reader.encoding, notes=table.notes)]

            yield _Input(name, reader, found.parts, table.format, rows, done, told)
    else:
        with united(source, options, options.text_columns, tell, open_table) as reader:
            rows = chain.from_iterable(limited(table, limit) for table in reader.tables_in_turn())
            name, style = f"{len(source)} inputs", reader.format
            yield _Input(name, reader, [], style, rows, lambda: reader.done, lambda _: reader.readings)


def _share_read(raw: IO[bytes], size: int) -> float:
    return min(1.0, raw.tell() / size) if size else 1.0


def score_one(
    scorer: Scorer,
    source: str | Sequence[str],
    output: str,
    options: Options,
    *,
    force: bool,
    progress: Callable[[int, float], None] | None,
    tell: Callable[[str], None] = warn,
    summary: SummaryTally | None = None,
) -> int:
    """Score one file, or several into one, with an existing scorer; see `score_file`."""
    _check_paths([source] if isinstance(source, str) else source, output, force=force)
    target = "stdout" if output == "-" else output
    as_it_came = output == "-" and not options.write_as
    write_as, write_packing = (None, "") if as_it_came else output_format_of(output, options.write_as)
    with ExitStack() as stack:
        table, reader, parts, style, batches, done, told = stack.enter_context(_input(source, options, scorer, tell))
        write_as = write_as or style
        # JSON is passed through as it is; any other output format needs all keys up front.
        passes = isinstance(source, str) and not options.split and style.of_objects and write_as.of_objects
        columns = [] if passes else reader.columns
        kinds = scorer.added | (CORRECTED if options.corrections else {})
        prefix = added_prefix(reader.head_columns, kinds, options.prefix)
        # A key that comes late may be the name of an answer.
        added_prefix(columns, kinds, prefix)
        sources = [reader.source_column] if isinstance(reader, UnionReader) else []
        added = dict.fromkeys(sources, str) | {prefix + name: kind for name, kind in kinds.items()}
        every = [*(columns or reader.columns), *sources]
        if summary:
            summary.find_columns(table, every, added, reader.nested_columns)
        of_rules = scorer.rules.columns_in(table, every, reader.nested_columns) if scorer.rules else {}
        file = stack.enter_context(_output(output, force=force))
        packed = stack.enter_context(packed_output(file, write_packing, output))
        dialect = reader.dialect if not options.plain else replace(reader.dialect, origin=None, lost="")
        dialect = replace(dialect, safe_for_excel=options.safe_for_excel)
        with _named(target):
            writer = write_as.open_writer(packed, columns, added, dialect)
        is_book = write_as.name == "xlsx"
        n_rows, tally = 0, Tally()
        picture = _picture(summary, scorer.model, options, is_book=is_book)
        for batch, texts, new in _answered(scorer, batches, parts, table, tally, of_rules):
            if options.corrections:
                new = corrected(new, options.corrections, n_rows)
            with _named(target):
                writer.write(*_to_write(batch, renamed(new, prefix)))
            if picture:
                add_batch(picture, table, batch, texts, new)
            n_rows += len(batch)
            if progress:
                progress(n_rows, done())
        with _named(target):
            if picture and is_book:
                _add_summary(writer, picture.result())
            writer.close()
        _check_places(table, options.corrections, n_rows)
    if summary and picture:
        summary.merge(picture)
    for reading in told(n_rows):
        tell(reading)
    for change in (*_lost(style, write_as, dialect), *writer.changes):
        tell(f"{target}: {change}")
    _tell_unlike(scorer.model, table, tally, tell)
    return n_rows


def _picture(summary: SummaryTally | None, model: Model, options: Options, *, is_book: bool) -> SummaryTally | None:
    """Return a tally of the rows of one output, because a workbook shows its own; None if nobody asks for it."""
    picture = summary.anew() if summary else SummaryTally(model) if is_book else None
    if picture and options.split:
        prefix = options.prefix or ""
        picture.weigh_clauses(prefix + AMOUNT, prefix + WEIGHTED)
    return picture


def _lost(read_as: Format, write_as: Format, dialect: Dialect) -> list[str]:
    """Return in words what a workbook loses that is written anew."""
    is_anew = write_as.name == "xlsx" and dialect.origin is None and not read_as.has_encoding
    return [f"is a new workbook of the values alone; it lacks {dialect.lost}"] if is_anew and dialect.lost else []


def _to_write(batch: Batch, added: Added) -> tuple[Batch, Added]:
    """Return a batch and its appended columns, of several tables with the file of each row."""
    if not isinstance(batch, UnionBatch):
        return batch, added
    source: Added = {batch.source_column: Categorical(np.zeros(len(batch), np.int64), [batch.source])}
    return batch.written, source | added


def _check_paths(sources: Sequence[str], output: str, *, force: bool) -> None:
    """Refuse an output that is an input, or that exists."""
    if output == "-":
        return
    for source in sources:
        if source != "-" and Path(output).exists() and Path(output).samefile(source):
            raise OutputError(f"{output}: is the input. Name another output.")
    check_output(Path(output), force=force)


def _add_summary(writer: Writer, summary: Summary) -> None:
    """Let the writer of a workbook add the sheet of a summary."""
    from outsort.scoring.summary_sheet import add_summary_sheet

    cast("ExcelWriter | WorkbookCopy", writer).add_sheets(partial(add_summary_sheet, summary=summary))


def _tell_unlike(model: Model, table: str, tally: Tally, tell: Callable[[str], None]) -> None:
    """Say where a table is unlike what the model's promise was measured on."""
    promise = model.about.get("decision", {})
    odd = differences(tally.profile(model.labels), promise.get("measured") or {})
    if odd:
        tell(
            Unlike(
                f"{table}: unlike what the promise was measured on ({promise['held_out']}): {', '.join(odd)}. Label "
                "200 rows and certify the model on them: see `outsort certify --help`."
            )
        )


def _check_places(source: str, corrections: Mapping[int, Correction], n_rows: int) -> None:
    beyond = max(corrections, default=0)
    if corrections and beyond >= n_rows:
        raise DataError(
            f"{source}: has {n_rows:,} rows; the correction of row {beyond:,} (from 0) is for another file."
        )


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the name of a file before what is wrong with its cells."""
    try:
        yield
    except (DataError, OutputError) as error:
        raise type(error)(f"{name}: {error}") from None


def _answered(
    scorer: Scorer,
    batches: Iterable[Batch],
    columns: TextColumns,
    source: str,
    tally: Tally | None,
    of_rules: Mapping[str, str],
) -> Iterator[tuple[Batch, BatchTexts, Added]]:
    """Score batches in order, reading ahead while the kernel runs without the GIL.

    Args:
        scorer: the scorer.
        batches: the rows.
        columns: their text columns.
        source: the name of the table in messages.
        tally: what the texts are like is added to it; None if nobody asks.
        of_rules: the columns of the table that rules have conditions on, by the names that rules have for them.
    """

    def named(batch: Batch) -> AbstractContextManager[None]:
        return _named(batch.source if isinstance(batch, UnionBatch) else source)

    def named_cells(batch: Batch, name: str) -> list[object]:
        return cells_of(batch, of_rules[name])

    # Rules have a thread of their own, so that they are matched while the kernel runs.
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(1) as matching:
        waiting: deque[tuple[Batch, BatchTexts, Any]] = deque()

        def next_scored() -> tuple[Batch, BatchTexts, Added]:
            batch, texts, future = waiting.popleft()
            with named(batch):
                return batch, texts, future.result()

        for batch in batches:
            with named(batch):
                texts = batch.texts(columns)
            hits = None
            if scorer.rules:
                hits = matching.submit(scorer.rules.hits, texts, partial(named_cells, batch)).result
            waiting.append((batch, texts, pool.submit(scorer.columns, texts, faults_of(batch, texts), tally, hits)))
            if len(waiting) > 2:
                yield next_scored()
        while waiting:
            yield next_scored()


@contextmanager
def _output(output: str, *, force: bool) -> Iterator[IO[bytes]]:
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with written_whole(Path(output), force=force) as file:
            yield file
