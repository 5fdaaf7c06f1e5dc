"""Check labelled descriptions for problems.

The data need not be clean: each check reports what it finds and, in `left_out`, what it had to skip.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from outsort import progress
from outsort.data.identity import as_text, same_text
from outsort.data.label_map import LabelMap, meanings_of, translated
from outsort.data.table import Table, read_table
from outsort.encodings import decode
from outsort.errors import DataError
from outsort.evaluation.breakdown import label_issues, probably_wrong
from outsort.files import read_bytes
from outsort.improving.findings import Check, Example, Finding, Limits, Style
from outsort.improving.lopsided import first_mentions, lopsided_words
from outsort.improving.near_duplicates import COMPARED, near_duplicates
from outsort.labels import UNCLEAR, find_out_of_scope, in_order, spellings
from outsort.language import ENGLISH_FUNCTION_WORDS
from outsort.model import log_proba, uncalibrated
from outsort.tables.base import ReadOptions, warn
from outsort.tables.columns import Found, find_column
from outsort.training import fitting, folds

if TYPE_CHECKING:
    import pandas as pd

_MARKS = ".,;:!?-–—()[]/\\&'\"$€£%#@+*=|’“”"
_N_FOLDS = 5
#: Labels that a message names.
_MAX_NAMED = 5
#: Near duplicates after which the search stops: such data cannot be fixed pair by pair.
_MAX_PAIRS = 100_000
#: Examples of each problem that are listed.
_MAX_LISTED = 500


@dataclass(frozen=True)
class _Sheet:
    """The columns of a table by role.

    Attributes:
        found: the text columns.
        rows: n_rows row numbers, as a spreadsheet shows them.
        texts: n_rows texts.
        keys: the texts without differences of case and white space; "" for an empty text.
        labels: n_rows labels, each spelled in one way, or None without such a column.
        lines: n_rows service lines, or None.
        genres: n_rows genres, or None.
        distinct: positions of the first row of each non-empty text.
    """

    found: Found
    rows: Sequence[object]
    texts: Sequence[str]
    keys: Sequence[str]
    labels: Sequence[str] | None
    lines: Sequence[str] | None
    genres: Sequence[str] | None
    distinct: NDArray[np.intp]


def check(
    data: Path | str | pd.DataFrame,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    label_map: LabelMap = None,
    guide: Path | str | None = None,
    limits: Limits | None = None,
    seed: int = 0,
    reading: ReadOptions | None = None,
    tell: Callable[[str], None] = warn,
) -> Check:
    """Check labelled descriptions for problems that make them poor training data.

    Args:
        data: a file, or a frame with one row per description.
        text_column: the column of texts, see `data.dataset.read`; when None, found by headings and cells, or the only
            column.
        label_column: the column of labels, found by its usual names; without one, checks of labels are skipped.
        line_column: the column of service lines, found likewise.
        label_map: what the labels in the data mean, see `LabelMap`.
        guide: the labelling guide, a file of text, to quote beside lopsided words.
        limits: the limits, `Limits()` when None.
        seed: random seed of the folds and samples.
        reading: how to read a file, `ReadOptions()` when None.
        tell: called with what was read; a `DataWarning` by default, where something was guessed.

    Raises:
        DataError: the data or the guide cannot be read, or there is no column of texts.
    """
    limits = limits or Limits()
    mentions = None if guide is None else first_mentions(_read_guide(Path(guide)))
    reading = replace(reading or ReadOptions(), text_columns=(text_column,) if text_column else ())
    table = read_table(data, only_work=True, reading=reading)
    sheet = _sheet(table, text_column, label_column, line_column, label_map)
    tell(table.describe(sheet.found, reading))
    rng = np.random.default_rng(seed)
    left_out: list[str] = []
    firsts = {sheet.keys[i]: sheet.rows[i] for i in sheet.distinct}
    whole = list(zip(sheet.rows, sheet.keys, sheet.texts, strict=True))
    result = Check(
        source=table.source,
        encoding=table.encoding,
        n=len(sheet.texts),
        by_label=dict(Counter(sheet.labels or ()).most_common()),
        by_line=dict(Counter(filter(None, sheet.lines or ())).most_common()),
        by_genre=dict(Counter(sheet.genres or ()).most_common()),
        empty=_found(Example(row=row) for row, key, _ in whole if not key),
        not_text=_found(
            Example(row=row, why=why, text=_shown(text))
            for (row, _, text), label in zip(whole, sheet.labels or [""] * len(whole), strict=True)
            # That is what a text that says too little may look like.
            if label != UNCLEAR and (why := not_text(text))
        ),
        exact_duplicates=_found(
            Example(row=row, other_row=firsts[key], text=_shown(text))
            for row, key, text in whole
            if key and firsts[key] != row
        ),
        near_duplicates=_check_near_duplicates(sheet, limits, rng, left_out),
        left_out=left_out,
    )
    if sheet.labels is None:
        left_out.append("labels: there is no label column; name one with --label-column")
        return result
    places = _usable(sheet, sheet.labels, limits, rng, left_out)
    n_rows = Counter(sheet.labels)
    return replace(
        result,
        rare_labels=_found(
            Example(row=row, label=label)
            for row, label in zip(sheet.rows, sheet.labels, strict=True)
            if label and n_rows[label] == 1
        ),
        two_labels=_found(_under_two_labels(sheet.rows, sheet.keys, sheet.labels)),
        thin_lines=_check_line_sizes(sheet.lines or sheet.labels, limits),
        lines_of_two_labels=(_found(_under_two_labels(sheet.rows, sheet.lines, sheet.labels)) if sheet.lines else None),
        style=_check_style(sheet, sheet.labels, places, limits, left_out),
        label_errors=_check_label_errors(sheet, sheet.labels, places, left_out),
        lopsided_words=_check_lopsided_words(sheet, sheet.labels, places, mentions, left_out),
    )


def not_text(text: str) -> str | None:
    """Return why a text is not a description, or None if it is one.

    >>> not_text("12,345.00")
    'no letters'
    """
    if not text.strip():
        return None
    if not any(c.isalpha() for c in text):
        return "no letters"
    if "\ufffd" in text or any(ord(c) < 32 and c not in "\t\n\r" for c in text):
        return "damaged characters"
    if re.search("Ã[\x80-\xbf©¨¼¤¶]|â€[™œ\x9d“”]", text):
        return "text in the wrong encoding"
    if re.fullmatch(r"\s*(https?://\S+|www\.\S+|\S+@\S+\.\w+)\s*", text):
        return "an address only"
    letters = sum(c.isalpha() or c.isspace() for c in text)
    return "mostly punctuation and digits" if letters < len(text) / 2 else None


def style_test(texts: Sequence[str], labels: Sequence[str], limit: float = Limits.style, *, seed: int = 0) -> Style:
    """Measure style leakage: how well style alone predicts the label of a row in scope.

    A gradient-boosted classifier sees length, punctuation, capitals, digits and function words, but no
    content words; its accuracy is the mean recall of the labels over five folds, so chance is 0.5 for two. The
    limit is that of two labels: of more, it is the accuracy as far from chance to 1.

    Raises:
        DataError: there are too few rows of a label for five folds.
    """
    decided = ~np.isin(labels, (find_out_of_scope(labels), UNCLEAR))
    codes = np.unique(np.array(labels)[decided], return_inverse=True)[1]
    _require_folds(codes)
    features = np.array([_style(text) for text, keep in zip(texts, decided, strict=True) if keep])
    splits = StratifiedKFold(_N_FOLDS, shuffle=True, random_state=seed).split(features, codes)
    answers = np.empty_like(codes)

    def answer_held_out(split: tuple[NDArray[np.intp], NDArray[np.intp]]) -> None:
        training, held_out = split
        model = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed)
        # The trees are so small that threads sharing one spend most of their time waiting for each other,
        # and nearly all of it on a busy machine: hence one thread per fold.
        with threadpool_limits(1, user_api="openmp"):
            model.fit(features[training], codes[training])
            answers[held_out] = model.predict(features[held_out])

    with ThreadPoolExecutor(min(_N_FOLDS, joblib.cpu_count())) as threads:
        list(threads.map(answer_held_out, splits))
    accuracy = float(np.mean([np.mean(answers[codes == label] == label) for label in set(codes)]))
    chance = 1 / len(set(codes))
    # By 2 * limit - 1 of the way from chance to 1: for two labels, exactly the limit.
    highest = limit if chance == 1 / 2 else chance + (1 - chance) * (2 * limit - 1)
    return Style(accuracy, len(codes), chance, highest, n_failing=int(accuracy > highest))


def label_errors(
    texts: Sequence[str], labels: Sequence[str], lines: Sequence[str] | None = None, *, seed: int = 0
) -> list[tuple[int, str, float]]:
    """Find labels that are probably wrong, most likely first.

    Confident learning (Northcutt, Jiang and Chuang, 2021) as implemented in cleanlab, on the probabilities
    of the labels over five random folds.

    Args:
        texts: n_texts strings.
        labels: their labels.
        lines: n_texts service lines, each with one label, which improve the probabilities.
        seed: random seed of the folds.

    Returns:
        For each its position in `texts`, the likelier label, and the probability of the label it has.

    Raises:
        DataError: cleanlab is not installed, or there are too few rows of a label for five folds.
    """
    # Before the work, which would be for nothing.
    label_issues()
    out_of_scope = find_out_of_scope(labels)
    classes = in_order(labels, out_of_scope)
    codes = np.array([classes.index(label) for label in labels])
    _require_folds(codes)
    splits = StratifiedKFold(_N_FOLDS, shuffle=True, random_state=seed).split(codes, codes)
    counted = fitting.count(texts, labels, lines, out_of_scope=out_of_scope)
    # Starting processes takes longer than fitting a few thousand texts, and the solver releases the GIL.
    with joblib.parallel_config("threading"):
        settings = fitting.Settings(seed=seed)
        scores = folds.held_out_scores(counted, list(splits), settings, "label errors, fold")[:, :-1]
    n_in_scope = len(classes) - bool(out_of_scope)
    probabilities = np.exp(log_proba(scores, uncalibrated(len(classes)), n_in_scope))
    issues = probably_wrong(codes, probabilities)
    return [(i, classes[int(probabilities[i].argmax())], float(probabilities[i, codes[i]])) for i in issues]


def _sheet(
    table: Table, text_column: str | None, label_column: str | None, line_column: str | None, label_map: LabelMap
) -> _Sheet:
    frame = table.frame
    label_name = find_column(*table.columns, "label", label_column, optional=True)
    line_name = find_column(*table.columns, "line", line_column, optional=True)

    def column(name: str | None) -> list[str] | None:
        return None if name is None else [as_text(cell).strip() for cell in frame[name]]

    found = table.find_texts(text_column, label_name, line_name, fall_back=False)
    texts = table.texts(found.parts)
    written = column(label_name)
    labels = None if written is None else translated(written, meanings_of(label_map))
    keys = [same_text(text) for text in texts]
    firsts: dict[str, int] = {}
    for i, key in enumerate(keys):
        if key:
            firsts.setdefault(key, i)
    spelled = spellings(labels or [])
    return _Sheet(
        found=found,
        rows=frame.index.tolist(),
        texts=texts,
        keys=keys,
        labels=None if labels is None else [spelled[label] for label in labels],
        lines=column(line_name),
        genres=column("genre" if "genre" in frame.columns else None),
        distinct=np.array(list(firsts.values()), dtype=np.intp),
    )


def _check_near_duplicates(sheet: _Sheet, limits: Limits, rng: np.random.Generator, left_out: list[str]) -> Finding:
    progress.tell("near duplicates")
    places = _sampled(sheet.distinct, limits.max_compared, rng)
    if len(places) < len(sheet.distinct):
        left_out.append(f"near duplicates: searched in a random sample of {len(places):,} rows")
    n_cut = sum(len(sheet.texts[i]) > COMPARED for i in places)
    if n_cut:
        left_out.append(f"near duplicates: compared {n_cut:,} long texts by their first {COMPARED:,} characters")
    every = near_duplicates([sheet.texts[i] for i in places], limits.near_duplicate)
    pairs = list(itertools.islice(every, _MAX_PAIRS))
    if len(pairs) == _MAX_PAIRS:
        left_out.append(f"near duplicates: stopped at {_MAX_PAIRS:,} pairs")
    fold = rng.integers(_N_FOLDS, size=len(places))
    examples = (
        Example(
            row=sheet.rows[places[a]],
            other_row=sheet.rows[places[b]],
            similarity=round(similarity, 3),
            text=_shown(sheet.texts[places[a]]),
            other_text=_shown(sheet.texts[places[b]]),
        )
        for a, b, similarity in sorted(pairs, key=lambda pair: -pair[2])
    )
    across = sum(int(fold[a] != fold[b]) for a, b, _ in pairs)
    return replace(_found(examples), limit=limits.near_duplicate, n_across_folds=across)


def _check_line_sizes(lines: Sequence[str], limits: Limits) -> Finding:
    thin = sorted((n, line) for line, n in Counter(filter(None, lines)).items() if n < limits.min_rows)
    return replace(_found(Example(line=line, rows=n) for n, line in thin), limit=limits.min_rows)


def _usable(
    sheet: _Sheet, labels: Sequence[str], limits: Limits, rng: np.random.Generator, left_out: list[str]
) -> NDArray[np.intp]:
    """Return positions of distinct texts with a label that models can use, sampled if there are too many."""
    n_rows = Counter(labels[i] for i in sheet.distinct)
    rare = sorted(label for label, n in n_rows.items() if label not in (UNCLEAR, "") and n < _N_FOLDS)
    left_aside = {UNCLEAR, "", *rare}
    usable = np.array([i for i in sheet.distinct if labels[i] not in left_aside], dtype=np.intp)
    # Where nothing is left, the checks say what they need.
    if rare and len(usable):
        names = ", ".join(rare[:_MAX_NAMED]) + (", …" if len(rare) > _MAX_NAMED else "")
        left_out.append(
            f"style, label errors and lopsided words: without the labels of fewer than {_N_FOLDS} rows: {names}"
        )
    places = _sampled(usable, limits.max_modelled, rng)
    if len(places) < len(usable):
        left_out.append(f"style, label errors and lopsided words: judged on a random sample of {len(places):,} rows")
    return places


def _check_style(
    sheet: _Sheet, labels: Sequence[str], places: NDArray[np.intp], limits: Limits, left_out: list[str]
) -> Style | None:
    progress.tell("style leakage")
    try:
        return style_test([sheet.texts[i] for i in places], [labels[i] for i in places], limits.style)
    except DataError as error:
        left_out.append(f"style: {error}")
        return None


def _check_label_errors(
    sheet: _Sheet, labels: Sequence[str], places: NDArray[np.intp], left_out: list[str]
) -> Finding | None:
    texts, chosen = [sheet.texts[i] for i in places], [labels[i] for i in places]
    lines = [sheet.lines[i] for i in places] if sheet.lines else None
    if lines and any(_under_two_labels(range(len(lines)), lines, chosen)):
        lines = None
    try:
        errors = label_errors(texts, chosen, lines)
    except DataError as error:
        left_out.append(f"label errors: {error}")
        return None
    return _found(
        Example(
            row=sheet.rows[places[i]],
            text=_shown(texts[i]),
            label=chosen[i],
            probably=probably,
            probability_of_label=round(probability, 4),
        )
        for i, probably, probability in errors
    )


def _check_lopsided_words(
    sheet: _Sheet,
    labels: Sequence[str],
    places: NDArray[np.intp],
    mentions: Mapping[str, str] | None,
    left_out: list[str],
) -> Finding | None:
    lines = [sheet.lines[i] for i in places] if sheet.lines else None
    progress.tell("lopsided words")
    try:
        found = lopsided_words([sheet.texts[i] for i in places], [labels[i] for i in places], lines)
    except DataError as error:
        left_out.append(f"lopsided words: {error}")
        return None
    if mentions is not None:
        found = [replace(example, guide=mentions.get(str(example.word), "")) for example in found]
    return _found(found)


def _read_guide(path: Path) -> str:
    return decode(read_bytes(path, hint="Name a file of text with --guide."), str(path))[0]


def _under_two_labels(rows: Iterable[object], keys: Iterable[str], labels: Iterable[str]) -> Iterator[Example]:
    firsts: dict[str, tuple[object, str]] = {}
    for row, key, label in zip(rows, keys, labels, strict=True):
        first, first_label = firsts.setdefault(key, (row, label))
        if key and label != first_label:
            yield Example(row=row, other_row=first, text=_shown(key), label=label, other_label=first_label)


def _found(examples: Iterable[Example]) -> Finding:
    examples = list(examples)
    return Finding(len(examples), len(examples), examples[:_MAX_LISTED])


def _sampled(places: NDArray[np.intp], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return places if len(places) <= n else np.sort(rng.choice(places, n, replace=False))


def _require_folds(codes: NDArray[np.bool_] | NDArray[np.int64]) -> None:
    classes, counts = np.unique(codes, return_counts=True)
    if len(classes) < 2 or counts.min() < _N_FOLDS:
        raise DataError(f"needs at least {_N_FOLDS} rows of each of two labels")


def _style(text: str) -> list[float]:
    """Return the features of the style test: (n_features,)."""
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text)
    counts = Counter(word.lower() for word in words)
    return [
        len(text),
        len(words),
        len(text) / (len(words) or 1),
        sum(c.isupper() for c in text) / (len(text) or 1),
        sum(c.isdigit() for c in text),
        sum(word.isupper() and len(word) > 1 for word in words),
        sum(word[0].isupper() for word in words) / (len(words) or 1),
        text[:1].isupper(),
        text.rstrip()[-1:] in ".!?",
        *(text.count(mark) for mark in _MARKS),
        *(counts[word] for word in ENGLISH_FUNCTION_WORDS),
    ]


def _shown(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"
