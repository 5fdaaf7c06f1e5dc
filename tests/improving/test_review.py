"""Review: which texts are chosen, and what the queue looks like."""

import csv

import numpy as np
import openpyxl
import pandas as pd
import pytest

from outsort import model_file
from outsort.data.identity import key_of
from outsort.errors import DataError, OutputError
from outsort.explanation import explain
from outsort.improving.choose import _vectors, choose
from outsort.improving.queue import COLUMNS, Candidates, because, check_queue, write_queue
from outsort.improving.review import read_candidates, review, shared_out
from outsort.improving.strategy import Strategy
from outsort.labels import LABELS
from outsort.prediction import predict
from outsort.training.fitting import count_terms

TEXTS = [
    "key invoices into an old ledger",
    "key invoices into an old ledger now",
    "draft a contract for a licence",
    "zymurgy quokka flibbert",
    "office",
    "translate a vision model",
    "wash and mop",
]


@pytest.mark.parametrize("strategy", Strategy)
def test_every_way_chooses_different_texts_none_near_another(model, strategy):
    chosen = choose(model, TEXTS, 5, strategy).tolist()
    assert len(chosen) == len(set(chosen)) == 5
    assert not {0, 1} <= set(chosen)


@pytest.mark.parametrize("strategy", Strategy)
def test_asking_for_more_than_there_are_gives_what_there_is(model, strategy):
    assert 4 <= len(choose(model, TEXTS, 100, strategy)) < len(TEXTS)


def test_the_same_seed_chooses_the_same(model):
    assert choose(model, TEXTS, 3, seed=4).tolist() == choose(model, TEXTS, 3, seed=4).tolist()


ALIKE = [
    *(f"quokka {word}" for word in ("stew", "shelf", "ribbon", "puzzle", "meadow", "anchor")),
    *(f"zither {word}" for word in ("lamp", "gravel", "velvet", "cactus")),
    "flibbert",
    "key invoices into sap again",
]


def test_mixed_takes_what_is_unknown_and_frequent_first_and_not_all_of_one_kind(model):
    kinds = [ALIKE[i].split()[0] for i in choose(model, ALIKE, 5)]
    assert kinds[0] == "quokka"
    assert {"quokka", "zither"} <= set(kinds)
    assert "key" not in kinds


def test_mixed_heeds_what_answers_count(model):
    weights = np.array([1.0] * 6 + [50.0] * 4 + [1.0] * 2)
    assert ALIKE[choose(model, ALIKE, 1, weights=weights)[0]].startswith("zither")


def test_how_many_texts_hold_a_term_is_told_by_its_idf(model, rows_frame):
    texts = [*rows_frame["text"], "zymurgy"]
    terms, counts = count_terms(texts)
    _, n_learnt = _vectors(model, texts)
    in_texts = np.asarray(counts.sum(axis=0)).ravel()
    known = [term in model.vocabulary for term in terms]
    assert 0 < sum(known) < len(known)
    np.testing.assert_allclose(n_learnt, np.where(known, in_texts, 0), rtol=1e-4)


def test_uncertain_takes_the_least_sure_first(model):
    proba = np.sort(model.predict_proba(TEXTS), axis=1)
    assert choose(model, TEXTS, 1, Strategy.UNCERTAIN)[0] == np.argmin(proba[:, -1] - proba[:, -2])


@pytest.mark.parametrize("strategy", Strategy)
def test_labels_of_ones_own_are_chosen_for_like_any(ticket_model, strategy):
    texts = ["wifi and invoice", "invoice for a laptop", "lunch", "vpn keyboard", "printer at the desk"]
    assert sorted(choose(ticket_model, texts, 5, strategy).tolist()) == [0, 1, 2, 3, 4]
    if strategy is Strategy.UNCERTAIN:
        proba = np.sort(ticket_model.predict_proba(texts), axis=1)
        margins = proba[:, -1] - proba[:, -2]
        assert margins[choose(ticket_model, texts, 1, strategy)[0]] == pytest.approx(margins.min(), abs=1e-6)


def test_novel_takes_unknown_words_first(model):
    assert choose(model, TEXTS, 1, Strategy.NOVEL)[0] == TEXTS.index("zymurgy quokka flibbert")


def test_weight_prefers_what_costs_most(model):
    weights = np.ones(len(TEXTS))
    weights[2] = 1e6
    assert choose(model, TEXTS, 1, Strategy.WEIGHT, weights=weights)[0] == 2


def test_candidates_are_new_texts_with_their_rows_and_weights(model, tmp_path):
    path = tmp_path / "scored.csv"
    path.write_text("text,spend\nType forms,2\ntype  FORMS,3\ndraft a contract,9\n???,1\n,1\n", encoding="utf-8")
    found = read_candidates(path, model, weight_column="spend")
    assert (found.texts, found.n_rows.tolist(), found.weights.tolist()) == (["Type forms"], [2], [5.0])
    assert found.n_seen == 1


