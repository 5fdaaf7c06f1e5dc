"""Tables in, tables out: every row answered, every column kept."""

from __future__ import annotations

import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from outsort.errors import OutputError
from outsort.files import check_output, written_whole
from outsort.scoring.scorer import (
    ADDED,
    EXPLAINED,
    Scorer,
    added_prefix,
    renamed,
    scorer_of,
    text_columns,
)
from outsort.tables.base import Batch, Reader, ReadOptions
from outsort.tables.formats import format_of
from outsort.tables.packing import packed_output
from outsort.tables.sources import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from outsort.model import Model
    from outsort.tables.base import Added


@dataclass(frozen=True)
class Options(ReadOptions):
    """How files are scored; how they are read, see `ReadOptions`.

    Attributes:
        text_columns: the columns of text, joined by a space where there are several; found by their usual
            names when empty.
        prefix: put before the names of the added columns; when None, only if one of them is taken.
        explain: add the terms that spoke most for and against.
        limit: rows read of each file, at most; None for all.
        workers: threads; None for one a core.
        write_as: the name of the output's format; None to go by its name, or else that of the input.
    """

    text_columns: Sequence[str] = ()
    prefix: str | None = None
    explain: bool = False
    limit: int | None = None
    workers: int | None = None
    write_as: str | None = None


def score_file(
    source: Path | str,
    output: Path | str,
    model: Model | Scorer | None = None,
    *,
    options: Options | None = None,
    force: bool = False,
    progress: Callable[[int, float], None] | None = None,
) -> int:
    """Answer every row of a file.

    Args:
        source: the file to read; - for standard input.
        output: the file to write, whole or not at all; - for standard output.
        model: the model to ask, or one made scorer_of, which knows its own `workers` and `explain`; the
            default model when None.
        options: how, `Options()` when None.
        force: replace the output if it exists.
        progress: called after each batch with the rows done and the share of the input read, 0 to 1.

    Returns:
        The number of rows.

    Raises:
        DataError: the input cannot be read, with the row where there is one; nothing is written.
        OutputError: the output exists (and not `force`), is the input, or cannot be written.
    """
    options = options or Options()
    scorer = scorer_of(model, workers=options.workers, explain=options.explain)
    return score_one(scorer, str(source), str(output), options, force=force, progress=progress)


def schema_of(source: str, options: Options) -> list[tuple[str, str]]:
    """Return the name and type of each column of a file, from its head; of JSON lines, which need none, [].

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
        columns: the names of all, in order; of JSON lines those of the first rows.
        text_columns: the columns of text.
        prefix: what the names of the added columns begin with.
    """

    columns: list[str]
    text_columns: list[str]
    prefix: str


def layout(source: Path | str, options: Options) -> Layout:
    """Say which columns a file has, which of them are read, and how those to be added begin.

    Raises:
        DataError: the columns cannot be read, there is none of text, or no prefix that is free.
    """
    with opened(str(source), options) as table:
        columns = table.reader.head_columns
    names = text_columns(str(source), columns, options.text_columns)
    added = ADDED | (EXPLAINED if options.explain else {})
    return Layout(columns, names, added_prefix(columns, added, options.prefix))


def score_one(
    scorer: Scorer,
    source: str,
    output: str,
    options: Options,
    *,
    force: bool,
    progress: Callable[[int, float], None] | None,
) -> int:
    """Score one file with a scorer that is made already; see `score_file`."""
    if output != "-":
        if source != "-" and Path(output).exists() and Path(output).samefile(source):
            raise OutputError(f"{output}: is the input. Name another output.")
        check_output(Path(output), force=force)
    as_it_came = output == "-" and not options.write_as
    write_as, write_packing = (None, "") if as_it_came else format_of(output, options.write_as)
    with ExitStack() as stack:
        raw, reader, style = stack.enter_context(opened(source, options))
        write_as = write_as or style
        size = os.fstat(raw.fileno()).st_size
        # JSON lines pass through as they are; only another format must know all their keys beforehand.
        columns = [] if style.name == write_as.name == "jsonl" else reader.columns
        names = text_columns(source, reader.head_columns, options.text_columns)
        prefix = added_prefix(reader.head_columns, scorer.added, options.prefix)
        added = {prefix + name: kind for name, kind in scorer.added.items()}
        file = stack.enter_context(_output(output, force=force))
        packed = stack.enter_context(packed_output(file, write_packing, output))
        writer = write_as.open_writer(packed, columns, added, reader.dialect)
        n_rows = 0
        for batch, new in _answered(scorer, _limited(reader, options.limit), names):
            writer.write(batch, renamed(new, prefix))
            n_rows += len(batch)
            if progress:
                progress(n_rows, min(1.0, raw.tell() / size) if size else 1.0)
        writer.close()
    return n_rows


def _answered(
    scorer: Scorer, batches: Iterable[Batch], names: Sequence[str]
) -> Iterator[tuple[Batch, Added]]:
    """Answer batches in order, reading the next ones while the kernel works without the GIL."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[Batch, Any]] = deque()
        for batch in batches:
            waiting.append((batch, pool.submit(scorer.columns, batch.texts(names), batch.faults)))
            if len(waiting) > 2:
                scorer_of, future = waiting.popleft()
                yield scorer_of, future.result()
        for scorer_of, future in waiting:
            yield scorer_of, future.result()


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
