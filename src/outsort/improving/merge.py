"""Merge reviewers' verdicts into labelled data: rows are matched by key, and nothing is guessed."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from outsort.data.identity import as_text, key_of
from outsort.data.label_map import LabelMap, meanings_of, proposal, translated
from outsort.data.table import Table, read_table, write_edits
from outsort.errors import DataError
from outsort.files import locked, read_bytes
from outsort.improving.agreement import Agreement, agreement
from outsort.labels import UNCLEAR, spellings
from outsort.model import Model
from outsort.tables.base import ReadOptions, warn
from outsort.tables.columns import find_column
from outsort.tables.editing import Edits

#: The columns of labelled data that say who decided, and when.
REVIEWER, DECIDED_AT = "reviewer", "decided_at"
#: The columns of a file that is made by merging into none.
_NEW = ("text", "label", "service_line", REVIEWER, DECIDED_AT)


@dataclass(frozen=True)
class Verdict:
    """A person's decision about a text.

    Attributes:
        queue: the file.
        where: file and row, for messages.
        key: the key of the text, see `outsort.dataset.key_of`.
        text: the text as in the queue.
        label: the label.
        line: the service line; empty if left blank.
        reviewer: who decided; may be empty.
        decided_at: the date as written; may be empty.
        is_line_open: whether the person left the service line blank, so that `line` is the model's.
    """

    queue: Path
    where: str
    key: str
    text: str
    label: str
    line: str
    reviewer: str
    decided_at: str
    is_line_open: bool = False


@dataclass
class Merge:
    """The outcome of a merge.

    Attributes:
        is_new: whether the data did not exist before.
        added: texts that were not in the data.
        filled: texts whose rows were there without a label.
        known: texts whose rows had this label already.
        undecided: rows of the queues without a label.
        lines_filled: where a service line was left blank and filled in by the model, and with what.
        problems: what was not merged and why, one sentence each.
        labels: how far two reviewers agree on labels, before anything was merged; None where no text has two.
        lines: likewise on the service lines that both filled in.
    """

    is_new: bool = False
    added: int = 0
    filled: int = 0
    known: int = 0
    undecided: int = 0
    lines_filled: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    labels: Agreement | None = None
    lines: Agreement | None = None


def merge(
    queues: Sequence[Path],
    into: Path,
    model: Model,
    *,
    reviewer: str = "",
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    label_map: LabelMap = None,
    reading: ReadOptions | None = None,
) -> Merge:
    """Merge the verdicts of some queues into a table of labelled data.

    A verdict counts if its row still has its original key and the text of that key; it does not matter
    whether rows were sorted, filtered or saved again. What is not merged is reported, and merging again
    adds only what has been fixed since.

    Args:
        queues: tables with the columns key, text and label, and optionally service_line, reviewer and
            decided_at, as `outsort review` and the page write them.
        into: the data; created if missing.
        model: chooses a service line of the label where a verdict leaves it blank and the data have lines.
        reviewer: the reviewer, where a queue does not name one.
        text_column: the text column of the data, see `data.dataset.read`; None to find it by headings and cells.
        label_column: name of the column of labels; None to detect it by its usual names.
        line_column: likewise for the service lines, which are optional.
        label_map: what the labels in the data and the queues mean, see `LabelMap`; merged are the labels meant.
        reading: how to read the data, `ReadOptions()` when None.

    Raises:
        DataError: a queue or the data cannot be read, or lack a column.
        OutputError: the data cannot be written, or changed during the merge.
    """
    result = Merge()
    # Two merges at once would each write what it read and its own rows: the rows of one would be lost.
    with locked(into, force=True) as file:
        before = read_bytes(file, hint="Name a table of labelled texts.") if file.exists() else b""
        if before:
            table = read_table(into, reading=reading)
        else:
            table = Table(pd.DataFrame(columns=list(_NEW), dtype=object), str(into))
        label = str(find_column(*table.columns, "label", label_column))
        line = find_column(*table.columns, "line", line_column, optional=True)
        text = _one_column(table, text_column, label, line, reading or ReadOptions())
        target = _Target(table, text, label, line, model, meanings_of(label_map))
        by_key: dict[str, list[Verdict]] = {}
        for verdict in _verdicts(queues, target, result, reviewer):
            by_key.setdefault(verdict.key, []).append(verdict)
        twice = [pair for verdicts in by_key.values() if (pair := _by_two(verdicts))]
        result.labels = agreement([one.label for one, _ in twice], [other.label for _, other in twice])
        lined = [(one.line, other.line) for one, other in twice if one.line and other.line]
        result.lines = agreement(*([pair[i] for pair in lined] for i in (0, 1)))
        for verdict in _agreed(by_key.values(), result):
            line = _line_of(verdict, target, model, result)
            if line is not None:
                target.take(replace(verdict, line=line, is_line_open=not verdict.line), result)
        if target.edits:
            result.is_new = not file.exists()
            write_edits(table, file, target.edits, before)
    return result


def _one_column(table: Table, wanted: str | None, label: str, line: str | None, reading: ReadOptions) -> str:
    """Return the name of the text column, to which texts can be added."""
    found = table.find_texts(wanted, label, line, fall_back=False)
    warn(table.describe(found, reading, label=label, line=line))
    ((first, *others),) = found.parts
    if others or first.place >= len(table.frame.columns):
        where = "several columns" if others else f"objects, as of {first.name!r}"
        raise DataError(f"{table.source}: texts cannot be added to {where}. Name one column with --text-column.")
    return first.name


class _Target:
    """The data to merge into: rows by key, and the label of each service line known to data or model."""

    def __init__(
        self, table: Table, text: str, label: str, line: str | None, model: Model, meanings: Mapping[str, str]
    ) -> None:
        self._meanings = meanings
        self.source = table.source
        self.text, self.label, self.line = text, label, line
        if not table.frame.columns.is_unique:
            raise DataError(f"{table.source}: two columns have the same name. Rename one.")
        self.frame = table.frame.reset_index(drop=True)
        self.numbers = list(table.frame.index)
        self.edits = Edits([column for column in (REVIEWER, DECIDED_AT) if column not in self.frame])
        self.places: dict[str, list[int]] = {}
        for place, text in enumerate(self.frame[self.text]):
            self.places.setdefault(key_of(as_text(text)), []).append(place)
        # The data's own spelling wins; a label of the model that they lack is welcome, and so is UNCLEAR.
        own = translated((as_text(cell).strip() for cell in self.frame[self.label]), meanings)
        spelled = spellings([label for label in own if label], ())
        every = spellings([*model.labels, UNCLEAR], ()) | spelled
        self.spelled = {label.casefold(): one for label, one in every.items()}
        lines = zip(model.lines, model.line_labels, strict=True) if model.has_lines else ()
        self.labels_of_lines = {line: self.plain(label) for line, label in lines}
        if self.line:
            for name, of_line in zip(self.frame[self.line], self.frame[self.label], strict=True):
                if as_text(name).strip() and self.plain(of_line) not in ("", UNCLEAR):
                    self.labels_of_lines[as_text(name).strip()] = self.plain(of_line)

    def plain(self, label: object) -> str:
        """Return what a label means, in the spelling of the data; "" if it is unknown."""
        (meant,) = translated([as_text(label).strip()], self._meanings)
        return self.spelled.get(meant.casefold(), "")

    def text_of(self, key: str) -> str | None:
        """Return the text with a key, or None."""
        return as_text(self.frame.loc[self.places[key][0], self.text]) if key in self.places else None

    def take(self, verdict: Verdict, result: Merge) -> None:
        """Turn a verdict into edits, or record why not."""
        cells = {self.label: verdict.label, REVIEWER: verdict.reviewer, DECIDED_AT: verdict.decided_at}
        if self.line:
            cells[self.line] = verdict.line
        own_line = [f"{verdict.where} ({verdict.line})"] if self.line and verdict.line and verdict.is_line_open else []
        places = self.places.get(verdict.key, [])
        if not places:
            self.edits.rows.append({self.text: verdict.text} | cells)
            result.added += 1
            result.lines_filled += own_line
            return
        labels = {place: self.plain(self.frame.loc[place, self.label]) for place in places}
        other = next(((p, found) for p, found in labels.items() if found not in ("", verdict.label)), None)
        if other:
            where = f"row {self.numbers[other[0]]} of {self.source}"
            result.problems.append(f"{verdict.where}: is {verdict.label} here, but {other[1]} in {where}")
            return
        empty = [place for place, found in labels.items() if not found]
        for place in empty:
            line = as_text(self.frame.loc[place, self.line]).strip() if self.line else ""
            of_line = self.labels_of_lines.get(line, verdict.label)
            if verdict.label not in (of_line, UNCLEAR):
                where = f"row {self.numbers[place]} of {self.source}"
                result.problems.append(
                    f"{verdict.where}: is {verdict.label}, but {where} has service line {line!r} of {of_line}"
                )
                return
        filled: set[str] = set()
        for place in empty:
            row = self.frame.loc[place]
            blank = {column: cell for column, cell in cells.items() if not as_text(row.get(column)).strip()}
            self.edits.cells[self.numbers[place]] = blank
            filled |= blank.keys()
        result.lines_filled += own_line if self.line in filled else []
        result.filled += bool(empty)
        result.known += not empty


def _verdicts(queues: Sequence[Path], target: _Target, result: Merge, reviewer: str) -> Iterable[Verdict]:
    """Yield the verdicts whose row can be trusted, and record the others as problems."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    for queue in queues:
        for number, row in _rows(queue):
            where = f"{queue}, row {number}"
            written = row.get("label", "").strip()
            label = target.plain(written)
            key = row.get("key", "").strip().lower()
            if not written:
                result.undecided += any(row.values())
                continue
            if not label:
                known = sorted(set(target.spelled.values()))
                why = f"{written!r} is not one of {', '.join(known)}"
                result.problems.append(f"{where}: {why}. {proposal([written], known)}")
                continue
            if not key:
                result.problems.append(f"{where}: the key is missing; restore it from the original queue")
                continue
            # Some programs put an apostrophe before what they might take for a formula.
            text = next((t for t in (row["text"], row["text"].removeprefix("'")) if key_of(t) == key), None)
            text = text if text is not None else target.text_of(key)
            if text is None:
                result.problems.append(f"{where}: the key does not match the text; one of them was edited or moved")
                continue
            yield Verdict(
                queue,
                where,
                key,
                text,
                label,
                row.get("service_line", "").strip(),
                row.get(REVIEWER, "").strip() or reviewer,
                row.get(DECIDED_AT, "").strip() or today,
            )


