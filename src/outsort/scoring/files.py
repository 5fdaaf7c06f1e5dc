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
    joined,
    renamed,
    scorer_of,
    text_columns,
    texts_of_frame,
)
from outsort.tables.base import Batch, Cell, Reader, Record, plain_rows
from outsort.tables.formats import format_of, open_writer
from outsort.tables.packing import packed_output
from outsort.tables.records import Records
from outsort.tables.sources import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from outsort.model import Model
    from outsort.tables.base import Added


@dataclass(frozen=True)
class Options:
    """How files are scored.

    Attributes:
        text_columns: the columns of text, joined by a space where there are several; found by their usual
            names when empty.
        prefix: put before the names of the added columns; when None, only if one of them is taken.
        explain: add the terms that spoke most for and against.
        keep: let rows that cannot be read through with their reason, rather than stop.
        limit: rows read of each file, at most; None for all.
        workers: threads; None for one a core.
        read_as: the format of the input; told by the name when None.
        write_as: likewise of the output.
        encoding: of CSV input; found when None.
        sheet: of a workbook; the first when None.
    """

    text_columns: Sequence[str] = ()
    prefix: str | None = None
    explain: bool = False
    keep: bool = False
    limit: int | None = None
    workers: int | None = None
    read_as: str | None = None
    write_as: str | None = None
    encoding: str | None = None
    sheet: str | None = None


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
        if table.style == "jsonl":
            return []
        names, schema = table.reader.columns, getattr(table.reader, "schema", None)
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
        columns = _first_keys(table.reader) if table.style == "jsonl" else table.reader.columns
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
    write_as, write_packing = ("", "") if as_it_came else format_of(output, options.write_as)
    with ExitStack() as stack:
        raw, reader, read_as = stack.enter_context(opened(source, options))
        write_as = write_as or read_as
        size = os.fstat(raw.fileno()).st_size
        # JSON lines pass through as they are; only another format must know all their keys beforehand.
        columns = [] if read_as == write_as == "jsonl" else reader.columns
        names = text_columns(source, columns or _first_keys(reader), options.text_columns)
        prefix = added_prefix(columns or _first_keys(reader), scorer.added, options.prefix)
        added = {prefix + name: kind for name, kind in scorer.added.items()}
        file = stack.enter_context(_output(output, force=force))
        packed = stack.enter_context(packed_output(file, write_packing, output))
        writer = open_writer(packed, write_as, columns, added, reader)
        n_rows = 0
        for batch, new in _answered(
            scorer, _limited(reader, options.limit), reader.columns if columns else [], names
        ):
            writer.write(batch, renamed(new, prefix))
            n_rows += batch.n_rows
            if progress:
                progress(n_rows, min(1.0, raw.tell() / size) if size else 1.0)
        writer.close()
    return n_rows


def _answered(
    scorer: Scorer, batches: Iterable[Batch], columns: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[Batch, Added]]:
    """Answer batches in order, reading the next ones while the kernel works without the GIL."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[Batch, Any]] = deque()
        for batch in batches:
            texts, faults = texts_of_batch(batch, columns, names)
            waiting.append((batch, pool.submit(scorer.columns, texts, faults)))
            if len(waiting) > 2:
                scorer_of, future = waiting.popleft()
                yield scorer_of, future.result()
        for scorer_of, future in waiting:
            yield scorer_of, future.result()


def texts_of_batch(batch: Batch, columns: Sequence[str], names: Sequence[str]) -> tuple[Any, dict[int, str]]:
    """Return the texts of a batch, joined from the columns named, and the faults that its rows came with.

    They come as a list of strings, as `Texts` or as an Arrow array, whichever costs least.
    """
    rows = batch.rows
    if isinstance(rows, Records):
        if len(names) == 1:
            return rows.texts(columns.index(names[0])), batch.faults
    elif not isinstance(rows, list):
        return texts_of_frame(rows, names), batch.faults
    if rows and isinstance(rows[0], Record):
        values = [[record.get(name) for name in names] for record in rows]
    else:
        places = [columns.index(name) for name in names]
        if len(places) == 1 and not (rows and rows[0] and isinstance(rows[0][0], Cell)):
            place = places[0]
            return [row[place] for row in rows], batch.faults
        values = [[row[place] for place in places] for row in plain_rows(batch, columns)]
    return [joined(row) for row in values], batch.faults


def _first_keys(reader: Reader) -> list[str]:
    """Return the keys of the first lines of JSON: enough to find the text by."""
    keys: dict[str, None] = {}
    for batch in reader:
        for record in batch.rows:
            keys.update(dict.fromkeys(record))
        break
    return list(keys)


def _limited(reader: Reader, limit: int | None) -> Iterator[Batch]:
    left = limit
    for batch in reader:
        if left is None:
            yield batch
            continue
        yield batch.head(left)
        left -= batch.n_rows
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
