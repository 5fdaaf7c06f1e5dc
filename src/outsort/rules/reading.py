"""Read rules from TOML or a table, with all that is wrong in one message."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from outsort.data.amounts import amounts
from outsort.data.problems import listed, shortened
from outsort.errors import DataError, did_you_mean, raised_as
from outsort.files import read_bytes, shipped
from outsort.model import Model
from outsort.prediction import default_model
from outsort.rules.cells import text_of
from outsort.rules.matching import need_extra, regex_problem, words_of
from outsort.rules.rule import Bound, Condition, Rule, Rules
from outsort.tables.base import ReadOptions, warn
from outsort.tables.sources import opened

#: The rules that ship with outsort, which are asked for by name.
SHIPPED = ("india-10ta",)
_OF_TEXTS = ("words", "phrases", "all")
_OF_COLUMNS = ("column", "equals", "contains", "regex", "from", "to")
_KEYS = ("name", *_OF_TEXTS, "unless", "where", "label", "line", "why", "who", "until", "only")
#: What a rule may be limited to.
_REVIEW = "review"
#: Between the entries of a list in a cell, and between those of which any will do.
_ENTRIES, _ANY = re.compile(r"[;\n]"), "|"
#: A second condition on a column has its number behind the names of its columns.
_NUMBERED = re.compile(rf"({'|'.join(_OF_COLUMNS)})[ _]?([2-9])")
#: Python reads eight digits as a date, too, which may be an amount.
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def load(source: Path | str, model: Model | None = None, *, today: date | None = None) -> Rules:
    """Read rules, and check them against the labels and lines of a model.

    Args:
        source: one of `SHIPPED`; a TOML file of `[[rule]]` tables; or a table with a row for each rule. See
            docs/rules.md for what a rule may hold. A rule past its date is named in a `DataWarning`.
        model: the model; the default model if None.
        today: the day that decides which rules are past their date; today if None.

    Raises:
        DataError: the extra `rules` is not installed, the file cannot be read, or rules must be fixed first.
    """
    need_extra()
    model = default_model() if model is None else model
    path = str(shipped(f"{source}.toml") if str(source) in SHIPPED else source)
    if not Path(path).is_file():
        raise DataError(f"{path}: is no file. Name a TOML file or table of rules, or what ships: {', '.join(SHIPPED)}.")
    entries = list(_of_toml(path) if Path(path).suffix.casefold() == ".toml" else _of_table(path))
    if not entries:
        raise DataError(f"{path}: has no rules. See docs/rules.md for what a rule is.")
    problems: list[str] = []
    rules: list[Rule] = []
    for place, values in entries:
        made = _Making(place, values, model)
        rules.append(made.rule())
        problems += made.problems
    problems += _of_one_name(rules)
    if problems:
        raise DataError(listed(path, problems))
    found = Rules(path, tuple(rules), today or date.today())
    past = [f"{rule.name!r} ({rule.until})" for rule in rules if found.is_past(rule)]
    if past:
        warn(f"{path}: past {'its date, does' if len(past) == 1 else 'their dates, do'} not fire: {', '.join(past)}")
    return found


def _of_one_name(rules: Sequence[Rule]) -> Iterator[str]:
    firsts: dict[str, Rule] = {}
    for rule in rules:
        first = firsts.setdefault(rule.name, rule)
        if rule.name and first is not rule:
            yield f"{rule.place}: the name {rule.name!r} is that of {first.place} already"


def _of_toml(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    hint = "See docs/rules.md for an example."
    content = read_bytes(Path(path), hint=hint)
    with raised_as(DataError, f"{path}: is not valid TOML", hint, tomllib.TOMLDecodeError, UnicodeDecodeError):
        tables = tomllib.loads(content.decode("utf-8-sig"))
    rules, unless = tables.pop("rule", []), tables.pop("unless", [])
    if tables:
        raise DataError(f"{path}: unknown key {next(iter(tables))!r}. Each rule is a table [[rule]].")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise DataError(f"{path}: 'rule' is not a list of tables. Write [[rule]] above each rule.")
    for number, rule in enumerate(rules, 1):
        # What keeps all rules from firing stands once, above them.
        yield f"rule {number}", rule | ({"unless": [*_list(rule.get("unless", [])), *_list(unless)]} if unless else {})


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _of_table(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with opened(path, ReadOptions()) as table:
        names = [column.strip().casefold() for column in table.reader.columns]
        known = [name for name in _KEYS if name != "where"] + list(_OF_COLUMNS)
        for name, written in zip(names, table.reader.columns, strict=True):
            if name and name not in known and not _NUMBERED.fullmatch(name):
                raise DataError(f"{path}: unknown column {written!r}.{did_you_mean(name, known)}")
        for batch in table.reader:
            for row, cells in zip(batch.numbers, batch.values(table.reader.columns), strict=True):
                values = {name: _cell(cell) for name, cell in zip(names, cells, strict=False)}
                values = {name: value for name, value in values.items() if value not in ("", None)}
                if values:
                    yield f"row {row}", _as_toml(values)


def _cell(cell: object) -> object:
    return cell.strip() if isinstance(cell, str) else cell


def _as_toml(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a row as the keys of a rule in TOML."""
    rule: dict[str, Any] = {}
    where: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        numbered = _NUMBERED.fullmatch(name)
        key, number = numbered.groups() if numbered else (name, "")
        if key in (*_OF_TEXTS, "unless", "equals", "contains"):
            value = [part.strip() for part in _ENTRIES.split(text_of(value)) if part.strip()]
        if key in _OF_COLUMNS:
            where.setdefault(number, {})[key] = value
        else:
            rule[key] = value
    return rule | ({"where": list(where.values())} if where else {})


