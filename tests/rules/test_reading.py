"""Rules from TOML and from tables, and what is wrong with them in one message."""

import datetime
import sys

import pandas as pd
import pytest

from outsort.errors import DataError, DataWarning
from outsort.rules.reading import load
from outsort.rules.rule import Condition

TODAY = datetime.date(2026, 6, 1)
TOML = """
unless = "software"

[[rule]]
name = "Key"
words = ["Key", "type*"]
phrases = "in-voices"
all = ["SAP|excel", "a b"]
unless = ["no"]
where = [
    {column = "Dept", equals = ["HR", 5], contains = "h"},
    {column = "Due", regex = "^2", from = 2026-01-01, to = "2026-12-31"},
]
label = "bpo"
line = "data_entry"
why = "because"
who = "Legal"
until = 2026-12-31
only = "review"

[[rule]]
name = "Amount"
where = {column = "Spend", to = 1000}
line = "cleaning"
"""
#: The same as a table.
SHEET = pd.DataFrame(
    [
        {
            "name": "Key",
            "words": "Key; type*",
            "phrases": "in-voices",
            "all": "SAP|excel\na b",
            "unless": "no; software",
            "column": "Dept",
            "equals": "HR;5",
            "contains": "h",
            "column 2": "Due",
            "regex_2": "^2",
            "from 2": "2026-01-01",
            "to 2": datetime.datetime(2026, 12, 31),
            "label": "bpo",
            "line": "data_entry",
            "why": "because",
            "who": "Legal",
            "until": "2026-12-31",
            "only": "review",
        },
        {"name": "Amount", "unless": "software", "column": "Spend", "to": "£1,000", "line": "cleaning"},
    ]
)


@pytest.fixture
def written(tmp_path):
    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_toml_file_holds_all_that_a_rule_can(model, written):
    first, second = load(written(TOML), model, today=TODAY).rules
    assert first.texts == (("key", "type*"), ("in voices",), ("sap", "excel"), ("a b",))
    assert first.unless == ("no", "software")
    assert first.where == (
        Condition("Dept", ("HR", "5"), ("h",)),
        Condition("Due", regex="^2", least=datetime.date(2026, 1, 1), most=datetime.date(2026, 12, 31)),
    )
    assert (first.label, first.line, first.until) == ("BPO", "data_entry", datetime.date(2026, 12, 31))
    assert (first.why, first.who, first.only_review) == ("because", "Legal", True)
    assert (second.label, second.line, second.where) == ("NEITHER", "cleaning", (Condition("Spend", most=1000.0),))


@pytest.mark.parametrize("name", ["mine.csv", "mine.xlsx", "mine.jsonl"])
def test_a_table_says_the_same(model, written, tmp_path, name):
    path = tmp_path / name
    if name.endswith("xlsx"):
        SHEET.to_excel(path, index=False)
    elif name.endswith("csv"):
        SHEET.to_csv(path, index=False)
    else:
        SHEET.astype(str).replace("nan", None).to_json(path, orient="records", lines=True)
    ours, theirs = load(path, model, today=TODAY), load(written(TOML), model, today=TODAY)
    assert [rule.place for rule in ours.rules] == ["row 2", "row 3"]
    assert ours.fingerprint == theirs.fingerprint


