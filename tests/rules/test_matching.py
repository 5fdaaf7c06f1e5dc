"""Which rules fire on which rows, against loops over rules, rows and words."""

import datetime
import pickle
import re
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsort.errors import DataError
from outsort.rules.rule import Condition, Rule, Rules

TODAY = datetime.date(2026, 6, 1)
WORDS = ["key", "keys", "data", "entry", "café", "Straße", "x_1", "7", "no"]
#: What may stand between words, and next to one.
GAPS = [" ", "  ", "-", ", ", "\n", ".", "–", "\0", "", "\u00a0", "'s "]
CELLS = ["HR", " hr ", "Hr dept", "IT", "", "5", "£1,500.50", "-3", "12 May 2026", "2026-05-01", "a.b", "x" * 5]

texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=6).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)
phrases = st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), st.booleans()).map(
    lambda found: unicodedata.normalize("NFKC", " ".join(found[0])).lower() + "*" * found[1]
)
any_of = st.lists(phrases, min_size=1, max_size=2).map(tuple)
bounds = st.one_of(
    st.sampled_from([-3.0, 5.0, 1500.5]), st.dates(datetime.date(2026, 4, 30), datetime.date(2026, 5, 13))
)
conditions = st.builds(
    Condition,
    column=st.sampled_from(["one", "two"]),
    equals=st.lists(st.sampled_from(["hr", "IT", "5"]), max_size=2).map(tuple),
    contains=st.lists(st.sampled_from(["h", "r d", "A.B"]), max_size=2).map(tuple),
    regex=st.sampled_from(["", "^H", r"\d", "a.b$", "(?i)hr|x{3}"]),
    least=st.none() | bounds,
    most=st.none() | bounds,
)


@st.composite
def rule_lists(draw):
    made = st.builds(
        Rule,
        place=st.just("rule"),
        name=st.just("a rule"),
        label=st.just("BPO"),
        texts=st.lists(any_of, max_size=3).map(tuple),
        unless=st.lists(phrases, max_size=2).map(tuple),
        where=st.lists(conditions, max_size=2).map(tuple),
        until=st.none() | st.sampled_from([TODAY, TODAY - datetime.timedelta(1)]),
    )
    return [rule for rule in draw(st.lists(made, min_size=1, max_size=6)) if rule.texts or rule.where]


def words_of(text):
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


def is_in(phrase, text):
    """Whether the words of a phrase follow each other in a text."""
    wanted, found = phrase.rstrip("*").split(), words_of(text)
    for start in range(len(found) - len(wanted) + 1):
        *head, last = found[start : start + len(wanted)]
        if head == wanted[:-1] and (last.startswith(wanted[-1]) if phrase.endswith("*") else last == wanted[-1]):
            return True
    return False


def plain(text):
    return " ".join(text.split()).casefold()


#: The cells that are numbers and dates, as a person reads them.
NUMBERS = {"5": 5.0, "£1,500.50": 1500.5, "-3": -3.0}
DATES = {"12 May 2026": datetime.date(2026, 5, 12), "2026-05-01": datetime.date(2026, 5, 1)}


def reaches(cell, least, most):
    for bound, is_least in ((least, True), (most, False)):
        if bound is not None:
            value = (DATES if isinstance(bound, datetime.date) else NUMBERS).get(cell)
            if value is None or (value < bound if is_least else value > bound):
                return False
    return True


def holds(condition, cell):
    return (
        (not condition.equals or plain(cell) in map(plain, condition.equals))
        and (not condition.contains or any(plain(part) in plain(cell) for part in condition.contains))
        and (not condition.regex or re.search(condition.regex, cell.strip()) is not None)
        and reaches(cell, condition.least, condition.most)
    )


def fires(rule, text, row):
    return (
        (rule.until is None or rule.until >= TODAY)
        and all(any(is_in(phrase, text) for phrase in phrases) for phrases in rule.texts)
        and not any(is_in(phrase, text) for phrase in rule.unless)
        and all(holds(condition, row[condition.column]) for condition in rule.where)
    )


@given(rule_lists(), st.lists(st.tuples(texts, st.sampled_from(CELLS), st.sampled_from(CELLS)), max_size=8))
@settings(max_examples=2 * settings.default.max_examples)
def test_rules_fire_where_loops_say_they_do(found, rows):
    rules = Rules("mine", tuple(found), TODAY)
    columns = {"one": [one for _, one, _ in rows], "two": [two for _, _, two in rows]}
    hits = rules.hits([text for text, *_ in rows], columns.__getitem__)
    expected = [
        (i, place)
        for i, (text, one, two) in enumerate(rows)
        for place, rule in enumerate(found)
        if fires(rule, text, {"one": one, "two": two})
    ]
    assert list(zip(hits.rows.tolist(), hits.rules.tolist(), strict=True)) == expected
    # Without columns, the rest fires as before.
    of_texts = [(i, place) for i, place in expected if not found[place].where]
    alone = rules.hits([text for text, *_ in rows])
    assert list(zip(alone.rows.tolist(), alone.rules.tolist(), strict=True)) == of_texts


