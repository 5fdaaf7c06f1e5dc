r"""Find the rows on which rules fire.

The words of a text are runs of letters, digits and underscores (``\w+``) in Unicode form NFKC and lower case. All
texts of a batch become one string, in which a space stands before and after every word, and a line break between
texts; phrases are looked for with their spaces, so that they are whole words, all in one pass of an automaton.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from outsort.buffers import Utf8Column
from outsort.errors import DataError
from outsort.rules.cells import Column, ColumnConditions, automaton, regex_options
from outsort.rules.rule import Cells, Condition, Hits, Rules

_SPACE, _END = ord(" "), ord("\n")
#: Of each byte of ASCII the lower case of a letter, a digit or _, and a space for all else.
_LETTERS = bytes(ord(c.lower()) if c.isascii() and (c.isalnum() or c == "_") else _SPACE for c in map(chr, range(256)))
_WORD = re.compile(r"\w+")


def need_extra() -> None:
    """Raise DataError if the libraries that match rules are not installed."""
    try:
        import ahocorasick  # noqa: F401
        import re2  # noqa: F401
    except ImportError as error:
        raise DataError(f"rules need {error.name}; install it with pip install 'outsort[rules]'.") from None


def regex_problem(pattern: str) -> str:
    r"""Return what is wrong with a pattern, in words; "" for nothing.

    RE2 takes time in proportion to a text whatever the pattern: what it cannot do so is refused.

    >>> regex_problem(r"(a)\1")
    'cannot be used: invalid escape sequence: \\1; there is no look-around and no reference back'
    >>> regex_problem("(")
    'cannot be used: missing ): ('
    """
    import re2

    try:
        re2.compile(pattern, regex_options())
    except re2.error as error:
        said = error.args[0]
        why = f"cannot be used: {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
        with suppress(re.error):
            re.compile(pattern)
            # Python could use it.
            why += "; there is no look-around and no reference back"
        return why
    return ""


class Matcher:
    """Rules prepared for finding the rows on which they fire; those past their date do not."""

    def __init__(self, rules: Rules) -> None:
        """Number all phrases, the conditions on texts that they are in, and the conditions on columns."""
        conditions: dict[str, list[Condition]] = {}
        phrases: dict[str, list[int]] = {}
        #: Of each condition on the text its rule, and whether it keeps that from firing.
        of_rule: list[int] = []
        is_unless: list[bool] = []
        self._n_rules = len(rules.rules)
        self._n_needed = np.zeros(self._n_rules, np.int64)
        #: Rules without a condition on the text, and the conditions on columns of each rule.
        self._of_columns: list[int] = []
        self._where: dict[int, list[tuple[str, int]]] = {}
        for place, rule in enumerate(rules.rules):
            if rules.is_past(rule):
                continue
            self._n_needed[place] = len(rule.texts)
            if not rule.texts:
                self._of_columns.append(place)
            for any_of, keeps in [*((any_of, False) for any_of in rule.texts), (rule.unless, True)]:
                for phrase in dict.fromkeys(any_of):
                    phrases.setdefault(phrase, []).append(len(of_rule))
                of_rule.append(place)
                is_unless.append(keeps)
            for condition in rule.where:
                of_column = conditions.setdefault(condition.column, [])
                self._where.setdefault(place, []).append((condition.column, len(of_column)))
                of_column.append(condition)
        self._columns = {name: ColumnConditions(name, found) for name, found in conditions.items()}
        self._of_rule, self._is_unless = np.array(of_rule, np.int64), np.array(is_unless, np.bool_)
        self._n_of_phrase = np.array([len(numbers) for numbers in phrases.values()], np.int64)
        self._first_of_phrase = np.cumsum(self._n_of_phrase) - self._n_of_phrase
        self._of_phrase = np.array(list(chain.from_iterable(phrases.values())), np.int64)
        self._automaton = automaton({_as_searched(phrase): number for number, phrase in enumerate(phrases)})

    def hits(self, texts: Utf8Column, cells: Cells | None) -> Hits:
        """Return which rules fire on which rows; see `Rules.hits`."""
        found, kept_from = self._in_texts(texts)
        columns: dict[str, Column] = {}
        keys = []
        # The rows of each rule, from those on which its conditions on the text hold to those on which all do.
        for place, rows in self._rows_to_look_at(found, has_columns=cells is not None):
            left = rows
            for name, number in self._where.get(place, ()):
                if cells and name not in columns:
                    columns[name] = Column(self._columns[name], cells(name))
                left = columns[name].kept(number, left) if cells else np.zeros(0, np.int64)
            if left is not None:
                keys.append(left * self._n_rules + place)
        together = np.sort(np.concatenate([np.zeros(0, np.int64), *keys]))
        together = together[~np.isin(together, kept_from)] if len(kept_from) else together
        return Hits(*np.divmod(together, self._n_rules))

    def _rows_to_look_at(self, found: Hits, *, has_columns: bool) -> Iterator[tuple[int, NDArray[np.int64] | None]]:
        """Yield rules with the rows that the conditions on the text leave; None for all, where there are none."""
        yield from found.by_rule().items()
        yield from ((place, None) for place in self._of_columns if has_columns)

    def _in_texts(self, texts: Utf8Column) -> tuple[Hits, NDArray[np.int64]]:
        """Return the hits by conditions on the text alone, and the keys of rows and rules that it keeps from firing.

        The key of a row and a rule is the place of the row times the number of rules plus the place of the rule.
        """
        nothing = np.zeros(0, np.int64)
        if not self._automaton:
            return Hits(nothing, nothing), nothing
        searched, ends, row_of_end = _searched(texts)
        at = np.fromiter(chain.from_iterable(self._automaton.iter(searched)), np.int64)
        rows, phrases = row_of_end[np.searchsorted(ends, at[::2])], at[1::2]
        n = self._n_of_phrase[phrases]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        conditions = self._of_phrase[np.repeat(self._first_of_phrase[phrases], n) + within]
        # A condition that several phrases meet is met once.
        distinct = np.unique(np.repeat(rows, n) * len(self._of_rule) + conditions)
        rows, conditions = np.divmod(distinct, len(self._of_rule))
        keys = rows * self._n_rules + self._of_rule[conditions]
        met = ~self._is_unless[conditions]
        pairs, n_met = np.unique(keys[met], return_counts=True)
        rows, rules = np.divmod(pairs, self._n_rules)
        return Hits(rows, rules).where(n_met == self._n_needed[rules]), keys[~met]


def words_of(text: str) -> list[str]:
    """Return the words of a text, as phrases are made of them.

    >>> words_of("Re-key 500 INVOICES")
    ['re', 'key', '500', 'invoices']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def _as_searched(phrase: str) -> str:
    return f" {phrase[:-1]}" if phrase.endswith("*") else f" {phrase} "