def rule(text, name='name = "a"', label='label = "BPO"'):
    return f"[[rule]]\n{name}\n{text}\n{label}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rule('words = "a"', name=""), "rule 1: the name is missing"),
        (rule(""), "rule 1 ('a'): no condition: give words, phrases, all or a column"),
        (rule('unless = "b"'), "rule 1 ('a'): no condition"),
        (rule("words = []"), "rule 1 ('a'): words is empty"),
        (rule('words = ["b", " "]'), "rule 1 ('a'): words holds ' ', which is no text"),
        (rule('words = ["--"]'), "rule 1 ('a'): words holds '--', which has no word"),
        (rule('phrases = ["a* b"]'), "rule 1 ('a'): phrases holds 'a* b': * can only end it"),
        (rule('words = "a"', label=""), "rule 1 ('a'): neither a label nor a line"),
        (rule('words = "a"', label='label = "ABC"'), "rule 1 ('a'): label 'ABC' is not one of BPO, KPO, NEITHER"),
        (rule('words = "a"', label="label = 5"), "rule 1 ('a'): label is not a text: 5"),
        (
            rule('words = "a"', label='line = "translatoin"'),
            "rule 1 ('a'): no line of the model is called 'translatoin'. Did you mean 'translation'?",
        ),
        (rule('words = "a"\nline = "cleaning"'), "rule 1 ('a'): line 'cleaning' is of label NEITHER, not BPO"),
        (rule('wrods = "a"\nwords = "a"'), "rule 1 ('a'): unknown key 'wrods'. Did you mean 'words'?"),
        (rule('words = "a"\nuntil = "31.12.2026"'), "rule 1 ('a'): until '31.12.2026' is not a date"),
        (rule('words = "a"\nonly = "always"'), "rule 1 ('a'): only 'always': leave it out, or write 'review'"),
        (rule('where = "Dept"'), "rule 1 ('a'): where holds 'Dept', not a table"),
        (rule("where = []"), "rule 1 ('a'): where is empty"),
        (rule('where = {equals = "x"}'), "rule 1 ('a'): a condition names no column"),
        (rule('where = {column = "x"}'), "rule 1 ('a'): the condition on column 'x' is empty"),
        (rule('where = {column = "x", equals = "y", is = "z"}'), "unknown key 'is' in where"),
        (rule("where = {column = 'x', regex = '('}"), "rule 1 ('a'): regex '(' cannot be used: missing ): ("),
        (rule("where = {column = 'x', regex = ''}"), "rule 1 ('a'): regex '' is empty"),
        (rule(r"where = {column = 'x', regex = '(a)\1'}"), r"regex '(a)\\1' cannot be used: invalid escape sequence"),
        (rule("where = {column = 'x', regex = 'a(?=b)'}"), "there is no look-around"),
        (rule("where = {column = 'x', from = 'soon'}"), "rule 1 ('a'): from 'soon' is neither a number nor a date"),
        (rule("where = {column = 'x', from = 5, to = 3}"), "rule 1 ('a'): from 5.0 to 3.0: nothing is in it"),
        (rule("where = {column = 'x', from = 5, to = 2026-01-01}"), "one is a date and one a number"),
        (rule('words = "a"') * 2, "rule 2: the name 'a' is that of rule 1 already"),
    ],
)
def test_what_is_wrong_is_said_once_with_file_and_rule(model, written, text, says):
    path = written(text)
    with pytest.raises(DataError) as found:
        load(path, model)
    message = str(found.value)
    assert message.startswith(f"{path}, rule ")
    assert says in message.replace("\\\\", "\\") or says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("[[rule]\n", "mine.toml", r"mine.toml: is not valid TOML \(.*line 1"),
        ("", "mine.toml", r"mine.toml: has no rules"),
        ("rule = 5", "mine.toml", r"mine.toml: 'rule' is not a list of tables"),
        ("[[rules]]\n", "mine.toml", r"mine.toml: unknown key 'rules'"),
        ("name,words,labl\na,b,BPO\n", "mine.csv", r"mine.csv: unknown column 'labl'. Did you mean 'label'\?"),
        (
            "name,words,label\na,b,BPO\n\na,c,ABC\n",
            "mine.csv",
            r"(?s)2 problems.*row 4 \('a'\): label 'ABC'.*row 4: the name",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused(model, written, text, name, says):
    with pytest.raises(DataError, match=says):
        load(written(text, name), model)


def test_names_that_are_no_file_are_refused(model):
    with pytest.raises(
        DataError, match=r"india: is no file. Name a TOML file or table of rules, or what ships: india-10ta"
    ):
        load("india", model)


def test_a_lacking_extra_is_named(model, written, monkeypatch):
    monkeypatch.setitem(sys.modules, "ahocorasick", None)
    with pytest.raises(DataError, match=r"rules need ahocorasick; install it with pip install 'outsort\[rules\]'"):
        load(written(rule('words = "a"')), model)


def test_a_model_without_lines_takes_rules_of_labels(two_class_model, written):
    assert load(written(rule('words = "a"')), two_class_model).rules[0].label == "BPO"
    with pytest.raises(DataError, match="the model has no service lines"):
        load(written(rule('words = "a"', label='line = "BPO"')), two_class_model)


def test_a_rule_past_its_date_is_named_and_does_not_fire(model, written):
    path = written(rule('words = "a"\nuntil = 2026-05-31') + rule('words = "b"\nuntil = 2026-06-01', name='name = "b"'))
    with pytest.warns(DataWarning, match=r"mine.toml: past its date, does not fire: 'a' \(2026-05-31\)"):
        rules = load(path, model, today=TODAY)
    assert rules.hits(["a b"]).rules.tolist() == [1]


def test_ten_thousand_rules_load_and_run(model, written):
    path = written("".join(rule(f'words = "w{i}"', name=f'name = "rule {i}"') for i in range(10_000)))
    hits = load(path, model).hits(["w77 and w9999", "w10000"])
    assert (hits.rows.tolist(), hits.rules.tolist()) == ([0, 0], [77, 9999])
