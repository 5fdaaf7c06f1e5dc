"""Score a file: every row is scored, every column kept."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from outsort.decision import ACCEPT
from outsort.errors import DataError, OutputError, Unlike
from outsort.files import check_output, written_whole
from outsort.likeness import Tally, differences
from outsort.model import Model
from outsort.scoring.corrections import CORRECTED, Correction, corrected
from outsort.scoring.scorer import Scorer, added_prefix, renamed, scorer_of
from outsort.tables.base import Batch, Reader, ReadOptions, warn
from outsort.tables.columns import find_text_columns
from outsort.tables.formats import format_of
from outsort.tables.packing import packed_output
from outsort.tables.sources import opened

if TYPE_CHECKING:
    from outsort.tables.base import Added


@dataclass(frozen=True)
class Options(ReadOptions):
    """How to score files, in addition to how to read them (`ReadOptions`).

    Attributes:
        text_columns: the text columns, joined by a space if there are several; found by their usual names
            if empty.
        prefix: prefix for added columns; if None, only used when a name is taken.
        explain: add the top terms for and against each label.
        limit: read only this many rows of each file; None for all.
        workers: number of threads; None for one per core.
        write_as: name of the output format; None to use the output's suffix, or else the input's format.
        safe_for_excel: put an apostrophe before cells of CSV and TSV that spreadsheets take for formulas.
        plain: write a new workbook of the values where the input is one, instead of a copy of it.
        corrections: what a person decided, by the place of the row, the first being 0; if there are any, the
            columns `CORRECTED` are added as well.
    """

    text_columns: Sequence[str] = ()
    prefix: str | None = None
    explain: bool = False
    limit: int | None = None
    workers: int | None = None
    write_as: str | None = None
    safe_for_excel: bool = False
    plain: bool = False
    corrections: Mapping[int, Correction] = field(default_factory=dict)


def score_file(
    source: Path | str,
    output: Path | str,
    model: Model | Scorer | None = None,
    *,
    options: Options | None = None,
    force: bool = False,
    progress: Callable[[int, float], None] | None = None,
    tell: Callable[[str], None] = warn,
) -> int:
    """Score every row of a file.

    Args:
        source: the file to read; - for stdin.
        output: the file to write, atomically; - for stdout.
        model: the model, or a `Scorer`, which has its own `workers` and `explain`; the default model if
            None.
        options: how to read and score; `Options()` if None.
        force: replace the output if it exists.
        progress: called after each batch with the rows done and the fraction of the input read, 0 to 1.
        tell: called with what was guessed, and with each kind of cell that was kept as text; a `DataWarning`
            by default.

    Returns:
        The number of rows.

    Raises:
        DataError: the input cannot be read, or the output's format cannot hold it; the message gives the row,
            if any. Nothing is written.
        OutputError: the output exists (and not `force`), is the input, or cannot be written.
    """
    options = options or Options()
    scorer = scorer_of(model, workers=options.workers, explain=options.explain)
    return score_one(scorer, str(source), str(output), options, force=force, progress=progress, tell=tell)


def share_accepted(source: Path | str, model: Model, *, options: Options | None = None) -> float:
    """Return the share of a table's rows whose answers are accepted; 0 for no rows.

    Raises:
        DataError: the table cannot be read, or has no text column.
    """
    options = options or Options()
    scorer = Scorer(model, workers=options.workers)
    n_rows = n_accepted = 0
    with opened(str(source), options) as table:
        names = find_text_columns(str(source), table.reader.head_columns, options.text_columns)
        for batch, new in _answered(scorer, _limited(table.reader, options.limit), names, str(source)):
            n_rows += len(batch)
            n_accepted += new["decision"].tolist().count(ACCEPT)
    return n_accepted / max(n_rows, 1)


def schema_of(source: str, options: Options) -> list[tuple[str, str]]:
    """Return the name and type of each column of a file, from its head; [] for JSON lines.

    Raises:
        DataError: the file cannot be read.
    """
    with opened(source, replace(options, keep=True)) as table:
        if table.format.name == "jsonl":
            return []
        names, schema = table.reader.columns, table.reader.dialect.schema
    types = [str(field.type) for field in schema] if schema else ["text"] * len(names)
    return list(zip(names, types, strict=True))


class Layout(NamedTuple):
    """The columns of a table.

    Attributes:
        columns: all names in order; for JSON lines, those of the first rows.
        text_columns: the text columns.
        prefix: prefix of the added columns.
    """

    columns: list[str]
    text_columns: list[str]
    prefix: str


def layout(source: Path | str, options: Options, added: Iterable[str]) -> Layout:
    """Return the columns of a file, its text columns and the prefix of the columns to add, `added`.

    Raises:
        DataError: the columns cannot be read, there is no text column, or the prefixed names are taken.
    """
    with opened(str(source), options) as table:
        columns = table.reader.head_columns
    names = find_text_columns(str(source), columns, options.text_columns)
    added = [*added, *(CORRECTED if options.corrections else ())]
    return Layout(columns, names, added_prefix(columns, added, options.prefix))


def score_one(
    scorer: Scorer,
    source: str,
    output: str,
    options: Options,
    *,
    force: bool,
    progress: Callable[[int, float], None] | None,
    tell: Callable[[str], None] = warn,
) -> int:
    """Score one file with an existing scorer; see `score_file`."""
    if output != "-":
        if source != "-" and Path(output).exists() and Path(output).samefile(source):
            raise OutputError(f"{output}: is the input. Name another output.")
        check_output(Path(output), force=force)
    table, target = ("standard input" if source == "-" else source), ("stdout" if output == "-" else output)
    as_it_came = output == "-" and not options.write_as
    write_as, write_packing = (None, "") if as_it_came else format_of(output, options.write_as)
    with ExitStack() as stack:
        raw, reader, style = stack.enter_context(opened(source, options))
        write_as = write_as or style
        size = os.fstat(raw.fileno()).st_size
        # JSON lines are passed through as they are; any other output format needs all keys up front.
        columns = [] if style.name == write_as.name == "jsonl" else reader.columns
        names = find_text_columns(source, reader.head_columns, options.text_columns)
        kinds = scorer.added | (CORRECTED if options.corrections else {})
        prefix = added_prefix(reader.head_columns, kinds, options.prefix)
        # A key that comes late may be the name of an answer.
        added_prefix(columns, kinds, prefix)
        added = {prefix + name: kind for name, kind in kinds.items()}
        file = stack.enter_context(_output(output, force=force))
        packed = stack.enter_context(packed_output(file, write_packing, output))
        dialect = replace(reader.dialect, safe_for_excel=options.safe_for_excel)
        if options.plain:
            dialect = replace(dialect, origin=None)
        with _named(target):
            writer = write_as.open_writer(packed, columns, added, dialect)
        n_rows, tally = 0, Tally()
        for batch, new in _answered(scorer, _limited(reader, options.limit), names, table, tally):
            if options.corrections:
                new = corrected(new, options.corrections, n_rows)
            with _named(target):
                writer.write(batch, renamed(new, prefix))
            n_rows += len(batch)
            if progress:
                progress(n_rows, min(1.0, raw.tell() / size) if size else 1.0)
        with _named(target):
            writer.close()
        _check_places(source, options.corrections, n_rows)
    if reader.encoding == "cp1252" and not options.encoding:
        tell(f"{table}: read as cp1252, because it is not UTF-8")
    for change in writer.changes:
        tell(f"{target}: {change}")
    promise = scorer.model.about.get("decision", {})
    odd = differences(tally.profile(scorer.model.labels), promise.get("measured") or {})
    if odd:
        tell(
            Unlike(
                f"{table}: unlike what the promise was measured on ({promise['held_out']}): {', '.join(odd)}. Label "
                "200 rows and certify the model on them: see `outsort certify --help`."
            )
        )
    return n_rows


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
    scorer: Scorer, batches: Iterable[Batch], names: Sequence[str], source: str, tally: Tally | None = None
) -> Iterator[tuple[Batch, Added]]:
    """Score batches in order, reading ahead while the kernel runs without the GIL."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[Batch, Any]] = deque()
        for batch in batches:
            with _named(source):
                texts = batch.texts(names)
            waiting.append((batch, pool.submit(scorer.columns, texts, batch.faults, tally)))
            if len(waiting) > 2:
                scored, future = waiting.popleft()
                yield scored, future.result()
        for scored, future in waiting:
            yield scored, future.result()


def _limited(reader: Reader, limit: int | None) -> Iterator[Batch]:
    left = limit
    for batch in reader:
        if left is None:
            yield batch
            continue
        yield batch.head(left)
        left -= len(batch)
        if left <= 0:
            return


@contextmanager
def _output(output: str, *, force: bool) -> Iterator[IO[bytes]]:
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with written_whole(Path(output), force=force) as file:
            yield file
