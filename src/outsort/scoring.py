"""Tables in, tables out: every row answered, every column kept."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from outsort.artefact import load
from outsort.columns import find_column
from outsort.decision import ACCEPT, REASONS, REVIEW, confidence, reasons, threshold_of
from outsort.errors import DataError, OutputError
from outsort.files import check_output, written_whole
from outsort.kernel import Kernel
from outsort.model import ANSWERS, Model
from outsort.parts import begun
from outsort.prediction import predictions
from outsort.records import Records
from outsort.tables import (
    Batch,
    Cell,
    Coded,
    Reader,
    Record,
    format_of,
    open_reader,
    open_writer,
    packed_output,
    plain_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from outsort.buffers import Texts
    from outsort.tables import Added

#: The columns added, in their order, and their types.
ADDED = {
    "label": str,
    "probability": float,
    "neither": float,
    "service_line": str,
    "decision": str,
    "reason": str,
    "model": str,
}
EXPLAINED = {"for": str, "against": str}
#: Put before the names of the added columns when one of them is taken and no other prefix is given.
PREFIX = "outsort_"


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


class Scorer:
    """A model made ready for many texts."""

    def __init__(self, model: Model, *, workers: int | None = None, explain: bool = False) -> None:
        """Lay the model out; `workers` threads, one a core when None."""
        self.model = model
        self.added = ADDED | (EXPLAINED if explain else {})
        self._explain = explain
        self._kernel = Kernel(model, workers or os.cpu_count() or 1)

    def columns(
        self, texts: Texts | Sequence[str] | pa.Array, faults: Mapping[int, str] | None = None
    ) -> Added:
        """Return the added columns for n texts, each of n values.

        Args:
            texts: strings, `Texts`, or an Arrow array.
            faults: place and reason of rows that were not read right; they go to review.
        """
        answers = self._kernel.answer(texts)
        n = len(answers.log_odds)
        # As in `odds_to_proba`, for the better of the two alone.
        probability = 1 / (1 + np.exp(-np.abs(answers.log_odds)))
        why = reasons(
            answers.blank,
            confidence(answers.log_odds, answers.neither),
            answers.neither,
            answers.n_words,
            answers.n_known,
            answers.n_terms,
            threshold_of(self.model),
        )
        causes = list(REASONS)
        for place, fault in (faults or {}).items():
            why[place] = len(causes)
            causes.append(fault)
        answered = answers.n_terms > 0
        line = np.where(answered & self.model.has_lines, answers.line, len(self.model.lines))
        nothing = np.zeros(n, np.int64)
        result: Added = {
            "label": Coded((answers.log_odds > 0).astype(np.int64), ANSWERS),
            "probability": np.round(probability, 6),
            "neither": np.round(answers.neither, 6) if self.model.knows_neither else Coded(nothing, [None]),
            "service_line": Coded(line.astype(np.int64), [*self.model.lines, None]),
            "decision": Coded((why > 0).astype(np.int64), [ACCEPT, REVIEW]),
            "reason": Coded(why.astype(np.int64), causes),
            "model": Coded(nothing, [self.model.fingerprint]),
        }
        return result | self._explanations(texts) if self._explain else result

    def _explanations(self, texts: Texts | Sequence[str] | pa.Array) -> Added:
        plain: Iterable[Any] = texts.to_pylist() if hasattr(texts, "to_pylist") else texts
        told = list(predictions((text or "" for text in plain), self.model))

        def column(terms: Iterable[tuple[tuple[str, float], ...]]) -> Coded:
            return Coded(np.arange(len(told)), ["; ".join(term for term, _ in row) for row in terms])

        return {"for": column(p.terms_for for p in told), "against": column(p.terms_against for p in told)}


def score(
    data: pd.DataFrame | pa.Table | Iterable[Any],
    model: Model | Scorer | None = None,
    *,
    text_column: str | Sequence[str] | None = None,
    prefix: str | None = None,
    explain: bool = False,
    workers: int | None = None,
) -> Any:  # noqa: ANN401 - what goes in comes out
    """Answer every row of a table.

    Args:
        data: a pandas frame, an Arrow table or record batch, or an iterable of any of these.
        model: the model to ask, or one made ready, which knows its own `workers` and `explain`; the
            default model when None.
        text_column: the column of text, or several to be joined; found by its usual name when None.
        prefix: put before the names of the added columns; when None, only if one of them is taken.
        explain: add the terms that spoke most for and against.
        workers: threads; one a core when None.

    Returns:
        The same kind of table with the same rows, index and columns, and the columns `ADDED` behind them;
        for an iterable, an iterator of such.

    Raises:
        DataError: there is no column of text.
        TypeError: `data` is no table.
    """
    scorer = _ready(model, workers=workers, explain=explain)
    names = [text_column] if isinstance(text_column, str) else list(text_column or ())

    def scored(table: Any) -> Any:  # noqa: ANN401
        columns = [str(c) for c in (table.column_names if hasattr(table, "column_names") else table.columns)]
        chosen = text_columns("the table", columns, names)
        texts = _texts_of_frame(table, chosen)
        prefixed = _renamed(scorer.columns(texts), _prefix(columns, scorer.added, prefix))
        added = {name: values.tolist() for name, values in prefixed.items()}
        if hasattr(table, "assign"):
            return _appended(table, dict(zip(added, scorer.added.values(), strict=True)), added)
        import pyarrow as pa

        for (name, values), kind in zip(added.items(), scorer.added.values(), strict=True):
            column = pa.array(values, pa.float64() if kind is float else pa.string())
            table = table.append_column(name, column)
        return table

    if hasattr(data, "columns"):
        return scored(data)
    if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise TypeError(f"expected a table or an iterable of tables, got {type(data).__name__}")
    return map(scored, data)


def _ready(model: Model | Scorer | None, *, workers: int | None, explain: bool) -> Scorer:
    return model if isinstance(model, Scorer) else Scorer(model or load(), workers=workers, explain=explain)


def _appended(frame: pd.DataFrame, types: Mapping[str, type], added: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return a frame with columns behind, of the same types whether there are rows or not."""
    import pandas as pd

    text = pd.Series([""]).dtype
    new = {
        name: pd.Series(values, frame.index, "float64" if types[name] is float else text)
        for name, values in added.items()
    }
    return pd.concat([frame, pd.DataFrame(new, index=frame.index)], axis=1)


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
        model: the model to ask, or one made ready, which knows its own `workers` and `explain`; the
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
    scorer = _ready(model, workers=options.workers, explain=options.explain)
    return _score_one(scorer, str(source), str(output), options, force=force, progress=progress)


