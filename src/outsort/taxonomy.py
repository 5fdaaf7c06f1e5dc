"""A taxonomy: categories of your own, into which the probabilities of the service lines are summed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort.buffers import checked
from outsort.data.problems import listed
from outsort.decision import ACCEPT, REVIEW, WEAK
from outsort.errors import DataError, did_you_mean
from outsort.explanation import Explanation
from outsort.files import shipped
from outsort.model import CERTIFIED, Model
from outsort.numeric import Floats
from outsort.prediction import CategoryAnswer, Decider, Prediction, default_model, predict_explained
from outsort.tables.base import ReadOptions, joined
from outsort.tables.sources import opened

#: The taxonomies that ship with outsort, which are asked for by name.
SHIPPED = ("market",)
#: The decision on a category that no labelled sample has certified.
UNCERTIFIED = "uncertified"
DECISIONS = (ACCEPT, REVIEW, UNCERTIFIED)
_NEEDED = ("line", "code", "name")
#: Weights of a line are rounded when they are written, as 0.33.
_TOLERANCE = 0.011
#: Lines without a category that a message names.
_MAX_NAMED = 5


class Entry(NamedTuple):
    """A row of a taxonomy: a line belongs to a category, with a weight.

    Attributes:
        row: its number in the file, the header being row 1.
        axis: which of several answers it is about; "" where there is one.
        line: the service line.
        code: the code of the category.
        name: the name of the category.
        weight: how much of the line belongs to the category, 0 to 1; NaN if the cell is no such number.
    """

    row: int
    axis: str
    line: str
    code: str
    name: str
    weight: float


@dataclass(frozen=True, eq=False)
class Axis:
    """One way to sort the lines: every line belongs to a category, or to several by weight.

    Attributes:
        name: its name; "" for that of a taxonomy with one.
        codes: the distinct codes of the n_categories categories, in the order of the file.
        names: their names.
        weights: float64 (n_lines, n_categories), of the model's lines; rows sum to 1.
        out_of_scope: the code for the lines out of scope, if they are a category of their own; else "".
        slope: the calibration: log-probabilities times this, of probabilities that add up to 1 again.
        threshold: least probability of an accepted category, as certified on a labelled sample; NaN if none was.
    """

    name: str
    codes: tuple[str, ...]
    names: tuple[str, ...]
    weights: Floats
    out_of_scope: str = ""
    slope: float = 1.0
    threshold: float = np.nan

    @property
    def column(self) -> str:
        """What its columns begin with: `category`, or `category_` and its name."""
        return f"category_{self.name}" if self.name else "category"

    @property
    def label_column(self) -> str:
        """The column of labelled rows that holds its categories, as codes or names: `category`, or its own name."""
        return self.name or "category"

    def proba(self, line_proba: Floats) -> Floats:
        """Return the probability of each category: (n, n_lines) to (n, n_categories), rows sum to 1."""
        powered = np.maximum(line_proba @ self.weights, np.finfo(np.float64).tiny) ** self.slope
        return np.asarray(powered / powered.sum(axis=1, keepdims=True))

    def decide(self, confidence: Floats, is_like: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the decision on the most probable category of each of n texts: int64 (n,), places in `DECISIONS`.

        Args:
            confidence: float64 (n,), its probability.
            is_like: bool (n,), whether nothing but the threshold would send the model's own answer to review.
        """
        if np.isnan(self.threshold):
            return np.full(len(confidence), DECISIONS.index(UNCERTIFIED))
        accepted = is_like & (confidence >= self.threshold)
        return np.where(accepted, DECISIONS.index(ACCEPT), DECISIONS.index(REVIEW))


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """The categories of a file, for the lines of a model.

    Attributes:
        source: the name of the file in messages.
        entries: its rows.
        axes: its axes, in the order of the file.
    """

    source: str
    entries: tuple[Entry, ...]
    axes: tuple[Axis, ...]

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of a SHA-256 of all but the notes, whatever the order of the rows."""
        rows = sorted(entry[1:] for entry in self.entries)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]

    def parts(self) -> list[Taxonomy]:
        """Return a taxonomy of each axis alone."""
        return [replace(self, axes=(axis,)) for axis in self.axes]

    @property
    def columns(self) -> dict[str, type]:
        """The names of the columns that it adds to a scored table, in order, with their types."""
        added: dict[str, type] = {}
        for axis in self.axes:
            added |= {axis.column: str, f"{axis.column}_name": str, f"{axis.column}_probability": float}
            added[f"{axis.column}_decision"] = str
        return added | {"taxonomy": str}


def load(source: Path | str, model: Model | None = None) -> Taxonomy:
    """Read a taxonomy, and check it against the lines of a model.

    Args:
        source: one of `SHIPPED`, or a table with the columns line, code and name; a column `weight` divides lines among
            categories, and a column `axis` says which of several answers a row is about. Other columns, such as
            note, are for its readers.
        model: the model; the default model if None. Its lines out of scope may be left out: they are then a category
            with their label as code.

    Raises:
        DataError: the table cannot be read, or rows must be fixed first: an unknown line, a code under two names, a
            category without a line, a line without a category, weights that do not add up to 1.
    """
    model = default_model() if model is None else model
    path = str(shipped(f"{source}.csv") if str(source) in SHIPPED else source)
    if not Path(path).is_file():
        raise DataError(f"{path}: is no file. Name a table of categories, or one that ships: {', '.join(SHIPPED)}.")
    entries = _named(list(_entries(path)))
    if not entries:
        raise DataError(f"{path}: has no rows. A taxonomy has a row for each service line.")
    known = [line for line in model.lines if line in {entry.line for entry in entries}]
    axes = list(dict.fromkeys(entry.axis for entry in entries))
    problems = list(_row_problems(entries, model.lines))
    if not problems:
        entries += _out_of_scope(axes, known, model)
        problems = [problem for axis in axes for problem in _line_problems(_of(entries, axis), axis, model.lines)]
    if problems:
        raise DataError(listed(path, problems))
    found = Taxonomy(path, tuple(entries), tuple(_axis(axis, _of(entries, axis), model) for axis in axes))
    certified = model.about.get(CERTIFIED, {}).get(found.fingerprint, {})
    return replace(found, axes=tuple(_as_certified(axis, certified.get(axis.name)) for axis in found.axes))


def predictions(
    texts: Iterable[str], model: Model, taxonomy: Taxonomy, *, n_terms: int = 3, rules: Decider | None = None
) -> Iterator[Prediction]:
    """Yield predictions with their categories; see `prediction.predictions`."""
    for text in checked(texts):
        yield with_categories(*predict_explained(model, text, n_terms, rules), model, taxonomy)


def with_categories(prediction: Prediction, explanation: Explanation, model: Model, taxonomy: Taxonomy) -> Prediction:
    """Return a prediction with the categories of its text.

    They are those of its service line if a rule names that, and of the lines of its label if a rule gives just this.
    """
    of_lines = dict(explanation.lines) or prediction.probabilities
    line_proba = np.array([[of_lines[line] for line in model.lines]])
    ruling = prediction.ruling
    if ruling and ruling.rule is not None:
        if ruling.names_line:
            is_meant = np.array(model.lines) == prediction.service_line
        else:
            is_meant = np.array(model.line_labels) == prediction.label
        # However little the model thinks of them.
        line_proba = np.where(is_meant, np.maximum(line_proba, np.finfo(np.float64).tiny), 0.0)
        line_proba /= line_proba.sum()
    found = tuple(_answer(axis, line_proba, prediction.reason, taxonomy) for axis in taxonomy.axes)
    return replace(prediction, categories=found)


def _answer(axis: Axis, line_proba: Floats, reason: str, taxonomy: Taxonomy) -> CategoryAnswer:
    """Return the most probable category of a text on an axis."""
    proba = axis.proba(line_proba)[0]
    best = int(proba.argmax())
    return CategoryAnswer(
        axis.column,
        axis.codes[best],
        axis.names[best],
        float(proba[best]),
        DECISIONS[axis.decide(proba[[best]], np.array([reason in WEAK]))[0]],
        taxonomy.fingerprint,
        dict(zip(axis.codes, proba.tolist(), strict=True)),
    )


def _as_certified(axis: Axis, certified: Mapping[str, float] | None) -> Axis:
    """Return an axis with the calibration and threshold that a model keeps of it, if it does."""
    return replace(axis, slope=certified["slope"], threshold=certified["threshold"]) if certified else axis


def _entries(path: str) -> Iterator[Entry]:
    with opened(path, ReadOptions()) as table:
        columns = [column.strip().casefold() for column in table.reader.columns]
        lacking = [name for name in _NEEDED if name not in columns]
        if lacking:
            what = f"no column {lacking[0]!r}; it has {', '.join(map(repr, table.reader.columns))}"
            raise DataError(f"{path}: {what}. A taxonomy has the columns line, code, name and note.")
        for batch in table.reader:
            for row, cells in zip(batch.numbers, batch.values(table.reader.columns), strict=True):
                values = dict(zip(columns, (joined([cell]).strip() for cell in cells), strict=False))
                if any(values.values()):
                    yield _entry(row, values)


def _entry(row: int, values: Mapping[str, str]) -> Entry:
    written = values.get("weight") or "1"
    try:
        weight = float(written)
    except ValueError:
        weight = np.nan
    kept = (values.get("axis", ""), values["line"], values["code"], values["name"])
    return Entry(row, *kept, weight if 0 < weight <= 1 else np.nan)


def _named(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries whose blank names are those that their codes have elsewhere, or else the codes."""
    names = {(entry.axis, entry.code): entry.name for entry in reversed(entries) if entry.name}
    return [entry._replace(name=entry.name or names.get((entry.axis, entry.code), entry.code)) for entry in entries]