class _Making:
    """A rule being made from what is written, and what is wrong with it."""

    def __init__(self, place: str, values: Mapping[str, Any], model: Model) -> None:
        self._values, self._model = values, model
        name = values.get("name")
        self._name = name.strip() if isinstance(name, str) else ""
        self.place = place
        self.problems: list[str] = []

    def rule(self) -> Rule:
        """Return the rule, which is of use if there are no problems."""
        for key in self._values:
            if key not in _KEYS:
                self._wrong(f"unknown key {key!r}.{did_you_mean(key, _KEYS)}")
        if not self._name:
            self._wrong("the name is missing")
        texts = tuple(filter(None, self._texts()))
        where = tuple(self._conditions())
        if not any(key in self._values for key in (*_OF_TEXTS, "where")):
            self._wrong(f"no condition: give {', '.join(_OF_TEXTS)} or a column")
        line = self._line()
        return Rule(
            place=self.place,
            name=self._name,
            label=self._label(line),
            line=line,
            texts=texts,
            unless=self._phrases("unless", self._strings("unless", self._values)),
            where=where,
            why=self._text("why"),
            who=self._text("who"),
            until=self._until(),
            only_review=self._only_review(),
        )

    def _wrong(self, what: str) -> None:
        named = f" ({self._name!r})" if self._name else ""
        self.problems.append(f"{self.place}{named}: {what}")

    def _text(self, key: str) -> str:
        value = self._values.get(key, "")
        if not isinstance(value, str):
            self._wrong(f"{key} is not a text: {value!r}")
            return ""
        return value.strip()

    def _strings(self, key: str, values: Mapping[str, Any]) -> list[str]:
        """Return the texts under a key, of which there is one or a list."""
        value = values.get(key, [])
        found = _list(value)
        if key in values and not found:
            self._wrong(f"{key} is empty")
        for item in found:
            if isinstance(item, (dict, list)) or not str(item).strip():
                self._wrong(f"{key} holds {item!r}, which is no text")
        return [text_of(item) for item in found if not isinstance(item, (dict, list)) and str(item).strip()]

    def _texts(self) -> Iterator[tuple[str, ...]]:
        """Yield the phrases of each condition on the text."""
        for key in ("words", "phrases"):
            yield self._phrases(key, self._strings(key, self._values))
        for entry in self._strings("all", self._values):
            yield self._phrases("all", entry.split(_ANY))

    def _phrases(self, key: str, written: Sequence[str]) -> tuple[str, ...]:
        found = []
        for text in written:
            phrase = phrase_of(text)
            if not phrase:
                self._wrong(f"{key} holds {text.strip()!r}, which has no word")
            elif "*" in text.strip()[:-1]:
                self._wrong(f"{key} holds {text.strip()!r}: * can only end it")
            else:
                found.append(phrase)
        return tuple(found)

    def _label(self, line: str) -> str:
        written = self._text("label")
        of_line = self._model.line_labels[self._model.lines.index(line)] if line else ""
        if not written:
            # What is no known line, or no text, has been told of.
            if not of_line and not any(map(self._values.get, ("label", "line"))):
                self._wrong("neither a label nor a line")
            return of_line
        known = {label.casefold(): label for label in self._model.labels}
        label = known.get(written.casefold(), "")
        if not label:
            self._wrong(f"label {written!r} is not one of {', '.join(self._model.labels)}")
        elif of_line and of_line != label:
            self._wrong(f"line {line!r} is of label {of_line}, not {label}")
        return label

    def _line(self) -> str:
        written = self._text("line")
        if written and not self._model.has_lines:
            self._wrong(f"line {written!r}: the model has no service lines")
        elif written and written not in self._model.lines:
            self._wrong(f"no line of the model is called {written!r}.{did_you_mean(written, self._model.lines)}")
        return written if self._model.has_lines and written in self._model.lines else ""

    def _until(self) -> date | None:
        value = self._values.get("until")
        found = _date(value)
        if value is not None and found is None:
            self._wrong(f"until {value!r} is not a date such as 2026-12-31")
        return found

    def _only_review(self) -> bool:
        value = self._values.get("only")
        if value not in (None, _REVIEW):
            self._wrong(f"only {value!r}: leave it out, or write {_REVIEW!r}")
        return value == _REVIEW

    def _conditions(self) -> Iterator[Condition]:
        value = self._values.get("where", [])
        for written in _list(value):
            if not isinstance(written, dict):
                self._wrong(f"where holds {written!r}, not a table such as {{column = 'Department', equals = 'HR'}}")
                continue
            yield self._condition(written)
        if value == [] and "where" in self._values:
            self._wrong("where is empty")

    def _condition(self, written: Mapping[str, Any]) -> Condition:
        column = written.get("column", "")
        for key in written:
            if key not in _OF_COLUMNS:
                self._wrong(f"unknown key {key!r} in where.{did_you_mean(key, _OF_COLUMNS)}")
        if not isinstance(column, str) or not column.strip():
            self._wrong("a condition names no column")
        if not written.keys() & set(_OF_COLUMNS[1:]):
            self._wrong(f"the condition on column {column!r} is empty: give {', '.join(_OF_COLUMNS[1:])}")
        return Condition(
            str(column),
            tuple(self._strings("equals", written)),
            tuple(self._strings("contains", written)),
            self._regex(written.get("regex", ""), is_given="regex" in written),
            *self._range(written),
        )

    def _regex(self, written: object, *, is_given: bool) -> str:
        problem = regex_problem(written) if isinstance(written, str) and written else "is empty" if is_given else ""
        if problem:
            self._wrong(f"regex {shortened(str(written))!r} {problem}")
        return str(written) if not problem else ""

    def _range(self, written: Mapping[str, Any]) -> tuple[Bound | None, Bound | None]:
        ends = []
        for key in ("from", "to"):
            value = written.get(key)
            bound = None if value is None else _bound(value)
            if value is not None and bound is None:
                self._wrong(f"{key} {value!r} is neither a number nor a date such as 2026-12-31")
            ends.append(bound)
        least, most = ends
        if least is not None and most is not None:
            if isinstance(least, date) != isinstance(most, date):
                self._wrong(f"from {least} to {most}: one is a date and one a number")
            elif least > most:  # type: ignore[operator]
                self._wrong(f"from {least} to {most}: nothing is in it")
        return least, most


def phrase_of(text: str) -> str:
    """Return a phrase as `Rule.texts` has it; "" if it has no word.

    >>> phrase_of(" E-Mail  campaign*")
    'e mail campaign*'
    """
    found = " ".join(words_of(text))
    return found + ("*" if found and text.rstrip().endswith("*") else "")


def _date(value: object) -> date | None:
    """Return a date, in ISO form where it is a text; None if it is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip()) if _ISO_DATE.fullmatch(str(value).strip()) else None
    except ValueError:
        return None


def _bound(value: object) -> Bound | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if np.isfinite(value) else None
    found = _date(value)
    if found is None and isinstance(value, str):
        number = float(amounts([value])[0])
        return number if np.isfinite(number) else None
    return found