def score_files(
    sources: Sequence[str],
    output: Path,
    model: Model | None = None,
    *,
    options: Options | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Callable[[int, float], None] | None = None,
) -> dict[str, int]:
    """Answer every row of several files, each into a file of the same name in a folder.

    Args:
        sources: files, and patterns such as ``parts/*.csv``.
        output: the folder; made when missing.
        model: the model to ask; the default model when None.
        options: how, `Options()` when None.
        force: replace outputs that exist.
        resume: leave outputs that exist, which are whole, and make the others.
        progress: see `score_file`; the share is that of the file at hand.

    Returns:
        Rows written for each output made.

    Raises:
        DataError: a pattern names no file, or two inputs have one name.
        OutputError: see `parts.begun`.
    """
    options = options or Options()
    model = model or load()
    with begun(expand(sources), output, model, options, force=force, resume=resume) as run:
        scorer = Scorer(model, workers=options.workers, explain=options.explain)
        run.start()
        for part in run.missing:
            n_rows = _score_one(scorer, part.source, str(part.target), options, force=True, progress=progress)
            run.finish(part, n_rows)
    return run.counts


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


class Opened(NamedTuple):
    """A table that is being read.

    Attributes:
        raw: its bytes.
        reader: its rows.
        style: its format, one of `tables.FORMATS`.
    """

    raw: IO[bytes]
    reader: Reader
    style: str


@contextmanager
def opened(source: str, options: Options) -> Iterator[Opened]:
    """Open a table to be read as the options say, for as long as the block lasts.

    Args:
        source: the file; - for standard input, which is CSV unless the options say otherwise.
        options: how to read it.

    Raises:
        DataError: it cannot be read, with the row where there is one; also while iterating.
    """
    is_stdin = source == "-"
    style, packing = ("csv", "") if is_stdin and not options.read_as else format_of(source, options.read_as)
    with _input(source) as raw:
        reader = open_reader(
            "standard input" if is_stdin else source,
            raw,
            style,
            packing=packing,
            encoding=options.encoding,
            sheet=options.sheet,
            keep=options.keep,
        )
        with closing(reader):
            yield Opened(raw, reader, style)


def layout(source: Path | str, options: Options) -> Layout:
    """Say which columns a file has, which of them are read, and how those to be added begin.

    Raises:
        DataError: the columns cannot be read, there is none of text, or no prefix that is free.
    """
    with opened(str(source), options) as table:
        columns = _first_keys(table.reader) if table.style == "jsonl" else table.reader.columns
    names = text_columns(str(source), columns, options.text_columns)
    added = ADDED | (EXPLAINED if options.explain else {})
    return Layout(columns, names, _prefix(columns, added, options.prefix))


def is_pattern(source: str) -> bool:
    """Tell a pattern such as ``parts/*.csv`` from a name."""
    return has_magic(source) and not Path(source).exists()