def rule(name="a", **values):
    return Rule("rule 1", name, values.pop("label", "BPO"), **values)


def test_the_first_rule_that_may_decide_does():
    rules = Rules(
        "mine",
        (
            rule(texts=(("key",),), only_review=True),
            rule("b", texts=(("key",),)),
            rule("c", texts=(("entry",),), only_review=True),
        ),
        TODAY,
    )
    hits = rules.hits(["key entry", "key entry", "entry", "entry", ""])
    assert rules.deciding(hits, np.array([True, False, True, False, True])).tolist() == [0, 1, 2, -1, -1]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (5.0, "5"),
        (np.float64(5.5), "5.5"),
        (pd.NaT, ""),
        (None, ""),
        (True, "true"),
        (datetime.datetime(2026, 5, 1), "2026-05-01"),
        (pd.Timestamp(2026, 5, 1), "2026-05-01"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_cells_of_any_kind_equal_their_text(cell, text):
    rules = Rules("mine", (rule(where=(Condition("x", equals=(text,)),)),), TODAY)
    assert rules.hits(["", ""], {"x": [cell, "other"]}.__getitem__).rows.tolist() == [0]


def test_all_that_a_condition_says_must_hold():
    both = Condition("x", equals=("hr", "it"), contains=("h",), regex="^H", least=None)
    rules = Rules("mine", (rule(where=(both,)),), TODAY)
    assert rules.hits([""] * 4, {"x": ["HR", "hr", "IT", "Hall"]}.__getitem__).rows.tolist() == [0]


def test_numbers_and_dates_are_read_as_people_write_them():
    above = rule(where=(Condition("x", least=1000.0),))
    cells = ["1.234,50", "1.234", 999, 1000.0, "n/a", None, "1,5"]
    hits = Rules("mine", (above,), TODAY).hits([""] * len(cells), {"x": cells}.__getitem__)
    # The first cell tells that commas stand before decimals.
    assert hits.rows.tolist() == [0, 1, 3]
    late = rule(where=(Condition("x", least=datetime.date(2026, 5, 1)),))
    cells = ["13/05/2026", "01/05/2026", "2026-04-30", datetime.date(2026, 5, 2), "soon", ""]
    hits = Rules("mine", (late,), TODAY).hits([""] * len(cells), {"x": cells}.__getitem__)
    assert hits.rows.tolist() == [0, 1, 3]


def test_dates_that_may_be_read_in_two_ways_are_refused():
    rules = Rules("mine", (rule(where=(Condition("due", most=TODAY),)),), TODAY)
    with pytest.raises(DataError, match=r"dates in column 'due', such as '03/04/2026', can be read with the day first"):
        rules.hits([""], {"due": ["03/04/2026"]}.__getitem__)


def test_a_hundred_and_fifty_patterns_are_told_apart():
    # RE2 has them in sets of a hundred.
    rules = [rule(str(i), where=(Condition("x", regex=f"^{i}$|=({i})+;"),)) for i in range(150)]
    hits = Rules("mine", tuple(rules), TODAY).hits([""] * 3, {"x": ["7", "=149149;", "=7;=120;"]}.__getitem__)
    assert list(zip(hits.rows.tolist(), hits.rules.tolist(), strict=True)) == [(0, 7), (1, 149), (2, 7), (2, 120)]


def test_a_pattern_that_backtracks_elsewhere_ends_at_once():
    rules = Rules("mine", (rule(where=(Condition("x", regex=r"^(a+)+$"),)),), TODAY)
    assert rules.hits([""], {"x": ["a" * 50_000 + "!"]}.__getitem__).rows.tolist() == []


def test_half_a_surrogate_pair_in_a_cell_is_no_letter():
    found = Condition("x", regex="^H"), Condition("x", contains=("h",))
    rules = Rules("mine", tuple(rule(str(i), where=(one,)) for i, one in enumerate(found)), TODAY)
    hits = rules.hits(["", ""], {"x": ["Hall \ud800", "\udc00"]}.__getitem__)
    assert list(zip(hits.rows.tolist(), hits.rules.tolist(), strict=True)) == [(0, 0), (0, 1)]


def test_rules_go_to_other_processes():
    rules = Rules("mine", (rule(texts=(("key",),)),), TODAY)
    rules.hits(["key"])
    again = pickle.loads(pickle.dumps(rules))
    assert again.hits(["a key"]).rows.tolist() == [0]
    assert again.fingerprint == rules.fingerprint


def test_the_fingerprint_is_of_what_decides():
    first = Rules("mine", (rule(texts=(("key",),), why="so"),), TODAY)
    assert Rules("b", (rule(texts=(("key",),), who="us"),), TODAY).fingerprint == first.fingerprint
    assert Rules("mine", (rule(texts=(("keys",),)),), TODAY).fingerprint != first.fingerprint
