"""Rules decide alike wherever texts are answered, and leave every other row as it was."""

import csv
import json
import threading

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

import outsort as package
from outsort import model_file as model_files
from outsort import taxonomy
from outsort.data import dataset
from outsort.errors import DataError, OutputError
from outsort.evaluation import evaluate
from outsort.improving.check_rules import check_rules
from outsort.rules.reading import load
from outsort.rules.rule import Rules
from outsort.scoring import files, folder, frames
from outsort.scoring.corrections import Correction
from outsort.scoring.kernel import Kernel
from outsort.scoring.scorer import Scorer
from outsort.scoring.summary import SummaryTally
from outsort.tables.formats import WRITTEN
from pages import Page, flat
from serving import serving

OF_TEXTS = """
[[rule]]
name = "minutes"
phrases = ["take the minutes"]
label = "KPO"

[[rule]]
name = "subtitles"
words = ["subtitle*"]
unless = ["draft"]
line = "legal_services"

[[rule]]
name = "unsure"
words = ["xyzzy"]
label = "BPO"
only = "review"

[[rule]]
name = "sure"
words = ["invoices"]
label = "KPO"
only = "review"
"""
OF_COLUMNS = """
[[rule]]
name = "big"
where = {column = "Spend", from = 1000}
label = "NEITHER"
"""
TEXTS = [
    "Take the minutes",
    "translate subtitles",
    "Draft of subtitles",
    "xyzzy",
    "key invoices into sap",
    "",
    "mop floors",
]
DECIDED = ["minutes", "subtitles", None, "unsure", None, None, None]
SPEND = [5, 10, 2000, 0, 0, 1500, None]
WITH_COLUMNS = ["minutes", "subtitles", "big", "unsure", None, "big", None]
OWN = ["rule", "model_label", "model_decision", "rules"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """The rules of texts alone, and those with one on a column."""
    home = tmp_path_factory.mktemp("rules")
    (home / "texts.toml").write_text(OF_TEXTS, encoding="utf-8")
    (home / "all.toml").write_text(OF_TEXTS + OF_COLUMNS, encoding="utf-8")
    return home


@pytest.fixture
def rules(model, paths):
    return load(paths / "texts.toml", model)


@pytest.fixture
def with_columns(model, paths):
    return load(paths / "all.toml", model)


@pytest.fixture
def table():
    return pd.DataFrame({"text": TEXTS, "Spend": SPEND})


def plain(frame):
    return frame.astype(object).where(frame.notna(), None)


def likeliest(model, text, label):
    """Return the line of a label with the highest score, from the scores of all."""
    (scores,) = model.read(text).scores.tolist()
    return max(
        (score, line) for score, line, of in zip(scores, model.lines, model.line_labels, strict=True) if of == label
    )[1]


def test_a_rule_decides_and_names_what_the_model_would_have_answered(model, rules, table):
    before, after = (plain(frames.score(table, model, rules=own)) for own in (None, rules))
    assert after["rule"].tolist() == DECIDED
    assert set(after["rules"]) == {rules.fingerprint}
    decided = after["rule"].notna()
    for name in ("label", "decision"):
        assert after[f"model_{name}"].tolist() == before[name].where(decided, None).tolist()
    assert after["label"][decided].tolist() == ["KPO", "KPO", "BPO"]
    # Of a rule that gives a label alone, the likeliest line of that; none where the model knows no word.
    assert after["service_line"][decided].tolist() == [
        likeliest(model, "Take the minutes", "KPO"),
        "legal_services",
        None,
    ]
    assert (after["decision"][decided] == "accept").all()
    assert (after["reason"][decided] == "").all()
    # The model's probability of the label that the rule gives.
    assert after["probability"].tolist() == [row[f"p_{row['label']}"] for _, row in after.iterrows()]
    # Nothing else changes, and no other row.
    of_rules = ["label", "probability", "service_line", "decision", "reason"]
    pd.testing.assert_frame_equal(after[before.columns].drop(columns=of_rules), before.drop(columns=of_rules))
    pd.testing.assert_frame_equal(after[before.columns][~decided], before[~decided])


def test_a_text_alone_is_decided_as_in_a_table(model, rules, table):
    scored = plain(frames.score(table, model, rules=rules))
    for row, found in zip(scored.to_dict("records"), package.predict(TEXTS, model, rules=rules), strict=True):
        assert (row["label"], row["service_line"], row["decision"], row["reason"]) == (
            found.label,
            found.service_line,
            found.decision,
            found.reason,
        )
        assert row["probability"] == pytest.approx(found.probability, abs=1e-5)
        assert [row[name] for name in OWN] == list(found.ruling)[:4]


def test_arrow_tables_and_empty_ones_are_decided_alike(model, with_columns, table):
    expected = plain(frames.score(table, model, rules=with_columns))
    assert expected["rule"].tolist() == WITH_COLUMNS
    ours = frames.score(pa.Table.from_pandas(table), model, rules=with_columns).to_pandas()
    assert plain(ours)[OWN].equals(expected[OWN])
    empty = frames.score(table[:0], model, rules=with_columns)
    assert list(empty) == list(expected)


@pytest.mark.parametrize("style", WRITTEN)
def test_files_of_every_format_are_decided_alike(model, with_columns, table, tmp_path, style, monkeypatch):
    for name in ("delimited", "jsonl", "json", "parquet", "workbooks.excel", "workbooks.sheets"):
        monkeypatch.setattr(f"outsort.tables.{name}.BATCH_ROWS", 10)
    n = 10 // len(TEXTS) + 1
    pd.concat([table] * n).to_csv(tmp_path / "t.csv", index=False)
    plain_options = files.Options(write_as=style)
    files.score_file(tmp_path / "t.csv", tmp_path / "between", model, options=plain_options)
    options = files.Options(rules=with_columns, read_as=style, write_as="jsonl", text_columns=["text"])
    files.score_file(tmp_path / "between", tmp_path / "out.jsonl", model, options=options)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [row["outsort_rule"] for row in found] == WITH_COLUMNS * n


def test_rows_that_no_rule_decides_keep_their_bytes(model, rules, tmp_path):
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(f'"{text}"' for text in TEXTS) + "\n", encoding="utf-8")
    for name, own in (("a.csv", None), ("b.csv", rules)):
        files.score_file(tmp_path / "t.csv", tmp_path / name, model, options=files.Options(rules=own))
    before, after = ((tmp_path / name).read_text("utf-8").splitlines() for name in ("a.csv", "b.csv"))
    for old, new, rule in zip(before, after, ["x", *DECIDED], strict=True):
        assert rule or new == f"{old},,,,{rules.fingerprint}"


