"""Choose texts for a person to label, or for two, and write them as queues."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outsort import progress
from outsort import text as text_module
from outsort.data.amounts import is_blank
from outsort.data.identity import hashes_of, same_text
from outsort.data.values import parse_weights
from outsort.improving.choose import choose
from outsort.improving.queue import Candidates, check_queue, write_queue
from outsort.improving.strategy import Strategy
from outsort.model import Model
from outsort.model_file import load
from outsort.tables.base import Column, ReadOptions, plain_texts, warn
from outsort.tables.columns import only_place, text_columns_of
from outsort.tables.not_work import NOT_WORK
from outsort.tables.reading import describe
from outsort.tables.sources import opened


@dataclass(frozen=True)
class Review:
    """What was put into a queue, or into one for each of two reviewers.

    Attributes:
        n_chosen: texts in the queue, or in either.
        n_texts: distinct texts it was chosen from.
        n_seen: texts skipped because the model was trained on them.
        n_too_long: texts skipped because a workbook cell cannot hold them.
        reading: what was read, in a line.
        queues: the files, with how many texts each holds.
        n_double: texts that both reviewers get.
    """

    n_chosen: int
    n_texts: int
    n_seen: int
    n_too_long: int
    reading: str
    queues: dict[Path, int]
    n_double: int


def review(
    scored: Path,
    output: Path,
    n: int = 200,
    model: Model | None = None,
    *,
    strategy: Strategy = Strategy.MIXED,
    double: int = 0,
    text_columns: Sequence[str] = (),
    weight_column: str | None = None,
    options: ReadOptions | None = None,
    safe_for_excel: bool = False,
    seed: int = 0,
    force: bool = False,
) -> Review:
    """Choose the texts whose labels would teach a model most, and write them for a person to label.

    Args:
        scored: a table of texts.
        output: the queue to write, a workbook or a CSV file.
        n: number of texts to choose.
        model: the model that is to learn; the default model when None.
        strategy: how to choose.
        double: how many of the texts two reviewers are to label, drawn at random. There are then two queues, named
            as `output` with -1 and -2, which share the other texts.
        text_columns: the text columns, see `scoring.files.Options`; found by headings and cells when empty.
        weight_column: column to weight rows by.
        options: how to read the table, `ReadOptions()` when None.
        safe_for_excel: put an apostrophe before cells of CSV that spreadsheets take for formulas; `merge`
            knows the texts all the same.
        seed: random seed.
        force: overwrite the queue if it exists.

    Raises:
        DataError: the table cannot be read or lacks a column; a weight is not a number of 0 or above.
        OutputError: the queue ends neither in .xlsx nor in .csv, or cannot be written.
    """
    outputs = [output.with_stem(f"{output.stem}-{i}") for i in (1, 2)] if double else [output]
    for path in outputs:
        check_queue(path, force=force)
    model = model or load()
    progress.tell("reading texts")
    candidates = read_candidates(scored, model, text_columns=text_columns, weight_column=weight_column, options=options)
    weights = None if weight_column is None else candidates.weights
    progress.tell("choosing texts")
    drawn: NDArray[np.int64] | None = None
    if strategy is Strategy.RANDOM:
        chosen, drawn = draw(candidates.n_rows, n, seed)
    else:
        chosen = choose(model, candidates.texts, n, strategy, weights=weights, seed=seed)
    parts = shared_out(len(chosen), double, seed) if double else [np.arange(len(chosen))]
    kept: list[set[int]] = []
    for path, part in zip(outputs, parts, strict=True):
        times = None if drawn is None else drawn[part]
        left_out = write_queue(path, model, candidates, chosen[part], times, safe_for_excel=safe_for_excel, force=force)
        kept.append(set(np.delete(part, left_out).tolist()))
    every = set().union(*kept)
    return Review(
        len(every),
        len(candidates.texts),
        candidates.n_seen,
        len(chosen) - len(every),
        candidates.reading,
        dict(zip(outputs, map(len, kept), strict=True)),
        len(set.intersection(*kept)) if double else 0,
    )


def shared_out(n: int, n_double: int, seed: int) -> list[NDArray[np.intp]]:
    """Share n texts out to two reviewers: each gets `n_double` of them, at random, and half of the others.

    >>> [part.tolist() for part in shared_out(6, 2, seed=0)]
    [[0, 2, 3, 4], [1, 3, 4, 5]]
    """
    is_double = np.zeros(n, np.bool_)
    is_double[np.random.default_rng(seed).choice(n, min(n, n_double), replace=False)] = True
    is_first = np.cumsum(~is_double) % 2 == 1
    return [np.flatnonzero(is_double | of) for of in (is_first, ~is_first)]


def read_candidates(
    path: Path,
    model: Model,
    *,
    text_columns: Sequence[str] = (),
    weight_column: str | None = None,
    options: ReadOptions | None = None,
) -> Candidates:
    """Read the texts of a table that can be reviewed.

    Args:
        path: the table.
        model: the model; texts it was trained on are skipped.
        text_columns: the text columns, see `scoring.files.Options`; found by headings and cells when empty.
        weight_column: column to weight rows by.
        options: how to read the table, `ReadOptions()` when None.

    Raises:
        DataError: the table cannot be read or lacks a column; a weight is not a number of 0 or above.
    """
    found: dict[str, int] = {}
    texts: list[str] = []
    entries, rows, cells = [], [], []
    n_rows = 0
    options = replace(options or ReadOptions(), text_columns=text_columns)
    with opened(str(path), options) as table:
        columns, nested = table.reader.columns, table.reader.nested_columns
        weights_at = None if weight_column is None else only_place(str(path), columns, weight_column, nested=nested)
        places, batches = text_columns_of(str(path), table.reader, text_columns)
        for batch in batches:
            of_batch = plain_texts(batch.texts(places.parts))
            n_rows += len(batch)
            weighed = of_batch
            if weights_at is not None:
                weighed = plain_texts(batch.texts([[Column([*columns, *nested][weights_at], weights_at)]]))
            no_work = {place for place, why in batch.faults.items() if why.startswith(NOT_WORK)}
            for place, (number, raw, cell) in enumerate(zip(batch.numbers, of_batch, weighed, strict=True)):
                text = "" if place in no_work else raw
                # Nothing can be learnt from a text without a word.
                if text_module.words(text):
                    entries.append(found.setdefault(same_text(text), len(texts)))
                    if entries[-1] == len(texts):
                        texts.append(text)
                    if weights_at is not None:
                        rows.append(number)
                        # As `score` counts it.
                        cells.append("0" if is_blank(cell) else cell)
        location, encoding, notes = table.reader.location, table.reader.encoding, table.notes
    reading = describe(str(path), location, columns, places, options, n_rows=n_rows, encoding=encoding, notes=notes)
    warn(reading)
    weights = None if weight_column is None else parse_weights(str(path), weight_column, rows, cells)
    fresh = np.flatnonzero(~np.isin(hashes_of(texts), model.seen))
    return Candidates(
        [texts[i] for i in fresh.tolist()],
        np.bincount(entries, minlength=len(texts))[fresh],
        np.bincount(entries, weights, minlength=len(texts)).astype(np.float64)[fresh],
        len(texts) - len(fresh),
        reading,
    )


def draw(n_rows: NDArray[np.int64], n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Draw n rows of a table at random, without replacement.

    Args:
        n_rows: int64 (n_texts,), the number of rows with each text.
        n: how many rows to draw; all are if there are no more.
        seed: random seed.

    Returns:
        intp (n_drawn_texts,), the texts drawn, in random order; and int64 (n_drawn_texts,), how often each was.
    """
    ends = np.cumsum(n_rows)
    total = int(ends[-1]) if len(ends) else 0
    rows = np.random.default_rng(seed).choice(total, min(n, total), replace=False)
    texts, first, drawn = np.unique(np.searchsorted(ends, rows, side="right"), return_index=True, return_counts=True)
    order = np.argsort(first)
    return texts[order], drawn[order]