def _of(entries: Iterable[Entry], axis: str) -> list[Entry]:
    return [entry for entry in entries if entry.axis == axis]


def _row_problems(entries: Sequence[Entry], lines: Sequence[str]) -> Iterator[str]:
    names: dict[tuple[str, str], Entry] = {}
    placed: dict[tuple[str, str, str], Entry] = {}
    filled = {(entry.axis, entry.code) for entry in entries if entry.line}
    for entry in entries:
        row, axis, line, code, name, weight = entry
        first = names.setdefault((axis, code), entry)
        before = placed.setdefault((axis, line, code), entry)
        if not code:
            yield f"row {row}: the code is empty"
        elif name != first.name:
            yield f"row {row}: code {code!r} is named {name!r}, but {first.name!r} in row {first.row}"
        if not line:
            what = "the line is empty" if (axis, code) in filled else f"category {code!r} has no line"
            yield f"row {row}: {what}"
        elif line not in lines:
            yield f"row {row}: no line of the model is called {line!r}.{did_you_mean(line, lines)}"
        elif before is not entry:
            yield f"row {row}: line {line!r} is in category {code!r} already, in row {before.row}"
        if np.isnan(weight):
            yield f"row {row}: the weight is not a number above 0 and up to 1"


def _line_problems(entries: Sequence[Entry], axis: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of an axis that have no category, or weights that do not add up to 1."""
    rows: dict[str, list[Entry]] = {line: [] for line in lines}
    for entry in entries:
        rows[entry.line].append(entry)
    for line, found in rows.items():
        total = sum(entry.weight for entry in found)
        if found and abs(total - 1) > _TOLERANCE:
            numbers = ", ".join(str(entry.row) for entry in found)
            where = f"row{'s' if len(found) > 1 else ''} {numbers}"
            yield f"{where}: the weights of line {line!r} add up to {total:g}, not 1"
    missing = [line for line, found in rows.items() if not found]
    if missing:
        named = ", ".join(missing[:_MAX_NAMED]) + (" …" if len(missing) > _MAX_NAMED else "")
        on = f" on axis {axis!r}" if axis else ""
        yield f"{len(missing)} line{'s have' if len(missing) > 1 else ' has'} no category{on}: {named}"


def _out_of_scope(axes: Iterable[str], known: Sequence[str], model: Model) -> Iterator[Entry]:
    """Yield entries for the lines out of scope if the file names none of them."""
    label = model.out_of_scope
    lines = [line for line, of in zip(model.lines, model.line_labels, strict=True) if label and of == label]
    if not set(lines) & set(known):
        yield from (Entry(0, axis, line, label, label, 1.0) for axis in axes for line in lines)


def _axis(name: str, entries: Sequence[Entry], model: Model) -> Axis:
    names = {entry.code: entry.name for entry in entries}
    codes, places = list(names), {line: i for i, line in enumerate(model.lines)}
    weights = np.zeros((len(model.lines), len(codes)))
    for entry in entries:
        weights[places[entry.line], codes.index(entry.code)] = entry.weight
    weights /= weights.sum(axis=1, keepdims=True)
    is_out = np.array([bool(model.out_of_scope) and label == model.out_of_scope for label in model.line_labels])
    alone = np.flatnonzero((weights == is_out[:, None]).all(axis=0))
    return Axis(
        name, tuple(codes), tuple(names.values()), weights, codes[alone[0]] if is_out.any() and len(alone) else ""
    )