def _by_two(verdicts: Sequence[Verdict]) -> tuple[Verdict, Verdict] | None:
    """Return the first two verdicts about a text that are of two reviewers; None without such."""
    first = verdicts[0]
    for other in verdicts[1:]:
        is_another = (
            other.reviewer != first.reviewer if other.reviewer and first.reviewer else other.queue != first.queue
        )
        if is_another:
            return first, other
    return None


def _agreed(by_text: Iterable[Sequence[Verdict]], result: Merge) -> Iterable[Verdict]:
    """Yield one verdict per text; where reviewers disagree, record a problem instead."""
    for group in by_text:
        first = group[0]
        lines = sorted({v.line for v in group} - {""})
        other = next((v for v in group if v.label != first.label), None)
        if other is None and len(lines) > 1:
            other = next(v for v in group if v.line not in ("", first.line or lines[0]))
        if other:
            said, said_other = (f"{v.label} {v.line}".strip() for v in (first, other))
            result.problems.append(f"{first.where}: is {said}, but {said_other} in {other.where}")
            continue
        who = dict.fromkeys(v.reviewer for v in group if v.reviewer)
        yield replace(first, line=lines[0] if lines else "", reviewer="; ".join(who))


def _line_of(verdict: Verdict, target: _Target, model: Model, result: Merge) -> str | None:
    """Return the service line for a verdict, or None and record a problem."""
    if not target.line or verdict.label == UNCLEAR:
        return ""
    known = target.labels_of_lines
    if verdict.line:
        label = known.get(verdict.line)
        if label == verdict.label:
            return verdict.line
        what = f"belongs to {label}" if label else "is unknown to the data and the model"
        result.problems.append(f"{verdict.where}: {verdict.label}, but service line {verdict.line!r} {what}")
        return None
    reading = model.read(verdict.text)
    scores = reading.shares @ reading.scores
    ranked = [model.lines[i] for i in scores.argsort()[::-1]] if model.has_lines else []
    line = next((line for line in ranked if known[line] == verdict.label), None)
    if line is None:
        result.problems.append(f"{verdict.where}: {verdict.label} needs a service line, because the data have them")
    return line


def _rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield the rows of a queue with their numbers in a spreadsheet, by the names of its columns."""
    table = read_table(path, drop_surplus=True)
    names = [name.strip().lower() for name in table.columns[1]]
    for wanted in ("key", "text", "label"):
        if names.count(wanted) != 1:
            found = "two columns" if wanted in names else "no column"
            raise DataError(f"{path}: {found} {wanted!r}. A queue has those of `outsort review`.")
    for number, row in zip(table.frame.index, table.frame.to_numpy().tolist(), strict=True):
        yield number, dict(zip(names, map(_cell, row), strict=True))


def _cell(value: object) -> str:
    return value.isoformat() if isinstance(value, (datetime.date, datetime.datetime)) else as_text(value)