def expand(sources: Sequence[str]) -> list[str]:
    """Return the files that names and patterns stand for, in order.

    Raises:
        DataError: a pattern names no file.
    """
    paths: list[str] = []
    for source in sources:
        found = sorted(glob(source, recursive=True)) if is_pattern(source) else [source]  # noqa: PTH207 - of any root
        if not found:
            raise DataError(f"{source}: no file of such a name.")
        paths += found
    return paths


def _score_one(
    scorer: Scorer,
    source: str,
    output: str,
    options: Options,
    *,
    force: bool,
    progress: Callable[[int, float], None] | None,
) -> int:
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
        prefix = _prefix(columns or _first_keys(reader), scorer.added, options.prefix)
        added = {prefix + name: kind for name, kind in scorer.added.items()}
        file = stack.enter_context(_output(output, force=force))
        packed = stack.enter_context(packed_output(file, write_packing, output))
        writer = open_writer(packed, write_as, columns, added, reader)
        n_rows = 0
        for batch, new in _answered(
            scorer, _limited(reader, options.limit), reader.columns if columns else [], names
        ):
            writer.write(batch, _renamed(new, prefix))
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
                ready, future = waiting.popleft()
                yield ready, future.result()
        for ready, future in waiting:
            yield ready, future.result()


def texts_of_batch(batch: Batch, columns: Sequence[str], names: Sequence[str]) -> tuple[Any, dict[int, str]]:
    """Return the texts of a batch, joined from the columns named, and the faults that its rows came with.

    They come as a list of strings, as `Texts` or as an Arrow array, whichever costs least.
    """
    rows = batch.rows
    if isinstance(rows, Records):
        if len(names) == 1:
            return rows.texts(columns.index(names[0])), batch.faults
    elif not isinstance(rows, list):
        return _texts_of_frame(rows, names), batch.faults
    if rows and isinstance(rows[0], Record):
        values = [[record.get(name) for name in names] for record in rows]
    else:
        places = [columns.index(name) for name in names]
        if len(places) == 1 and not (rows and rows[0] and isinstance(rows[0][0], Cell)):
            place = places[0]
            return [row[place] for row in rows], batch.faults
        values = [[row[place] for place in places] for row in plain_rows(batch, columns)]
    return [_joined(row) for row in values], batch.faults


def _joined(values: Iterable[Any]) -> str:
    return " ".join(v if isinstance(v, str) else str(v) for v in values if v is not None)


def _texts_of_frame(table: Any, names: Sequence[str]) -> Any:  # noqa: ANN401
    if hasattr(table, "assign"):
        columns = [table[name].tolist() for name in names]
        missing = [table[name].isna().tolist() for name in names]
        return [
            _joined(None if m else v for v, m in zip(values, blank, strict=True))
            for values, blank in zip(zip(*columns, strict=True), zip(*missing, strict=True), strict=True)
        ]
    import pyarrow as pa

    columns = [table.column(name) for name in names]
    if len(columns) == 1 and (
        pa.types.is_string(columns[0].type) or pa.types.is_large_string(columns[0].type)
    ):
        return columns[0]
    return [_joined(values) for values in zip(*(c.to_pylist() for c in columns), strict=True)]


def text_columns(source: str, columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the columns of text: those wanted, the only one there is, or the one of a usual name.

    Raises:
        NoColumnError: there is none.
    """
    if wanted:
        return [str(find_column(source, columns, "text", name)) for name in wanted]
    if len(columns) == 1:
        return [columns[0]]
    return [str(find_column(source, columns, "text", None))]


def _first_keys(reader: Reader) -> list[str]:
    """Return the keys of the first lines of JSON: enough to find the text by."""
    keys: dict[str, None] = {}
    for batch in reader:
        for record in batch.rows:
            keys.update(dict.fromkeys(record))
        break
    return list(keys)


def _prefix(columns: Sequence[str], added: Iterable[str], wanted: str | None) -> str:
    taken = set(columns) & {f"{wanted or ''}{name}" for name in added}
    if wanted is None and taken:
        wanted = PREFIX
        taken = set(columns) & {f"{wanted}{name}" for name in added}
    if taken:
        raise DataError(
            f"the table has {', '.join(sorted(map(repr, taken)))} already. Name a --prefix for new columns."
        )
    return wanted or ""


def _renamed(added: Added, prefix: str) -> Added:
    return {prefix + name: values for name, values in added.items()}


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
def _input(source: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input on disk, because some formats must be read twice."""
    if source == "-":
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.seek(0)
            yield spool
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise DataError(f"{source}: no such file. Name a table with a column of texts.") from None
    except IsADirectoryError:
        raise DataError(f"{source}: is a directory. Name its files, as in {source}/*.csv.") from None
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}).") from error
    with file:
        yield file


@contextmanager
def _output(output: str, *, force: bool) -> Iterator[IO[bytes]]:
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with written_whole(Path(output), force=force) as file:
            yield file