def _searched(texts: Utf8Column) -> tuple[str, NDArray[np.int64], NDArray[np.int64]]:
    """Return texts as one string to search.

    Returns:
        The string; the places of its line breaks, int64 (n_breaks,), one behind each text; and the place of the text
        before each.
    """
    data, offsets = texts.data[texts.offsets[0] : texts.offsets[-1]], texts.offsets - texts.offsets[0]
    plain = data.tobytes().translate(_LETTERS)
    parts = [plain[start:end] for start, end in pairwise(offsets.tolist())]
    others = np.unique(np.searchsorted(offsets, np.flatnonzero(data > 127), "right") - 1).tolist()
    for i in others:
        parts[i] = b""
    single = _single(np.frombuffer(b"".join([b" ", b" \n ".join(parts), b" \n"]), np.uint8))
    text = single.tobytes().decode("ascii")
    more = [f" {' '.join(words_of(texts.text(i)))} \n" for i in others]
    ends = np.concatenate([np.flatnonzero(single == _END), len(text) + np.cumsum([0, *map(len, more)])[1:] - 1])
    # Without texts, there is a line break all the same.
    row_of_end = np.concatenate([np.arange(max(len(parts), 1)), np.array(others, np.int64)])
    return text + "".join(more), ends.astype(np.int64), row_of_end


def _single(spaced: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a text with one space for several in a row."""
    kept = np.ones(len(spaced), np.bool_)
    np.logical_or(spaced[1:] != _SPACE, spaced[:-1] != _SPACE, out=kept[1:])
    return spaced[kept]
