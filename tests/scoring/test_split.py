"""Rows and documents split into clauses: the parts add up to the whole, and nothing is lost."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import documents
from outsort.data.identity import key_of
from outsort.errors import DataError, OutputError
from outsort.model import WORK_LEVEL, clause_weights
from outsort.model_file import save
from outsort.prediction import default_model
from outsort.reporting import summary as summary_page
from outsort.scoring.files import Options, score_file
from outsort.scoring.folder import score_files
from outsort.scoring.scorer import ROW_LIFT, Scorer
from outsort.scoring.split import Splitting, clauses_of, divided
from outsort.scoring.summary import SummaryTally
from outsort.tables.base import ReadOptions
from outsort.text import words

SCOPE = (
    "The Supplier shall key invoices into SAP. This agreement is governed by the laws of England. "
    "Draft legal opinions on contracts."
)
#: Sentences, lines and items of words and signs.
any_text = st.lists(
    st.one_of(
        st.sampled_from(["Key ", "invoices", ". ", "\n", "- ", "3.1 ", "Schedule 2. The ", "! ", "(a) "]),
        st.text(max_size=4),
    )
).map("".join)


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer(model, workers=1)


def quiet(message):
    """Take a message and say nothing."""


def split(path, folder, model=None, **options):
    """Return the clauses of a file as a frame, and what was told."""
    told = []
    score_file(path, folder / "out.jsonl", model, options=Options(split=True, **options), force=True, tell=told.append)
    lines = (folder / "out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    return pd.DataFrame(map(json.loads, lines)), told


@given(any_text)
@example("Key invoices as in Schedule 2. Then file them.")
@settings(max_examples=2 * settings.default.max_examples)
def test_the_words_of_the_clauses_are_those_of_the_text(text):
    assert [word for clause in clauses_of(text) for word in words(clause)] == words(text)


@given(
    st.decimals(-(10**9), 10**9, places=2).map(float),
    st.lists(st.one_of(st.just(0.0), st.floats(0.5, 60)), min_size=1, max_size=30),
)
@settings(max_examples=2 * settings.default.max_examples)
def test_the_parts_of_an_amount_add_up_to_it_and_go_by_weight(amount, weights):
    parts = divided(amount, weights)
    assert sum(parts) == pytest.approx(amount, abs=1e-6)
    if sum(weights) > 0:
        np.testing.assert_allclose(parts, amount * np.array(weights) / sum(weights), atol=2e-4)
    else:
        assert parts[0] == amount


@given(st.lists(st.tuples(any_text, st.integers(0, 10**7)), min_size=1, max_size=6))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rows_of_a_register_become_clauses_that_add_up_to_it(scorer, tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("split")
    rows = [(text.encode("utf-8", "replace").decode().replace("\0", ""), cents / 100) for text, cents in rows]
    # In JSON any text is a cell.
    lines = (json.dumps({"description": text, "spend": spend}) for text, spend in rows)
    (folder / "in.jsonl").write_text("\n".join(lines))
    found, _ = split(folder / "in.jsonl", folder, scorer, text_columns=["description"], weight_column="spend")
    by_row = found.groupby("row", sort=True)
    assert by_row["words"].sum().tolist() == [len(words(text)) for text, _ in rows]
    assert by_row["clause_amount"].sum().tolist() == pytest.approx([spend for _, spend in rows], abs=1e-6)
    assert all(of_row["clause"].tolist() == list(range(1, len(of_row) + 1)) for _, of_row in by_row)


def test_a_clause_has_its_row_its_key_its_weight_and_its_own_answer(tmp_path):
    (tmp_path / "in.csv").write_text(f'lot,description,spend\n1,"{SCOPE}","£1,000.00"\n2,Economic impact study,500\n')
    found, told = split(tmp_path / "in.csv", tmp_path, weight_column="spend")
    assert list(found)[:11] == [
        *("lot", "description", "spend"),
        *("row", "clause", "clause_text", "key", "weight", "words", "weighted_words", "clause_amount"),
    ]
    assert found["row"].tolist() == [2, 2, 2, 3]
    assert found["clause_text"].tolist() == [*SCOPE.replace(". ", ".|").split("|"), "Economic impact study"]
    assert found["key"].tolist() == [key_of(text) for text in found["clause_text"]]
    assert found["label"].tolist()[::2] == ["BPO", "KPO"]
    model = default_model()
    says = np.array([model.read(text).says.max() for text in found["clause_text"]])
    # The oracle: a window of five within each row.
    near = [
        says[max(i - 2, 0) : i + 3][found["row"][max(i - 2, 0) : i + 3] == found["row"][i]] for i in range(len(says))
    ]
    weights = [1 / (1 + np.exp(-(own + 2 * window.mean()) / 3)) for own, window in zip(says, near, strict=True)]
    assert found["weight"].tolist() == pytest.approx([p if p >= WORK_LEVEL else 0 for p in weights], abs=1e-4)
    assert found["weight"][1] == found["clause_amount"][1] == 0, "the law that governs is boilerplate"
    assert told[0] == f"{tmp_path}/in.csv: text column 'description', split into clauses, 4 rows"


def test_what_was_read_is_asked_for_again_by_the_column_that_was_split(tmp_path, model):
    (tmp_path / "in.csv").write_text("Spend of 2026\nref,description\n1,key invoices. draft a contract\n")
    told = []
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", model, options=Options(split=True), tell=told.append)
    assert told[0].endswith("The same again: --header-row 2 --text-column 'description'")


def test_a_model_that_learnt_no_clauses_weighs_all_alike(model):
    assert not model.weighs_clauses
    section, is_row = np.zeros(2, np.intp), np.zeros(2, np.bool_)
    assert clause_weights(model, np.array([-9.0, 9.0]), section).tolist() == [1, 1]
    assert Scorer(model, workers=1).weights(["key invoices", "law of England"], section, is_row).tolist() == [1, 1]


def judged(path):
    """Return what of a file is judged: the texts, the section of each, and whether it is a row of a table."""
    found = []

    def weigh(texts, sections, is_row):
        found.extend(zip(texts, sections.tolist(), is_row.tolist(), strict=True))
        return np.ones(len(texts))

    with Splitting(weigh).opened(str(path), ReadOptions(split=True)) as table:
        list(table.reader)
    return found


def test_clauses_are_judged_with_those_under_the_same_heading_or_of_the_same_row(tmp_path):
    (tmp_path / "a.md").write_text(
        "# Work\n\nKey bills. File them.\n\n# Volumes\n\n| Keying | 9 |\n|---|---|\n| Filing | 8 |\n"
    )
    assert judged(tmp_path / "a.md") == [
        ("Key bills.", 1, False),
        ("File them.", 1, False),
        ("Keying | 9", 2, True),
        ("Filing | 8", 2, True),
    ]
    (tmp_path / "a.csv").write_text("description\nKey bills. File them.\nAudit\n")
    assert judged(tmp_path / "a.csv") == [("Key bills.", 1, False), ("File them.", 1, False), ("Audit", 2, False)]


def test_what_only_leads_in_the_next_clause_has_no_weight(tmp_path, model):
    (tmp_path / "a.md").write_text(
        "# Work\n\nThe Supplier shall:\n\n- key bills\n- file them as follows:\n\n# Rest\n\nPay.\n"
    )
    assert [text for text, *_ in judged(tmp_path / "a.md")] == ["key bills", "file them as follows:", "Pay."]
    (tmp_path / "a.csv").write_text('description\n"Tasks:\n- key bills"\nAccounts payable:\nAudit\n')
    found, _ = split(tmp_path / "a.csv", tmp_path, model)
    assert found["clause_text"].tolist() == ["Tasks:", "- key bills", "Accounts payable:", "Audit"]
    assert found["weight"].tolist() == [0, 1, 1, 1]


def test_a_row_of_a_table_is_taken_to_say_the_work_sooner_than_a_sentence():
    scorer, alone = Scorer(default_model(), workers=1), np.arange(1)
    texts = ["Key supplier invoices into SAP and pay them | 9,000"]
    weights = [scorer.weights(texts, alone, np.array([is_row]))[0] for is_row in (False, True)]
    assert weights[1] > weights[0]
    odds = [weight / (1 - weight) for weight in weights]
    assert odds[1] / odds[0] == pytest.approx(np.exp(ROW_LIFT))


def test_the_headings_of_a_document_have_no_weight_unless_there_is_nothing_else(tmp_path):
    (tmp_path / "a.md").write_text("# Keying of invoices\n\n3.1 Key invoices into SAP. File them.\n")
    found, _ = split(tmp_path / "a.md", tmp_path)
    assert list(found)[:10] == [
        *("document", "page", "number", "heading", "kind", "clause", "text", "key", "weight", "words")
    ]
    assert found["kind"].tolist() == ["heading", "paragraph", "paragraph"]
    assert found["clause"].tolist() == [1, 2, 3]
    assert found["number"].tolist() == ["", "3.1", "3.1"]
    assert found["weight"][0] == 0 < found["weight"][1]
    (tmp_path / "b.md").write_text("# Keying of invoices into SAP\n")
    assert split(tmp_path / "b.md", tmp_path)[0]["weight"][0] > 0


def test_headers_totals_and_forms_have_no_weight(tmp_path):
    rows = ["Service | Volume", "Key supplier invoices into SAP | 9,000", "Total | 9,000"]
    signed = "Name: ______ | Title: ______"
    work = "- Total cost of ownership analysis"
    lines = ["Table 1: Keying of invoices", "", *rows, "", "Key invoices into SAP.", work, "", signed]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    found, _ = split(tmp_path / "a.txt", tmp_path)
    assert found["kind"].tolist() == ["paragraph", "header", "row", "row", "paragraph", "item", "row"]
    assert (found["weight"] > 0).tolist() == [False, False, True, False, True, True, False]


def test_a_document_is_one_row_of_which_the_clauses_are_the_parts(tmp_path, model):
    for seed in (1, 2):
        (tmp_path / f"{seed}.docx").write_bytes(documents.docx_of(documents.scope(seed)))
    paths = [tmp_path / "1.docx", tmp_path / "2.docx"]
    score_file(paths, tmp_path / "whole.csv", model, tell=quiet)
    whole = pd.read_csv(tmp_path / "whole.csv")
    assert list(whole)[:5] == ["document", "pages", "words", "source", "label"]
    score_file(paths, tmp_path / "parts.csv", model, options=Options(split=True), tell=quiet)
    parts = pd.read_csv(tmp_path / "parts.csv")
    assert whole["words"].tolist() == parts.groupby("document")["words"].sum().tolist()


def test_what_says_nothing_of_work_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("This agreement is governed by the laws of England.\n\nTime is of the essence.\n")
    found, told = split(tmp_path / "a.txt", tmp_path)
    assert set(found["weight"]) == {0}
    assert "no clause says what the work is: all weights are 0" in told[0]


@pytest.mark.parametrize("style", ["csv", "parquet", "xlsx", "jsonl"])
@pytest.mark.parametrize("output", ["csv", "parquet", "xlsx", "jsonl"])
def test_tables_of_every_format_are_split_into_every_format(style, output, tmp_path, model):
    frame = pd.DataFrame({"description": [SCOPE, "audit"], "spend": [90.5, 7.0], "n": [1, 2]})
    write = {"csv": frame.to_csv, "parquet": frame.to_parquet, "xlsx": frame.to_excel}
    if style == "jsonl":
        frame.to_json(tmp_path / "in.jsonl", orient="records", lines=True)
    else:
        write[style](tmp_path / f"in.{style}", index=False)
    options = Options(split=True, weight_column="spend")
    assert score_file(tmp_path / f"in.{style}", tmp_path / f"out.{output}", model, options=options, tell=quiet) == 4
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda path: pd.read_json(path, lines=True)}
    found = read.get(output, lambda path: pd.read_excel(path, engine="openpyxl"))(tmp_path / f"out.{output}")
    assert found["n"].astype(int).tolist() == [1, 1, 1, 2]
    assert found.groupby("row")["clause_amount"].sum().tolist() == pytest.approx([90.5, 7])


def test_several_inputs_are_split_into_one_table_and_counted_by_rows(tmp_path, model):
    (tmp_path / "a.csv").write_text(f'description\n"{SCOPE}"\naudit\n')
    (tmp_path / "b.txt").write_text("Key invoices. File them.\n")
    told = []
    options = Options(split=True, limit=1)
    assert (
        score_file(
            [tmp_path / "a.csv", tmp_path / "b.txt"], tmp_path / "o.csv", model, options=options, tell=told.append
        )
        == 5
    )
    assert pd.read_csv(tmp_path / "o.csv")["source"].tolist() == ["a.csv"] * 3 + ["b.txt"] * 2


def test_the_summary_is_of_the_parts_of_the_amounts(tmp_path, model):
    (tmp_path / "in.csv").write_text(f'description,spend\n"{SCOPE}","£900"\naudit,n/a\n')
    summary = SummaryTally(model, weight_column="spend")
    options = Options(split=True, weight_column="spend")
    score_file(tmp_path / "in.csv", tmp_path / "o.csv", model, options=options, summary=summary, tell=quiet)
    result = summary.result()
    assert (result.rows, result.weight, result.weights.column) == (4, pytest.approx(900), "spend")


def test_names_that_are_taken_get_a_prefix(tmp_path, model):
    (tmp_path / "in.csv").write_text("row,description\n7,audit\n")
    found, _ = split(tmp_path / "in.csv", tmp_path, model)
    assert (found["row"].tolist(), found["outsort_row"].tolist()) == (["7"], [2])
    with pytest.raises(DataError, match=r"already\. Name a --prefix for new columns"):
        split(tmp_path / "in.csv", tmp_path, model, prefix="")


def test_a_column_of_amounts_that_is_missing_is_named(tmp_path, model):
    (tmp_path / "in.csv").write_text("id,description\n7,audit\n")
    with pytest.raises(DataError, match=r"in\.csv: no column 'spend'; it has 'id', 'description'\."):
        split(tmp_path / "in.csv", tmp_path, model, weight_column="spend")


def test_a_row_that_cannot_be_read_is_kept_as_one_clause(tmp_path, model):
    (tmp_path / "in.csv").write_text("id,description\n7,audit. Report.,x\n8,Key. File.\n")
    found, _ = split(tmp_path / "in.csv", tmp_path, model, keep=True)
    assert found["row"].tolist() == [2, 3, 3]
    assert (found["weight"][0], "cells" in found["reason"][0]) == (0, True)


def test_a_run_is_not_resumed_with_other_rows(tmp_path, model):
    (tmp_path / "in.csv").write_text("description\nKey. File.\n")
    score_files([str(tmp_path / "in.csv")], tmp_path / "out", model, tell=quiet)
    with pytest.raises(OutputError, match="was started with another split"):
        score_files([str(tmp_path / "in.csv")], tmp_path / "out", model, options=Options(split=True), resume=True)


def test_clauses_are_reviewed_and_merged_by_their_keys(outsort, tmp_path, model):
    save(model, tmp_path / "m")
    (tmp_path / "scope.md").write_text("# Scope\n\n- Key purchase orders\n- Review a lease\n- Wash the cars\n")
    options = ("-m", tmp_path / "m")
    outsort("score", tmp_path / "scope.md", "-o", tmp_path / "clauses.csv", "--split", *options)
    assert outsort("review", tmp_path / "clauses.csv", "-o", tmp_path / "q.csv", *options).code == 0
    queue, clauses = (pd.read_csv(tmp_path / name, dtype=str) for name in ("q.csv", "clauses.csv"))
    assert set(queue["key"]) == set(clauses["key"])
    queue["label"] = "BPO"
    queue.to_csv(tmp_path / "q.csv", index=False)
    assert outsort("merge", tmp_path / "q.csv", "--into", tmp_path / "labelled.csv", *options).code == 0
    assert set(pd.read_csv(tmp_path / "labelled.csv")["text"]) == set(clauses["text"])


def test_a_summary_without_a_column_of_amounts_counts_the_words_of_work(tmp_path, scorer):
    pd.DataFrame({"id": [1, 2], "text": [SCOPE, "Key invoices"]}).to_csv(tmp_path / "in.csv", index=False)
    tally = SummaryTally(scorer.model)
    options = Options(split=True, text_columns=["text"])
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", scorer, options=options, summary=tally, tell=quiet)
    found = pd.read_csv(tmp_path / "out.csv")
    assert found["weighted_words"].tolist() == pytest.approx((found["weight"] * found["words"]).tolist(), abs=1e-3)
    of_labels = found.groupby("label")["weighted_words"].sum()
    result = tally.result()
    assert result.weight == pytest.approx(found["weighted_words"].sum())
    assert {of.name: of.weight for of in result.labels if of.rows} == pytest.approx(of_labels.to_dict())
    assert result.weights.column == "words of work"


def test_boilerplate_counts_apart_but_not_what_keeps_an_amount_or_cannot_be_read(tmp_path, scorer, monkeypatch):
    rows = ("Terms. Key invoices,90", "Terms. Law,60", "Key. File,8,x")
    (tmp_path / "in.csv").write_text("\n".join(["text,spend", *rows]))
    monkeypatch.setattr(scorer, "weights", lambda texts, *_: np.array(["invoices" in text for text in texts], float))
    for weight_column, apart, weight in ((None, 3, 2), ("spend", 2, 158)):
        tally = SummaryTally(scorer.model, weight_column=weight_column)
        how = {"options": Options(split=True, keep=True, weight_column=weight_column), "summary": tally}
        score_file(tmp_path / "in.csv", tmp_path / "o.csv", scorer, force=True, tell=quiet, **how)
        result = tally.result()
        assert [(of.name, of.rows, of.weight) for of in result.not_work] == [("boilerplate", apart, 0)]
        assert (result.rows, result.weight) == (5 - apart, weight)


def test_the_page_says_that_it_counts_words_of_work_which_are_whole(tmp_path, scorer):
    pd.DataFrame({"id": [1, 2], "text": [SCOPE, "Key invoices"]}).to_csv(tmp_path / "in.csv", index=False)
    tally = SummaryTally(scorer.model)
    options = Options(split=True, text_columns=["text"])
    # Two tables, as the second must not take the words of the first for a column of amounts.
    for _ in range(2):
        score_file(
            tmp_path / "in.csv", tmp_path / "o.csv", scorer, options=options, summary=tally, tell=quiet, force=True
        )
    html = summary_page.render(tally.result())
    total = 2 * pd.read_csv(tmp_path / "o.csv")["weighted_words"].sum()
    assert re.search(rf"Total <[^>]*>{total:.0f}</\w+> words of work", html)
    assert f"<p>{total:.0f} words of work in " in html
    assert "confidence, of the words of work: " in html
    assert 'aria-label="Expected words of work by label: ' in html
    figures = re.findall(r'<data data-figure="[^"]*/(?:weight|expected|at_stake|interval/\d)"[^>]*>([^<]*)<', html)
    assert figures
    assert all(re.fullmatch(r"[\d,]+|under 1", figure) for figure in figures)
