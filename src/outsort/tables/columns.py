"""Find the text, label and service-line columns of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from outsort.errors import DataError, did_you_mean
from outsort.tables.base import Column, distinct_names, plain_texts
from outsort.tables.headings import Kind, is_remark, readings_of, reads_like_cell, words_of
from outsort.tables.letters import place_of
from outsort.tables.prose import Prose, prose_of, says_nothing

if TYPE_CHECKING:
    from outsort.tables.base import Batch, Reader

    #: The first cells of the column at a place, as text.
    Cells = Callable[[int], Sequence[str]]

#: Usual names of labels and service lines, best first; compared in lower case, without spaces and punctuation.
USUAL_NAMES = {
    "label": ("label", "class", "answer", "target", "bpokpo", "outsourcingtype"),
    "line": ("serviceline", "line"),
}
#: The columns, all with one prefix, that tell a table that `score` wrote: the answer, what becomes of it, the model.
ANSWERED = ("label", "decision", "model")
#: Rows by which a column is judged, and cells shown of each.
N_JUDGED, N_SHOWN = 500, 3
#: How much a column must read like descriptions to be taken for its content, and how much any other may at most, as a
#: share of it.
LEAST_LIKENESS, MOST_OF_OTHERS = 0.5, 0.75
#: Cells under a heading that may mean something else have so many words, and read so much like descriptions: "Admin"
#: is no role to be sorted, "Hill Borough" no text.
LEAST_WORDS, LEAST_OF_NAMES = 1.5, 0.17
#: A column says more than a title in so many times the words.
_TIMES_AS_LONG = 2.0
#: A description of fewer words, on average, may be the name of a class: "Software development".
_WORDS_OF_A_CLASS = 2.5
#: As much is enough if all other columns are codes and numbers.
LEAST_ALONE = 0.2
#: By how much a heading such as "Name" adds to that.
_WEAK_HEADING = 1.3
#: Columns named in a message.
_MAX_NAMED = 40


class NoColumnError(DataError):
    """No column for a role, or more than one.

    Attributes:
        columns: names of the columns found, each of its own.
        samples: some cells of each.
        candidates: names of the columns that may be meant.
    """

    def __init__(
        self,
        message: str,
        columns: Sequence[str],
        samples: Sequence[Sequence[str]] = (),
        candidates: Sequence[str] = (),
    ) -> None:
        """Hold the message, the columns and their cells."""
        super().__init__(message)
        self.columns, self.candidates = list(columns), list(candidates)
        self.samples = [list(cells) for cells in samples]


class Found(NamedTuple):
    """The text columns of a table.

    Attributes:
        parts: see `base.TextColumns`.
        why: how they were found, and the option that names them, where that is not plain; else "".
        made_from: the text columns that these were made from, and the names of all columns there; None where they are
            as in the file.
    """

    parts: list[list[Column]]
    why: str = ""
    made_from: tuple[Sequence[Sequence[Column]], Sequence[str]] | None = None


class Answers(NamedTuple):
    """The columns of a table with the answers of a model, and with what becomes of them."""

    label: str
    decision: str

    def reason(self, columns: Sequence[str]) -> str | None:
        """Return the one of a table's columns that says why rows go to review, or are no work; None without one.

        >>> Answers("new_label", "new_decision").reason(["text", "new_label", "new_decision", "new_reason"])
        'new_reason'
        """
        name = f"{self.label.removesuffix('label')}reason"
        return name if columns.count(name) == 1 else None


def answers_in(columns: Sequence[str]) -> Answers | None:
    """Return the columns of answers that `score` added last to a table; None if it is not scored.

    >>> answers_in(["text", "label", "outsort_label", "outsort_decision", "outsort_model"])
    Answers(label='outsort_label', decision='outsort_decision')
    """
    answer, *_ = ANSWERED
    prefixes = (name.removesuffix(answer) for name in reversed(columns) if name.endswith(answer))
    for prefix in prefixes:
        if all(columns.count(prefix + name) == 1 for name in ANSWERED):
            return Answers(*(prefix + name for name in ANSWERED[:2]))
    return None


def only_column(source: str, columns: Sequence[str], name: str, needed: str = "", *, nested: Sequence[str] = ()) -> str:
    """Return what a table calls the one column of a name; case and blanks count only to tell two columns apart.

    Args:
        source: the table in messages.
        columns: the names of its columns.
        name: the name as a user wrote it.
        needed: what needs the column, for messages: ", which ... needs".
        nested: paths into objects, see `base.Reader`, for a name that no column has.

    Raises:
        DataError: there is no such column, or there are several.

    >>> only_column("t", ["id", " Cost  Centre"], "cost centre"), only_column("t", ["Spend", "spend"], "spend")
    (' Cost  Centre', 'spend')
    >>> only_column("t", ["id", "lot"], "lot.value", nested=["lot.title", "lot.value"])
    'lot.value'
    """
    found = _of_name(columns, name) or _of_name(nested, name)
    if len(found) != 1:
        names = [*columns, *nested]
        what = "two columns" if found else "no column"
        meant = "" if found else did_you_mean(name, names)
        raise DataError(f"{source}: {what} {name!r}{needed}; it has {_listed(names)}.{meant}")
    return found[0]


def _of_name(columns: Sequence[str], name: str) -> list[str]:
    return [c for c in columns if c == name] or [c for c in columns if _folded(c) == _folded(name)]


def only_place(source: str, columns: Sequence[str], name: str, *, nested: Sequence[str] = ()) -> int:
    """Return the place of the one column of a name; see `only_column`. Paths follow the columns."""
    return [*columns, *nested].index(only_column(source, columns, name, nested=nested))


def find_column(
    source: str, columns: Sequence[str], role: str, name: str | None, *, optional: bool = False
) -> str | None:
    """Return the column for a role, by the name given or by its usual names.

    Args:
        source: the name to call the table by in messages.
        columns: the names of its columns.
        role: label or line.
        name: the name given by the user, or None.
        optional: return None if there is none and no name was given.

    Raises:
        NoColumnError: there is no such column, or several have that name.
    """
    if name is not None:
        wanted: Sequence[str] = (name,)
        found = _of_name(columns, name)
    else:
        wanted = USUAL_NAMES[role]
        plain = {c: re.sub(r"[\W_]", "", c.lower()) for c in columns}
        found = next(([c for c in columns if plain[c] == w] for w in wanted if w in plain.values()), [])
    if len(found) == 1:
        return found[0]
    if not found and name is None and optional:
        return None
    complaint = f"{len(found)} columns" if found else "no column"
    meant = did_you_mean(name, columns) if name is not None and not found else ""
    message = f"{source}: {complaint} {wanted[0]!r}; it has {_listed(columns)}.{meant} Name one with --{role}-column."
    raise NoColumnError(message, columns)


def text_columns_of(source: str, reader: Reader, wanted: Sequence[str]) -> tuple[Found, Iterator[Batch]]:
    """Return the text columns of a table, see `find_text_columns`, and all its batches, the first read to find them."""
    own: Found | None = getattr(reader, "own_texts", None)
    if own:
        # Of a document, and of clauses, there is no choice.
        return own, iter(reader)
    columns, nested = reader.head_columns, reader.nested_columns
    batches = iter(reader)
    first = next(batches, None)
    cells, may_be_row = first_cells(first, [*columns, *nested]), not reader.location.is_given
    found = find_text_columns(source, columns, wanted, cells, nested=nested, may_be_row=may_be_row)
    return found, batches if first is None else chain([first], batches)


def first_cells(batch: Batch | None, columns: Sequence[str]) -> Cells | None:
    """Return a function for the first cells of each column of a batch, as text; None for no batch."""
    if batch is None:
        return None
    head = batch.head(N_JUDGED)

    def cells(place: int) -> Sequence[str]:
        # What cannot be read as text is none.
        with suppress(DataError):
            return plain_texts(head.texts([[Column(columns[place], place)]]))
        return []

    return cells


def find_text_columns(
    source: str,
    columns: Sequence[str],
    wanted: Sequence[str],
    cells: Cells | None = None,
    *,
    nested: Sequence[str] = (),
    others: Collection[str | None] = (),
    fall_back: bool = True,
    may_be_row: bool = True,
) -> Found:
    """Return the text columns: the requested ones, the only one there is, or those found.

    A column is found by what its heading says, unless its cells are codes, numbers or blank; else by its cells, if
    it clearly reads more like descriptions than all others. Of two equally good headings, the column is taken that
    reads more like them.

    Args:
        source: the name to call the table by in messages.
        columns: the names of its columns.
        wanted: the requested ones: a name, a number from 1, or a letter such as A or AB; `a|b` for b where a is blank.
        cells: the first cells of a column by its place, None to go by the headings alone.
        nested: paths into objects, see `base.Reader`; their places follow the columns.
        others: names of columns that have another role.
        fall_back: read a title where a description that was found is blank.
        may_be_row: whether the names may be a row of work, because nobody said that they are names.

    Raises:
        NoColumnError: no such column, or none that is clear.
    """
    if wanted:
        return Found([_requested(source, columns, one, cells, nested) for one in wanted])
    if len(columns) == 1 and not nested:
        return Found([[Column(columns[0], 0)]])
    # What holds objects is no text itself.
    objects = {path[:place] for path in nested for place, sign in enumerate(path) if sign == "."}
    search = _Search(source, columns, nested, cells, {*others, *objects}, may_be_row=may_be_row)
    return search.found(fall_back=fall_back)


def _requested(
    source: str, columns: Sequence[str], wanted: str, cells: Cells | None, nested: Sequence[str] = ()
) -> list[Column]:
    """Return the column that a user asked for, and those to fall back to."""
    whole = _matching(columns, nested, wanted)
    alternatives = [whole] if whole else [_matching(columns, nested, part.strip()) for part in wanted.split("|")]
    if all(len(places) == 1 for places in alternatives):
        return [Column([*columns, *nested][place], place) for (place,) in alternatives]
    names = [*distinct_names(columns), *nested]
    i = next(i for i, places in enumerate(alternatives) if len(places) != 1)
    asked = wanted if whole else wanted.split("|")[i].strip()
    if alternatives[i] and alternatives[i][0] >= len(columns):
        n = len(alternatives[i])
        message = f"{source}: {n} fields {asked!r}, which cannot be told apart. Rename one, or name another column."
    elif alternatives[i]:
        numbers = " or ".join(str(place + 1) for place in alternatives[i])
        message = (
            f"{source}: {len(alternatives[i])} columns {asked!r}. Name one with --text-column by number: {numbers}."
        )
    else:
        meant = did_you_mean(asked, names)
        message = f"{source}: no column {asked!r}; it has {_listed(names)}.{meant} Name one with --text-column."
    raise NoColumnError(message, names, _samples(len(names), cells), [names[place] for place in alternatives[i]])


def _matching(columns: Sequence[str], nested: Sequence[str], wanted: str) -> list[int]:
    """Return the places of the columns that a user may mean: by name, by path, by number, or by letter."""
    for first_place, names, name in (
        (0, columns, wanted),
        (0, distinct_names(columns), wanted),
        (len(columns), nested, wanted),
        (0, [_folded(column) for column in columns], _folded(wanted)),
        (len(columns), [_folded(path) for path in nested], _folded(wanted)),
    ):
        found = [place for place, column in enumerate(names, first_place) if column == name]
        if found:
            return found
    if re.fullmatch("[1-9][0-9]{0,5}", wanted):
        place = int(wanted) - 1
    elif re.fullmatch("[A-Z]{1,3}", wanted):
        place = place_of(wanted)
    else:
        return []
    return [place] if place < len(columns) else []


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


class _Search:
    """The search for the column of texts of a table."""

    def __init__(
        self,
        source: str,
        columns: Sequence[str],
        nested: Sequence[str],
        cells: Cells | None,
        others: Collection[str | None],
        *,
        may_be_row: bool,
    ) -> None:
        self._source, self._cells, self._may_be_row = source, cells, may_be_row
        self._own, self._nested, self._columns = columns, nested, [*columns, *nested]
        self._places = [place for place, name in enumerate(self._columns) if name not in others]
        self._readings = dict(enumerate(readings_of(self._columns)))
        self._known: dict[int, Prose] = {}

    def found(self, *, fall_back: bool) -> Found:
        """Return the column by its heading, or else by its cells."""
        readings = self._readings
        named = sorted((p for p in self._places if readings[p].kind < Kind.WEAK), key=lambda p: (readings[p], p))
        passed = [place for place in named if not self._holds_texts(place)]
        named = [place for place in named if place not in passed]
        if not named:
            return self._by_content(passed)
        equals = [place for place in named if readings[place] == readings[named[0]]]
        chosen = self._best(equals)
        chosen = self._rival(chosen, named)
        part = [Column(self._columns[chosen], chosen)]
        if fall_back and readings[chosen].kind <= Kind.SUMMARY:
            part += self._next(chosen, named)
        as_good, fuller = self._as_good(chosen), self._fuller(chosen)
        why = self._passed_over([place for place in passed if place not in as_good])
        left = [(place, "which reads as well") for place in as_good if place not in {column.place for column in part}]
        if fuller and (poor := self._says_little(chosen, fuller[0])):
            taken, *fuller = fuller
            part, left = [Column(self._columns[taken], taken)], [(chosen, poor)]
        left = [(place, how) for place, how in left if place not in fuller]
        left += [(place, "which is fuller") for place in fuller]
        if len(part) > 1 or why or len(equals) > 1 or left:
            first, *others = [distinct_names(self._columns)[column.place] for column in part]
            shown = f"text column {first!r}" + "".join(f", {name!r} where it is blank" for name in others)
            why = f"{why}{shown} ({self._option(part)})"
        why += "".join(self._not_taken(place, how) for place, how in left)
        return Found([part], why)

    def _as_good(self, chosen: int) -> list[int]:
        """Return the other columns of the same kind, or of none, that read like descriptions, unless it says more.

        Beside a lone word over a word or two, as "Job" in timesheets, any other lone word, and notes, may be meant.
        """
        kind = self._readings[chosen].kind
        if self._prose(chosen).n and self._is_lone(chosen) and self._prose(chosen).n_words < _WORDS_OF_A_CLASS:
            least = MOST_OF_OTHERS * self._prose(chosen).likeness
            others = [p for p in self._places if p != chosen and self._prose(p).likeness >= least]
            return [p for p in others if self._is_lone(p) or self._is_longer_remark(p, chosen)]
        if kind > Kind.SUMMARY:
            return []
        same = [
            p
            for p in self._places
            if p != chosen and self._readings[p].kind in (kind, Kind.UNKNOWN) and self._readings[p].rank < 2
        ]
        full = [place for place in same if self._prose(place).likeness >= LEAST_LIKENESS]
        return [place for place in full if not self._says_more(chosen, place, _TIMES_AS_LONG)]

    def _is_longer_remark(self, place: int, chosen: int) -> bool:
        times = self._prose(place).n_words / max(self._prose(chosen).n_words, 1)
        return is_remark(self._columns[place]) and times >= _TIMES_AS_LONG

    def _is_lone(self, place: int) -> bool:
        """Return whether a heading is one word, for work or anything."""
        return self._readings[place].kind <= Kind.WEAK and len(words_of(self._columns[place])) == 1

    def _not_taken(self, place: int, how: str) -> str:
        """Return in words that a column was left, and the option that asks for it."""
        name = distinct_names(self._columns)[place]
        return f", not {name!r}, {how} ({self._option([Column(name, place)])})"

    def _next(self, chosen: int, named: Sequence[int]) -> list[Column]:
        """Return the column to fall back to, if there is one: the next best, which is of no other language."""
        later = [
            p for p in named if self._readings[p].kind > self._readings[chosen].kind and self._readings[p].rank < 2
        ]
        return [Column(self._columns[later[0]], later[0])] if later else []

    def _rival(self, chosen: int, named: Sequence[int]) -> int:
        """Return the description of something in place of a title or summary, where it clearly says more."""
        rivals = [place for place in named if self._readings[place].rank == 1]
        rivals = [place for place in rivals if self._readings[place].kind <= Kind.SUMMARY and self._cells]
        if self._readings[chosen].kind < Kind.SUMMARY or self._readings[chosen].rank or not rivals:
            return chosen
        best = max(rivals, key=lambda place: self._prose(place).likeness)
        is_title = self._readings[chosen].kind >= Kind.TITLE
        return best if self._says_more(best, chosen, 1.0 if is_title else _TIMES_AS_LONG) else chosen

    def _says_more(self, place: int, chosen: int, times: float) -> bool:
        """Return whether a column clearly reads more like descriptions than another, in so many times the words."""
        mine, its = self._prose(place), self._prose(chosen)
        least = max(LEAST_LIKENESS, its.likeness / MOST_OF_OTHERS)
        return mine.likeness >= least and mine.n_words >= times * its.n_words

    def _says_little(self, place: int, fuller: int | None = None) -> str:
        """Return in words why a column can hardly be the description, if it can hardly be.

        Beside a fuller one, that is a title if nothing is known of the heading of the fuller, and a task in a word.
        """
        prose, reading = self._prose(place), self._readings[place]
        if self._cells and 2 * prose.n < len(self._cells(place)):
            return "which is mostly blank"
        if prose.n_distinct == 1 < prose.n:
            return "which is the same in every row"
        if fuller is None:
            return ""
        is_open = reading.kind in (Kind.TITLE, Kind.NAME) and self._readings[fuller].kind is Kind.UNKNOWN
        return "which says less" if is_open or self._is_task_in_a_word(place) else ""

    def _is_task_in_a_word(self, place: int) -> bool:
        """Return whether cells are tasks in a word or two, as in timesheets: the name of a class."""
        return self._prose(place).n_words < _WORDS_OF_A_CLASS and self._readings[place].kind <= Kind.SUMMARY

    def _fuller(self, chosen: int) -> list[int]:
        """Return the columns that clearly say more than one, though their headings do not tell; the fullest first.

        Of what may be the names of classes, as in timesheets, also notes may say more; of what comes again, any remark.
        """
        if not self._cells or self._prose(chosen).likeness > MOST_OF_OTHERS:
            # Nothing reads so much more like descriptions.
            return []
        repeats = self._prose(chosen).repeats
        is_class = repeats or self._is_task_in_a_word(chosen)
        others = [
            place
            for place in self._places
            if place != chosen
            and self._readings[place].rank < 2
            and (self._readings[place].kind < Kind.REMARK + repeats or (is_class and is_remark(self._columns[place])))
        ]
        times = 1.0 if repeats else _TIMES_AS_LONG
        fuller = [place for place in others if self._says_more(place, chosen, times)]
        return sorted(fuller, key=lambda place: -self._prose(place).likeness)

    def _best(self, equals: Sequence[int]) -> int:
        """Return the best of columns whose headings are as good.

        Raises:
            NoColumnError: they have one name.
        """
        chosen = equals[0]
        if len(equals) > 1 and self._cells:
            chosen = max(equals, key=lambda place: self._prose(place).likeness)
        if [self._columns[place] for place in equals].count(self._columns[chosen]) > 1:
            _requested(self._source, self._own, self._columns[chosen], self._cells, self._nested)
        return chosen

    def _by_content(self, passed: Sequence[int]) -> Found:
        """Return the column that reads like descriptions.

        Raises:
            NoColumnError: none does, or none more clearly than the others.
        """
        weights = {p: _WEAK_HEADING if self._readings[p].kind is Kind.WEAK else 1.0 for p in self._places}
        likeness = {p: self._prose(p).likeness * weight for p, weight in weights.items()} if self._cells else {}
        ranked = sorted(likeness, key=lambda place: (self._readings[place].rank, -likeness[place]))
        least = LEAST_LIKENESS * MOST_OF_OTHERS
        candidates = [place for place in ranked if likeness[place] >= least]
        if sum(self._prose(place).is_text for place in ranked) == 1:
            least = LEAST_ALONE
        open_to = [
            p for p in ranked if self._readings[p].kind < Kind.OTHER and p not in passed and likeness[p] >= least
        ]
        plainer = [p for p in open_to if self._readings[p].rank < 2 and self._readings[p].kind < Kind.REMARK]
        best = max(plainer, key=likeness.__getitem__, default=None)
        if best is not None and likeness[open_to[0]] < MOST_OF_OTHERS * likeness[best]:
            # Of unknown headings those of several words come last, which says little.
            open_to = [best]
        if open_to and self._is_clear(open_to[0], likeness, candidates):
            part = [Column(self._columns[open_to[0]], open_to[0])]
            by = f"text column {part[0].name!r}, which reads like descriptions ({self._option(part)})"
            by += "".join(self._not_taken(p, "which does too") for p in candidates if p != open_to[0])
            return Found([part], f"{self._passed_over(passed)}{by}")
        if passed and not candidates and self._readings[passed[0]].kind is Kind.TEXT:
            # Whoever calls a column text means it, and nothing else could be meant.
            return Found([[Column(self._columns[passed[0]], passed[0])]])
        names = distinct_names(self._columns)
        why = "no text column"
        worded = [repr(names[place]) for place in ranked if self._prose(place).is_text][:3]
        if candidates:
            why = f"no clear text column; it may be {' or '.join(repr(names[place]) for place in candidates[:3])}"
        elif worded:
            why = f"no clear text column; there are words in {', '.join(worded)}"
        message = (
            f"{self._source}: {self._passed_over(passed)}{why}; it has {_listed(names)}. Name one with --text-column"
        )
        is_row = self._may_be_row and any(map(reads_like_cell, names))
        message += ", or pass --no-header if that is its first row." if is_row else "."
        samples = _samples(len(self._columns), self._cells)
        raise NoColumnError(message, names, samples, [names[place] for place in candidates])

    def _is_clear(self, first: int, likeness: dict[int, float], candidates: list[int]) -> bool:
        """Return whether a column clearly reads most like descriptions; a remark, whether nothing else may be meant."""
        rank = self._readings[first].rank
        others = [p for p in likeness if p != first and self._readings[p].rank <= rank and self._holds_texts(p)]
        others = [place for place in others if not self._says_little(place)]
        if self._readings[first].kind is Kind.REMARK:
            return candidates == [first] and all(self._readings[place].kind is Kind.OTHER for place in others)
        if self._readings[first].kind is Kind.WEAK:
            # The description of a class, say, comes before what is remarked of the row.
            others = [place for place in others if self._readings[place].kind < Kind.REMARK]
        return all(likeness[place] <= MOST_OF_OTHERS * likeness[first] for place in others)

    def _prose(self, place: int) -> Prose:
        if place not in self._known:
            self._known[place] = prose_of(self._cells(place) if self._cells else [])
        return self._known[place]

    def _holds_texts(self, place: int) -> bool:
        """Return whether a column holds texts, as far as is known: a table without rows may."""
        if self._cells is None or not self._cells(place):
            return True
        prose = self._prose(place)
        # A body is a council, or a text that reads like one.
        least = LEAST_OF_NAMES if self._readings[place].kind >= Kind.SUMMARY else LEAST_LIKENESS * MOST_OF_OTHERS
        is_phrase = prose.n_words >= LEAST_WORDS and prose.likeness >= least
        return prose.is_text and (is_phrase or not self._readings[place].is_ambiguous)

    def _passed_over(self, places: Sequence[int]) -> str:
        """Return in words which usual headings stand over no texts, to go before what comes of it."""
        if not places:
            return ""
        names = ", ".join(repr(self._columns[place]) for place in places[:3])
        return f"usual heading{'s' * (len(places) > 1)} {names} over no texts: "

    def _option(self, part: Sequence[Column]) -> str:
        """Return the option that asks for columns."""
        names = distinct_names(self._columns)
        return f"--text-column {in_option('|'.join(names[column.place] for column in part))}"


def in_option(name: str) -> str:
    r"""Return a name as a shell takes it, in quotes and on one line: blanks and line breaks in it count alike.

    >>> print(in_option("Service\ndescription"), in_option("Buyer's item"))
    'Service description' 'Buyer'"'"'s item'
    """
    in_line = " ".join(name.split()) if re.search(r"[\r\n]", name) else name
    return "'" + in_line.replace("'", "'\"'\"'") + "'"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED:,} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(map(repr, names[:_MAX_NAMED])) + more


def _samples(n_columns: int, cells: Cells | None) -> list[list[str]]:
    """Return a few cells of each column that are not blank."""
    if cells is None:
        return []
    return [[cell for cell in cells(place) if not says_nothing(cell)][:N_SHOWN] for place in range(n_columns)]