def test_a_blank_weight_counts_nothing(model, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,spend\nType forms,2\nDraft leases,\n")
    assert read_candidates(path, model, weight_column="spend").weights.tolist() == [2.0, 0.0]


def test_a_weight_that_is_none_is_named(model, tmp_path):
    path = tmp_path / "scored.csv"
    path.write_text("text,spend\nType forms,2\nMop,lots\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"row 3: weight 'lots'"):
        read_candidates(path, model, weight_column="spend")


def candidates(texts):
    return Candidates(texts, np.ones(len(texts), np.int64), np.ones(len(texts)), 0)


def cells_of(path):
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_excel(path, engine="openpyxl")


def test_a_workbook_has_its_columns_in_the_order_of_use_and_no_formula_in_a_text(model, tmp_path):
    path = tmp_path / "queue.xlsx"
    texts = ["=1+1 data entry", "draft a licence"]
    assert write_queue(path, model, candidates(texts), np.array([1, 0]), force=False) == []
    sheet = openpyxl.load_workbook(path)["review"]
    heads = [cell.value for cell in sheet[1]]
    assert [*heads[:3], *heads[4:]] == list(COLUMNS)
    assert heads[3] == '=COUNTA(B2:B3)&" of 2 done"'
    assert openpyxl.load_workbook(path, data_only=True)["review"]["D1"].value == "0 of 2 done"
    assert [sheet.cell(row, 1).value for row in (2, 3)] == texts[::-1]
    assert sheet.cell(3, 1).data_type == "s"
    assert (heads[-1], sheet.cell(2, len(heads)).value) == ("key", key_of(texts[1]))
    hidden = [letter for letter, of in sheet.column_dimensions.items() if of.hidden]
    assert (hidden, sheet.freeze_panes) == (["O"], "B2")


def test_a_workbook_offers_labels_with_what_they_mean_and_the_lines_of_a_label(model, tmp_path):
    path = tmp_path / "queue.xlsx"
    write_queue(path, model, candidates(TEXTS[:2]), np.array([1, 0]), force=False)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["review", "labels", "service lines", "how to"]
    rules = {str(rule.sqref): rule for rule in book["review"].data_validations.dataValidation}
    assert rules["B2:B3"].formula1 == "'labels'!$A$2:$A$5"
    assert rules["B2:B3"].prompt.startswith("BPO: Follows a procedure.\nKPO: Needs expertise.")
    assert len(rules["B2:B3"].prompt) <= 255
    assert [row[0].value for row in book["labels"].iter_rows(min_row=2)] == [*LABELS, "UNCLEAR"]
    assert all(row[1].value for row in book["labels"].iter_rows(min_row=2))
    assert rules["C2:C3"].formula1.startswith("OFFSET('service lines'!$A$1,IF($B2=\"\",1,MATCH($B2,")
    lines = [(row[0].value, row[1].value) for row in book["service lines"].iter_rows(min_row=2)]
    assert {line for line, _ in lines} == set(model.lines)
    # What the formula offers are the rows next to each other that have the label.
    assert [label for _, label in lines] == sorted(label for _, label in lines)
    told = [row[1].value for row in book["how to"].iter_rows(min_row=2)]
    assert "hidden key" in " ".join(filter(None, told))


def test_rows_are_as_high_as_their_texts(model, tmp_path):
    path = tmp_path / "queue.xlsx"
    texts = ["draft a deed", "type forms " * 40, "mop\nand\nsweep", "key invoices " * 2000]
    write_queue(path, model, candidates(texts), np.arange(4), force=False)
    sheet = openpyxl.load_workbook(path)["review"]
    assert [sheet.row_dimensions[row].height for row in range(2, 6)] == [None, 15 * 7, 45, 408]


def test_reasons_are_words_that_mean_something(model):
    text = "the 12 invoices, 7 of a contract: draft, draft and translate"
    said = because(model, predict(text, model))
    found = dict(part.split(": ") for part in said.split(" · "))
    assert set(found) <= set(LABELS)
    for label, words in found.items():
        contributions = explain(model, text, label).contributions
        terms = words.split(", ")
        assert len(terms) <= 3
        assert all(contributions[term] >= 0.3 for term in terms)
        assert not {"the", "12", "7", "of", "a", "and"} & set(terms)
    assert "contract" in found["KPO"]
    assert because(model, predict("zymurgy", model)) == ""


def test_a_workbook_offers_labels_of_ones_own_without_service_lines(ticket_model, tmp_path):
    path = tmp_path / "queue.xlsx"
    write_queue(path, ticket_model, candidates(["no wifi"]), np.array([0]), force=False)
    book = openpyxl.load_workbook(path)
    (rule,) = book["review"].data_validations.dataValidation
    assert (str(rule.sqref), rule.formula1) == ("B2", "'labels'!$A$2:$A$10")
    offered = [row[0].value for row in book["labels"].iter_rows(min_row=2)]
    assert offered == [
        *("access", "billing", "cancellation", "delivery", "feature request", "hardware", "refund", "software"),
        "UNCLEAR",
    ]
    assert book.sheetnames == ["review", "labels", "how to"]


@pytest.mark.parametrize(("n", "n_double"), [(10, 3), (7, 7), (5, 9), (0, 2)])
def test_two_reviewers_share_the_texts_and_get_some_both(n, n_double):
    first, second = (set(part.tolist()) for part in shared_out(n, n_double, seed=1))
    assert first | second == set(range(n))
    assert len(first & second) == min(n, n_double)
    assert abs(len(first) - len(second)) <= 1


@pytest.mark.parametrize("name", ["q.xlsx", "q.csv"])
def test_a_queue_for_each_of_two_reviewers(outsort, model, tmp_path, name):
    model_file.save(model, tmp_path / "m.joblib")
    texts = [f"{verb} {thing}" for verb in ("type", "draft", "mop") for thing in ("letters", "forms", "deeds", "books")]
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "t.csv", index=False)
    done = outsort(
        "review", tmp_path / "t.csv", "-o", tmp_path / name, "-n", 10, "--double", 4, "-m", tmp_path / "m.joblib",
        "--strategy", "random",
    )  # fmt: skip
    paths = [tmp_path / name.replace(".", f"-{i}.") for i in (1, 2)]
    first, second = (cells_of(path)["text"].tolist() for path in paths)
    assert (len(first), len(second), len({*first, *second}), len({*first} & {*second})) == (7, 7, 10, 4)
    assert done.err.splitlines()[-3:] == [
        f"{paths[0]}: 7 texts to review",
        f"{paths[1]}: 7 texts to review",
        f"{paths[0]} and {paths[1]}: 10 of 12 texts to review, 4 of them by both reviewers",
    ]
    again = outsort("review", tmp_path / "t.csv", "-o", tmp_path / name, "--double", 4, "-m", tmp_path / "m.joblib")
    assert (again.code, f"{paths[0]}: already exists" in again.err) == (1, True)


@pytest.mark.parametrize("name", ["q.xlsx", "q.csv"])
def test_texts_that_a_workbook_cannot_hold_keep_their_key(model, tmp_path, name):
    texts = ["two\r\nlines", "bell\x07 rings", "form\x0cfeed", "half \ud800 a pair"]
    write_queue(tmp_path / name, model, candidates(texts), np.arange(4), force=False)
    rows = cells_of(tmp_path / name)[["key", "text"]].to_numpy().tolist()
    assert [key for key, _ in rows] == [key_of(text) for text in texts]
    assert [key_of(text) for _, text in rows] == [key_of(text) for text in texts]


@pytest.mark.parametrize("name", ["q.txt", "q.csv.gz", "queue"])
def test_a_queue_of_another_format_is_refused_before_any_work(tmp_path, name):
    with pytest.raises(OutputError, match=r"ends in \.xlsx or \.csv"):
        check_queue(tmp_path / name, force=False)


def test_candidates_are_found_in_lists_of_json_and_joined_columns(model, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"title": "Type", "text": ["forms", 3]}\n{"title": "Mop", "text": null}\n', encoding="utf-8")
    found = read_candidates(path, model, text_columns=("title", "text"))
    assert found.texts == ["Type ['forms', 3]", "Mop"]
    assert found.n_rows.tolist() == found.weights.tolist() == [1, 1]


@pytest.mark.slow
def test_a_csv_queue_holds_the_same_and_texts_of_any_length(model, tmp_path):
    path = tmp_path / "queue.csv"
    texts = ['draft, a "licence"\nnow', "x " * 30_000]
    assert write_queue(path, model, candidates(texts), np.array([0, 1]), force=False) == []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == texts
    assert {row["label"] for row in rows} == {""}
    assert write_queue(tmp_path / "q.xlsx", model, candidates(texts), np.array([0, 1]), force=False) == [1]


def test_the_command_writes_a_queue(outsort, model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    pd.DataFrame({"text": TEXTS}).to_csv(tmp_path / "t.csv", index=False)
    done = outsort("review", tmp_path / "t.csv", "-o", tmp_path / "q.csv", "-n", 3, "-m", tmp_path / "m.joblib")
    assert (done.code, done.err.splitlines()[-1]) == (0, f"{tmp_path / 'q.csv'}: 3 of 7 texts to review")
    result = review(tmp_path / "t.csv", tmp_path / "p.csv", 3, model)
    assert (result.n_chosen, result.n_texts, result.n_seen, result.n_too_long) == (3, 7, 0, 0)
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()
    assert outsort("review", tmp_path / "t.csv", "-o", tmp_path / "w.csv", "--strategy", "weight").code == 2
