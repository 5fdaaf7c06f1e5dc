"""What rules do on the rows of a table, against what a person counts."""

import json

import pandas as pd
import pytest

from outsort import model_file as model_files
from outsort.errors import DataWarning
from outsort.improving.check_rules import check_rules
from outsort.reporting.rules import rules_tables
from outsort.rules.reading import load

RULES = """
[[rule]]
name = "keying"
words = ["key"]
label = "BPO"

[[rule]]
name = "contracts"
words = ["contract"]
label = "KPO"

[[rule]]
name = "drafts"
words = ["draft"]
label = "BPO"

[[rule]]
name = "translations"
words = ["translate"]
line = "legal_services"

[[rule]]
name = "unseen"
words = ["xyzzy"]
label = "BPO"

[[rule]]
name = "old"
words = ["key"]
label = "KPO"
until = 2020-12-31

[[rule]]
name = "sure"
words = ["key"]
label = "KPO"
only = "review"
"""
ROWS = pd.DataFrame(
    {
        "text": [
            "key invoices into sap",
            "key invoices into sap",
            "draft a contract",
            "draft a letter",
            "translate a contract",
        ],
        "label": ["BPO", "", "KPO", "KPO", "bpo"],
        "Spend": ["£100", "50", "1,000", "n/a", "10"],
    }
)


@pytest.fixture
def rules(model, tmp_path):
    (tmp_path / "mine.toml").write_text(RULES, encoding="utf-8")
    with pytest.warns(DataWarning, match="past its date"):
        return load(tmp_path / "mine.toml", model)


def test_each_rule_is_counted_on_its_rows(model, rules):
    told = []
    found = check_rules(ROWS, rules, model, weight_column="Spend", tell=told.append)
    assert told[1:] == ["the frame: 1 rows have no amount of 0 or above in 'Spend', and count as 0"]
    # Name, rows on which it fires, rows it decides, their spend, rows with a label, rows whose label it gives.
    assert [(r.name, r.hits, r.decided, r.weight, r.labelled, r.label_agrees) for r in found.by_rule] == [
        ("keying", 2, 2, 150, 1, 1),
        ("contracts", 2, 2, 1010, 2, 1),
        ("drafts", 2, 1, 0, 2, 0),
        ("translations", 1, 0, 0, 1, 0),
        ("unseen", 0, 0, 0, 0, 0),
        ("old", 0, 0, 0, 0, 0),
        ("sure", 2, 0, 0, 1, 0),
    ]
    assert (found.n, found.decided, found.weight, found.weight_decided) == (5, 5, 1160, 1160)


def test_what_a_person_should_look_into_is_named(model, rules):
    # In a frame with an index of its own, rows are called what it calls them.
    found = check_rules(ROWS.set_index(pd.Index(range(2, 7))), rules, model, tell=str)
    assert [(c.first, c.second, c.answers, c.rows) for c in found.clashes] == [
        ("contracts", "drafts", ("KPO", "BPO"), [4])
    ]
    assert (found.never_fire, found.past, found.never_decide) == (["unseen"], ["old"], ["translations", "sure"])
    assert found.failed == ["clashes", "never_fire", "past"]
    # The model is sure of rows that it learnt, and takes the translation of a contract for what it is.
    assert found.superfluous == ["keying"]
    by_name = {rule.name: rule.model_agrees for rule in found.by_rule}
    assert (by_name["keying"], by_name["contracts"], by_name["drafts"]) == (2, 1, 0)


def test_rules_for_rows_to_review_clash_there_alone(model, tmp_path):
    both = "".join(
        f'[[rule]]\nname = "{name}"\nwords = ["WORD"]\n{rest}\n'
        for name, rest in (("a", 'label = "BPO"'), ("b", 'label = "KPO"\nonly = "review"'))
    )
    for word, n_clashes in (("sap", 0), ("zzz", 1)):
        (tmp_path / "r.toml").write_text(both.replace("WORD", word), encoding="utf-8")
        rows = pd.DataFrame({"text": ["key invoices into sap", "zzz"]})
        assert len(check_rules(rows, load(tmp_path / "r.toml", model), model, tell=str).clashes) == n_clashes


def test_answers_of_score_are_no_labels_unless_their_column_is_named(model, rules):
    scored = ROWS.assign(label="KPO", decision="accept", model="m")
    by_name = {rule.name: rule.labelled for rule in check_rules(scored, rules, model, tell=str).by_rule}
    assert set(by_name.values()) == {0}
    named = check_rules(scored, rules, model, label_column="label", tell=str).by_rule
    assert {rule.name: (rule.labelled, rule.label_agrees) for rule in named}["contracts"] == (2, 2)


def test_of_a_clash_a_hundred_rows_are_named_and_all_are_counted(model, rules):
    rows = pd.DataFrame({"text": ["draft a contract"] * 101}, index=pd.RangeIndex(2, 103))
    (clash,) = check_rules(rows, rules, model, tell=str).clashes
    assert (clash.n_rows, clash.weight, clash.rows) == (101, 101, list(range(2, 102)))


def test_the_column_of_weights_is_called_what_the_table_calls_it(model, rules):
    assert check_rules(ROWS, rules, model, weight_column=" spend", tell=str).weight_column == "Spend"


def test_there_is_no_share_of_nothing(model, rules):
    found = check_rules(ROWS.assign(Spend="0"), rules, model, weight_column="Spend", tell=str)
    assert next(rules_tables(found, 5)).endswith(": rules decide 5 of 5 rows")


def test_the_command_shows_it_and_exits_with_3_when_asked(outsort, model, tmp_path):
    model_files.save(model, tmp_path / "m.joblib")
    (tmp_path / "mine.toml").write_text(RULES, encoding="utf-8")
    ROWS.drop(columns="label").to_csv(tmp_path / "t.csv", index=False)
    run = ("check", tmp_path / "t.csv", "--rules", tmp_path / "mine.toml", "-m", tmp_path / "m.joblib")
    done = outsort(*run, "--weight-column", "Spend")
    assert done.code == 0
    assert "rules decide 5 of 5 rows (100% of Spend)" in done.out
    assert "pairs of rules that clash: 1" in done.out
    assert "never fire on these rows: unseen" in done.out
    assert "labels agree" not in done.out
    assert "fire but never decide, as rules before them or sure answers do: translations and 1 more" in (
        outsort(*run, "--show", 1).out
    )
    strict = outsort(*run, "--strict", "--json")
    assert strict.code == 3
    assert "to look into: clashes, never_fire, past" in strict.err
    assert json.loads(strict.out)["clashes"][0]["rows"] == [4]
    assert "needs --rules" in outsort("check", tmp_path / "t.csv", "--model", tmp_path / "m.joblib").err