def test_a_row_that_cannot_be_read_is_left_to_a_person(model, with_columns, tmp_path):
    (tmp_path / "t.csv").write_text("text,Spend\nTake the minutes,5,surplus\n", encoding="utf-8")
    options = files.Options(rules=with_columns, keep=True)
    files.score_file(tmp_path / "t.csv", tmp_path / "out.csv", model, options=options)
    (row,) = csv.DictReader((tmp_path / "out.csv").read_text("utf-8").splitlines())
    assert (row["rule"], row["decision"]) == ("", "review")
    assert "cells" in row["reason"]


def test_a_table_without_a_column_that_a_rule_needs_is_refused(model, with_columns, tmp_path):
    says = r"no column 'Spend', which rule 'big' of .*all.toml needs; it has 'text'"
    with pytest.raises(DataError, match=f"the table: {says}"):
        frames.score(pd.DataFrame({"text": TEXTS}), model, rules=with_columns)
    for name, content in (("t.csv", "text\nx\n"), ("t.jsonl", '{"text": "x"}\n')):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=f"{name}: {says}"):
            files.score_file(tmp_path / name, tmp_path / "o.csv", model, options=files.Options(rules=with_columns))
    assert not (tmp_path / "o.csv").exists()


def test_dates_that_may_be_read_in_two_ways_are_refused_with_the_file(model, tmp_path):
    rule = '[[rule]]\nname = "late"\nwhere = {column = "due", from = 2026-01-01}\nlabel = "BPO"\n'
    (tmp_path / "r.toml").write_text(rule, encoding="utf-8")
    (tmp_path / "t.csv").write_text("text,due\nx,03/04/2026\n", encoding="utf-8")
    options = files.Options(rules=load(tmp_path / "r.toml", model))
    with pytest.raises(DataError, match=r"t.csv: the dates in column 'due', such as '03/04/2026', can be read with"):
        files.score_file(tmp_path / "t.csv", tmp_path / "o.csv", model, options=options)


def test_a_model_without_lines_is_overruled_as_well(two_class_model, tmp_path):
    (tmp_path / "r.csv").write_text("name,words,label\nbills,invoices,KPO\n", encoding="utf-8")
    rules = load(tmp_path / "r.csv", two_class_model)
    scored = plain(frames.score(pd.DataFrame({"text": TEXTS}), two_class_model, rules=rules))
    row = scored.loc[4]
    assert [row[name] for name in ("label", "service_line", "rule", "model_label")] == ["KPO", None, "bills", "BPO"]


def test_several_tables_need_the_column_in_one_of_them(model, with_columns, table, tmp_path):
    table.to_csv(tmp_path / "a.csv", index=False)
    table[["text"]].to_csv(tmp_path / "b.csv", index=False)
    options = files.Options(rules=with_columns)
    files.score_file([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "o.csv", model, options=options, tell=str)
    assert plain(pd.read_csv(tmp_path / "o.csv"))["rule"].tolist() == WITH_COLUMNS + DECIDED


def test_clauses_are_decided_one_by_one(model, with_columns, tmp_path):
    row = {"text": "Take the minutes. Mop the floors.", "Spend": 5}
    pd.DataFrame([row, row | {"Spend": 5000}]).to_csv(tmp_path / "t.csv", index=False)
    options = files.Options(rules=with_columns, split=True)
    files.score_file(tmp_path / "t.csv", tmp_path / "o.csv", model, options=options, tell=str)
    assert plain(pd.read_csv(tmp_path / "o.csv"))["rule"].tolist() == ["minutes", None, "minutes", "big"]


def test_a_folder_is_resumed_with_the_same_rules_alone(model, rules, with_columns, table, tmp_path):
    table.to_csv(tmp_path / "a.csv", index=False)
    run = [str(tmp_path / "a.csv")], tmp_path / "out", model
    folder.score_files(*run, options=files.Options(rules=rules))
    assert plain(pd.read_csv(tmp_path / "out" / "a.csv"))["rule"].tolist() == DECIDED
    assert folder.score_files(*run, options=files.Options(rules=rules), resume=True) == {}
    with pytest.raises(OutputError, match="was started with another rules"):
        folder.score_files(*run, options=files.Options(rules=with_columns), resume=True)


def test_rules_are_matched_while_the_model_answers(model, rules, table, tmp_path, monkeypatch):
    both = threading.Barrier(2, timeout=60)

    def together(owner, name):
        alone = getattr(owner, name)

        def waiting(*args, **kwargs):
            both.wait()
            return alone(*args, **kwargs)

        monkeypatch.setattr(owner, name, waiting)

    together(Kernel, "answer")
    together(Rules, "hits")
    table.to_csv(tmp_path / "t.csv", index=False)
    # One after the other, the first would wait in vain.
    files.score_file(tmp_path / "t.csv", tmp_path / "o.csv", Scorer(model, rules=rules))
    assert plain(pd.read_csv(tmp_path / "o.csv"))["rule"].tolist() == DECIDED


def test_a_person_s_correction_comes_last_and_keeps_the_model_s_own_answer(model, rules, table, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    corrections = {0: Correction("NEITHER"), 6: Correction("BPO")}
    options = files.Options(rules=rules, corrections=corrections)
    files.score_file(tmp_path / "t.csv", tmp_path / "o.csv", model, options=options)
    found, own = plain(pd.read_csv(tmp_path / "o.csv")), frames.score(table, model)["label"]
    assert found["label"][[0, 6]].tolist() == ["NEITHER", "BPO"]
    assert found["model_label"].tolist() == [own[0], own[1], None, own[3], None, None, own[6]]
    assert found["rule"].tolist() == DECIDED


def test_a_summary_takes_what_rules_decide_for_certain(model, rules):
    n = 50
    tally = SummaryTally(model)
    added = Scorer(model, workers=1, rules=rules).columns(["take the minutes"] * n)
    tally.add("t", range(n), ["take the minutes"] * n, added, None, None)
    found = tally.result()
    assert {share.name: (share.rows, share.expected) for share in found.labels if share.rows} == {"KPO": (n, n)}
    assert found.labels[0].interval[1] - found.labels[0].interval[0] == pytest.approx(0)


def test_a_summary_of_several_tables_adds_up_what_each_rule_decides(model, rules):
    total, scorer = SummaryTally(model), Scorer(model, workers=1, rules=rules)
    for texts in (["take the minutes", "xyzzy"], ["take the minutes", "zzz qqq"]):
        tally = total.anew()
        tally.add("t", range(2), texts, scorer.columns(texts), None, None)
        total.merge(tally)
    found = total.result()
    assert sum(of.rows for of in found.labels) == 4
    # What no rule decides is of none.
    assert [(of.name, of.rows) for of in found.rules] == [("minutes", 2), ("unsure", 1)]
    assert (found.ruled.rows, found.ruled.weight) == (3, 3)


@pytest.mark.slow
def test_a_summary_says_how_much_each_rule_decides(outsort, saved, paths, table, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    run = ("score", tmp_path / "t.csv", "-m", saved, "--rules", paths / "all.toml", "--weight-column", "Spend")
    done = outsort(*run, "-o", tmp_path / "o.xlsx", "--report", tmp_path / "r.html", "--json")
    found = json.loads(done.out)
    expected = [("big", 2, 3500.0), ("subtitles", 1, 10.0), ("minutes", 1, 5.0), ("unsure", 1, 0.0)]
    assert [(of["name"], of["rows"], of["weight"]) for of in found["rules"]] == expected
    exact = flat(found)
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert {"rules/0/rows", "rules/1/weight"} <= set(page.figures)
    assert {path: {exact[path]} for path in page.figures} == page.figures
    assert "Rules decided 5 of 7 rows (100% of Spend)." in page.text
    sheet = [row[:3] for row in openpyxl.load_workbook(tmp_path / "o.xlsx")["summary"].iter_rows(values_only=True)]
    first = sheet.index(("decided by rule", "rows", "Spend")) + 1
    assert sheet[first : first + len(expected)] == expected
    shown = outsort(*run, "-o", tmp_path / "o.csv")
    assert "Rules decided 5 of 7 rows (100% of Spend)." in " ".join(shown.err.split())
    assert "Rules decided" not in outsort(*run[:4], *run[6:], "-o", tmp_path / "p.csv").err


def test_a_category_is_that_of_the_line_that_a_rule_names(model, rules, table, tmp_path):
    rows = ["data_entry,A,Routine", "translation,A,Routine", "legal_services,B,Expert", "data_science,B,Expert"]
    (tmp_path / "mine.csv").write_text("line,code,name\n" + "\n".join(rows) + "\n", encoding="utf-8")
    mine = taxonomy.load(tmp_path / "mine.csv", model)
    scored = frames.score(table, model, rules=rules, taxonomy=mine)
    before = frames.score(table, model, taxonomy=mine)
    assert (before["category"][1], scored["category"][1], scored["category_probability"][1]) == ("A", "B", 1)
    of_texts = taxonomy.predictions(TEXTS, model, mine, rules=rules)
    assert [found.categories[0].code for found in of_texts] == scored["category"].tolist()
    # "Take the minutes" is of label KPO alone, whose lines are all in B; of "xyzzy", a BPO, they are in A.
    assert scored["category"][[0, 3]].tolist() == ["B", "A"]
    assert scored["category_probability"][[0, 3]].tolist() == [1, 1]
    assert np.array_equal(scored["category"].drop([0, 1, 3]), before["category"].drop([0, 1, 3]))


def test_within_a_label_the_model_chooses_line_and_category(model, tmp_path):
    (tmp_path / "r.csv").write_text("name,words,label\nall,contract,BPO\n", encoding="utf-8")
    rows = [f"{line},{line},{line}" for line in model.lines]
    (tmp_path / "mine.csv").write_text("line,code,name\n" + "\n".join(rows) + "\n", encoding="utf-8")
    rules, mine = load(tmp_path / "r.csv", model), taxonomy.load(tmp_path / "mine.csv", model)
    texts = ["translate a contract", "key the contract into sap", "a contract"]
    scored = frames.score(pd.DataFrame({"text": texts}), model, rules=rules, taxonomy=mine)
    alone = taxonomy.predictions(texts, model, mine, rules=rules)
    for text, row, found in zip(texts, scored.to_dict("records"), alone, strict=True):
        line = likeliest(model, text, "BPO")
        assert (row["label"], row["service_line"], row["category"]) == ("BPO", line, line)
        assert (found.service_line, found.categories[0].code) == (line, line)
        of_lines = found.categories[0].probabilities
        of_label = [p for name, p in of_lines.items() if name in np.array(model.lines)[model.lines_of("BPO")]]
        assert sum(of_label) == pytest.approx(1)
        assert row["category_probability"] == pytest.approx(of_lines[line], abs=1e-5)


def test_rules_that_all_name_lines_decide_as_well(model, tmp_path):
    (tmp_path / "r.csv").write_text("name,words,line\nall,contract,data_entry\n", encoding="utf-8")
    rules = load(tmp_path / "r.csv", model)
    scored = plain(frames.score(pd.DataFrame({"text": ["draft a contract", "mop floors"]}), model, rules=rules))
    assert scored["service_line"].tolist() == ["data_entry", package.predict("mop floors", model).service_line]


def test_case_and_blanks_of_a_column_s_name_do_not_count(model, with_columns, table, tmp_path):
    table = table.rename(columns={"Spend": " spend  "})
    assert plain(frames.score(table, model, rules=with_columns))["rule"].tolist() == WITH_COLUMNS
    # A column of just that name is meant before all others.
    both = table.assign(Spend=0)
    assert plain(frames.score(both, model, rules=with_columns))["rule"].tolist() == DECIDED
    two = table.assign(SPEND=0)
    with pytest.raises(DataError, match="two columns 'Spend', which rule 'big'"):
        frames.score(two, model, rules=with_columns)
    for name in ("t.csv", "t.xlsx"):
        (table.to_csv if name == "t.csv" else table.to_excel)(tmp_path / name, index=False)
        files.score_file(
            tmp_path / name, tmp_path / "o.csv", model, options=files.Options(rules=with_columns), force=True
        )
        assert plain(pd.read_csv(tmp_path / "o.csv"))["rule"].tolist() == WITH_COLUMNS
    checked = check_rules(table, with_columns, model, tell=str)
    assert {rule.name: rule.hits for rule in checked.by_rule}["big"] == 2
    labelled = dataset.read(table.drop(5).assign(label="BPO"), for_training=False)
    assert evaluate.answer(model, labelled, rules=with_columns).ruled.rows == 4


def test_a_column_that_may_be_meant_is_proposed(model, with_columns):
    with pytest.raises(DataError, match=r"it has 'text', 'Spent'. Did you mean 'Spent'\?"):
        frames.score(pd.DataFrame({"text": TEXTS, "Spent": SPEND}), model, rules=with_columns)


@pytest.fixture
def saved(model, tmp_path):
    model_files.save(model, tmp_path / "m.joblib")
    return tmp_path / "m.joblib"


def test_predict_shows_the_rule_and_says_which_need_columns(outsort, saved, paths):
    done = outsort("predict", "Take the minutes", "mop floors", "-m", saved, "--rules", paths / "all.toml", "-f", "csv")
    first, second = csv.DictReader(done.out.splitlines())
    assert (first["label"], first["rule"]) == ("KPO", "minutes")
    assert [second[name] for name in OWN[:3]] == ["", "", ""]
    assert first["rules"] == second["rules"] != ""
    assert done.err == f"{paths / 'all.toml'}: rules on columns do not fire on texts alone: 'big'\n"
    shown = outsort("predict", "Take the minutes", "-m", saved, "--rules", paths / "texts.toml", "-f", "table")
    assert "minutes (model:" in shown.out
    assert shown.err == ""


def test_explain_names_the_rule_and_explains_the_model(outsort, saved, paths):
    run = ("explain", "Take the minutes", "mop floors", "-m", saved, "--rules", paths / "texts.toml", "-f")
    ruled, other = json.loads(outsort(*run, "json").out)
    assert (ruled["label"], ruled["rule"], other["rule"]) == ("KPO", "minutes", None)
    alone = json.loads(outsort(*run[:5], "-f", "json").out)
    assert ruled["model_label"] == alone[0]["label"] != "KPO"
    assert ruled["log_odds"] == alone[0]["log_odds"]
    shown = outsort(*run, "table").out
    assert f"by rule minutes (model: {alone[0]['label']}, {alone[0]['decision']})" in shown
    assert f"log-odds of {alone[0]['label']} " in shown
    assert shown.count("by rule") == 1


@pytest.mark.slow
def test_commands_score_and_evaluate_with_rules(outsort, saved, paths, table, tmp_path):
    table.assign(label=["KPO", "BPO", "BPO", "BPO", "BPO", "", "NEITHER"]).drop(5).to_csv(
        tmp_path / "t.csv", index=False
    )
    done = outsort("score", tmp_path / "t.csv", "-o", "-", "-m", saved, "--rules", paths / "all.toml")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [row["outsort_rule"] for row in rows] == ["minutes", "subtitles", "big", "unsure", "", ""]
    measured = outsort("evaluate", tmp_path / "t.csv", "-m", saved, "--rules", paths / "all.toml", "--json")
    found = json.loads(measured.out)
    right = [row["label"] == row["outsort_label"] for row in rows]
    assert found["accuracy"] == pytest.approx(np.mean(right))
    own = [row["outsort_model_label"] == row["label"] for row in rows[:4]]
    counts = {"rows": 4, "labelled": 4, "right": sum(right[:4]), "model_right": sum(own)}
    ruled = found["ruled"]
    assert {name: ruled[name] for name in counts} == counts
    assert ruled["rules"] == rows[0]["outsort_rules"]
    by_rule = [
        {"rule": row["outsort_rule"], "label": row["outsort_label"], "rows": 1, "labelled": 1}
        | {"right": int(right[i]), "model_right": int(own[i])}
        for i, row in enumerate(rows[:4])
    ]
    assert sorted(ruled["by_rule"], key=lambda one: one["rule"]) == sorted(by_rule, key=lambda one: one["rule"])
    most = table.assign(text="Take the minutes", label=["KPO"] * 6 + ["UNCLEAR"], Spend=[9, 9, 9, 9, 2000, 9, 9])
    most.iloc[2, most.columns.get_loc("text")] = "translate subtitles"
    most.iloc[3, most.columns.get_loc("text")] = "translate subtitles"
    most.to_csv(tmp_path / "m.csv", index=False)
    run = ("evaluate", tmp_path / "m.csv", "-m", saved, "--rules", paths / "all.toml", "--json")
    ranked = json.loads(outsort(*run).out)["ruled"]["by_rule"]
    assert [(one["rule"], one["rows"], one["labelled"]) for one in ranked] == [("minutes", 5, 4), ("subtitles", 2, 2)]
    alone = [row["outsort_model_label"] or row["outsort_label"] for row in rows]
    known = [(row["label"], answer) for row, answer in zip(rows, alone, strict=True)]
    assert ruled["model_accuracy"] == pytest.approx(np.mean([label == answer for label, answer in known]))
    shown = outsort(
        *("evaluate", tmp_path / "t.csv", "-m", saved, "--rules", paths / "all.toml", "--report", tmp_path / "r.html")
    )
    sentence = f"Rules decided 4 of 6 rows. Of the 4 with a label they have {sum(right[:4])} right, the model alone "
    assert sentence in " ".join(shown.out.split())
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert sentence in page.text
    # What rules decide is accepted whatever its probability, so two tables differ.
    assert f", and of rules {ruled['rules']} before it, to t.csv" in page.text
    assert "the rows that rules decided are among it" in page.text
    assert "of all rows, by probability alone" in page.text
    exact = flat(found)
    assert {path: {exact[path]} for path in page.figures} == page.figures
    assert {"ruled/right", "ruled/by_rule/3/model_right"} <= set(page.figures)
    refused = outsort("evaluate", tmp_path / "t.csv", "-m", saved, "--rules", "x", "--taxonomy", "market")
    assert "cannot be combined with --taxonomy" in refused.err
    broken = outsort("score", tmp_path / "t.csv", "-o", "-", "-m", saved, "--rules", "nowhere.toml")
    assert (broken.code, broken.out) == (1, "")
    assert broken.err.startswith("outsort: nowhere.toml: is no file")


@pytest.mark.slow
def test_rules_are_served_for_texts_and_for_tables(model, with_columns, table):
    with serving(model, rules=with_columns) as client:
        answers = client.post("/predict", json={"texts": TEXTS}).json()["answers"]
        assert [answer["rule"] for answer in answers] == DECIDED
        assert client.get("/model").json()["rules"] == with_columns.fingerprint
        content = table.to_csv(index=False).encode()
        scored = client.post("/score", content=content, headers={"content-type": "text/csv"})
        rows = list(csv.DictReader(scored.text.splitlines()))
        assert [row["rule"] or None for row in rows] == WITH_COLUMNS
        refused = client.post("/score", content=b"text\nx\n", headers={"content-type": "text/csv"})
        assert refused.status_code == 422
        assert "no column 'Spend', which rule 'big'" in refused.json()["detail"]


@pytest.mark.slow
def test_a_cluster_decides_alike(model, with_columns, table, tmp_path):
    pytest.importorskip("distributed", reason="needs pip install 'outsort[cluster]'")
    import dask.dataframe as dd

    from outsort.scoring import cluster

    table.to_csv(tmp_path / "a.csv", index=False)
    options = files.Options(rules=with_columns)
    cluster.score_files([str(tmp_path / "a.csv")], tmp_path / "out", model, cluster="local:1", options=options)
    assert plain(pd.read_csv(tmp_path / "out" / "a.csv"))["rule"].tolist() == WITH_COLUMNS
    scored = package.score_dask(dd.from_pandas(table, npartitions=2), model, rules=with_columns)
    assert plain(scored.compute(scheduler="sync"))["rule"].tolist() == WITH_COLUMNS
