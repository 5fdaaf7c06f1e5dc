"""Labels of one's own through the commands: `data/tickets.csv`, eight labels, a third of it held out."""

import csv
import json
from functools import partial

import numpy as np
import openpyxl
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, f1_score, log_loss

from conftest import TICKETS
from outsort import model_file
from outsort.data.dataset import read
from outsort.evaluation.compare import compare
from outsort.explanation import explain
from outsort.improving.check import check
from outsort.training import folds, train

LABELS = ["access", "billing", "cancellation", "delivery", "feature request", "hardware", "refund", "software"]


@pytest.fixture
def folder(tickets, new_tickets, ticket_model, tmp_path, monkeypatch):
    """What a user has: labelled tickets, their model, and new tickets, here with their labels in another file."""
    tickets.to_csv(tmp_path / "tickets.csv", index=False)
    new_tickets.to_csv(tmp_path / "answered.csv", index=False)
    new_tickets[["text"]].to_csv(tmp_path / "new.csv", index=False)
    new_tickets[["text"]].to_excel(tmp_path / "new.xlsx", index=False)
    model_file.save(ticket_model, tmp_path / "tickets.joblib")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(outsort):
    """Run a command that must succeed, and return what it prints."""

    def succeed(command, *more):
        done = outsort(*command.split(), *more)
        assert done.code == 0, done.err
        return done.out

    return succeed


def accuracy(model, frame):
    return (model.predict(frame["text"]) == frame["label"]).mean()


def test_the_file_is_what_its_description_says():
    data = read(TICKETS)
    assert (len(data.texts), data.lines, data.out_of_scope) == (810, None, "")
    counts = pd.Series(data.labels).value_counts()
    assert (sorted(counts.index), counts.min(), counts.max()) == (LABELS, 99, 103)
    described = (TICKETS.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"| {label} | " in described for label in LABELS)


def test_most_new_tickets_are_answered_right(ticket_model, new_tickets):
    # Measured: 0.815; the most frequent label is right for 0.148 of the tickets.
    assert accuracy(ticket_model, new_tickets) > 0.78
    assert new_tickets["label"].value_counts(normalize=True).max() < 0.15
    proba = ticket_model.predict_proba(new_tickets["text"])
    assert ticket_model.classes_.tolist() == LABELS
    assert proba.shape == (270, 8)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


def test_accepted_answers_to_new_tickets_keep_the_promise(ticket_model, new_tickets):
    promise = ticket_model.about["decision"]
    assert (promise["target"], promise["n_rows"]) == (0.9, 540)
    proba = ticket_model.predict_proba(new_tickets["text"])
    accepted = proba.max(axis=1) >= ticket_model.threshold
    right = np.array(LABELS)[proba.argmax(axis=1)] == new_tickets["label"]
    # Measured: 0.511 certified; here 0.570 are accepted, of which 0.974 are right.
    assert accepted.mean() == pytest.approx(promise["coverage"], abs=0.1)
    assert right[accepted].mean() >= 0.9


def test_a_label_is_explained_against_the_rest(ticket_model, new_tickets):
    for text in new_tickets["text"][:20]:
        for label, p in zip(LABELS, ticket_model.predict_proba([text])[0], strict=True):
            found = explain(ticket_model, text, label)
            assert found.log_odds == pytest.approx(np.log(p / (1 - p)), abs=1e-5)
            parts = sum(found.contributions.values()) + found.bias + found.spread
            assert parts == pytest.approx(found.log_odds, abs=1e-5)
            assert found.lines == ()


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_every_label_is_evaluated(run, ticket_model, new_tickets):
    found = json.loads(run("evaluate answered.csv -m tickets.joblib --json"))
    proba = ticket_model.predict_proba(new_tickets["text"])
    answers = ticket_model.predict(new_tickets["text"])
    assert found["confusion"] == confusion_matrix(new_tickets["label"], answers, labels=LABELS).tolist()
    assert found["macro_f1"] == pytest.approx(f1_score(new_tickets["label"], answers, average="macro"))
    assert found["log_loss"] == pytest.approx(log_loss(new_tickets["label"], proba, labels=LABELS))


@pytest.mark.slow
def test_the_report_and_the_card_speak_of_these_labels(folder, run, ticket_model):
    run("evaluate answered.csv -m tickets.joblib --report report.html")
    html, card = (folder / "report.html").read_text(encoding="utf-8"), run("card -m tickets.joblib")
    for said in (html, card):
        assert all(label in said for label in LABELS)
        assert not any(other in said for other in ("BPO", "KPO", "NEITHER", "descriptions of work"))
    coverage = f"coverage is {ticket_model.about['decision']['coverage']:.1%} ("
    assert coverage in card
    assert card.partition(coverage)[2].partition(") of ")[2].startswith("540 held-out rows (random folds)")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_table_gets_a_column_for_each_label(suffix, folder, run, ticket_model, new_tickets):
    run(f"score new.{suffix} -m tickets.joblib -o scored.{suffix}")
    scored = {"csv": pd.read_csv, "xlsx": partial(pd.read_excel, engine="openpyxl")}[suffix](
        folder / f"scored.{suffix}"
    )
    proba = scored[[f"p_{label}" for label in LABELS]].to_numpy()
    np.testing.assert_allclose(proba, ticket_model.predict_proba(new_tickets["text"]), atol=1e-6)
    assert scored["label"].tolist() == ticket_model.predict(new_tickets["text"]).tolist()
    assert (scored["probability"] == proba.max(axis=1)).all()


@pytest.mark.slow
def test_a_model_of_fewer_tickets_is_compared(tickets, new_tickets, ticket_model):
    smaller = train.train(tickets[::4].reset_index(drop=True), checks=folds.Checks(folds=0))
    result = compare(smaller, ticket_model, read(new_tickets, for_training=False))
    right = [model.predict(new_tickets["text"]) == new_tickets["label"] for model in (smaller, ticket_model)]
    assert result.difference == pytest.approx(right[1].mean() - right[0].mean())
    assert (result.got_right, result.got_wrong) == ((right[1] & ~right[0]).sum(), (right[0] & ~right[1]).sum())
    # Measured: 0.552 and 0.815.
    assert result.difference > 0.1
    assert not result.worse
    assert compare(ticket_model, smaller, read(new_tickets, for_training=False)).worse


def fill_in(path, tickets):
    """Label a workbook as a reviewer would."""
    known = tickets.set_index("text")["label"]
    book = openpyxl.load_workbook(path)
    sheet = book["review"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    for number in range(2, sheet.max_row + 1):
        sheet.cell(number, columns["label"], known[sheet.cell(number, columns["text"]).value])
    book.save(path)
    return book


@pytest.mark.slow
def test_corrections_land_and_teach(folder, run, ticket_model, tickets, new_tickets):
    run("score new.csv -m tickets.joblib -o scored.csv")
    run("review scored.csv -m tickets.joblib -o queue.xlsx -n 90")
    book = fill_in(folder / "queue.xlsx", new_tickets)
    assert [row[0].value for row in book["labels"].iter_rows(min_row=2)] == [*LABELS, "UNCLEAR"]
    assert "90 rows added" in run("merge queue.xlsx --into tickets.csv -m tickets.joblib --reviewer Ana")

    with (folder / "tickets.csv").open(encoding="utf-8", newline="") as file:
        merged = list(csv.DictReader(file))
    known = new_tickets.set_index("text")["label"]
    assert [(row["text"], row["label"]) for row in merged[:540]] == list(tickets.itertuples(index=False, name=None))
    assert [row["label"] for row in merged[540:]] == [known[row["text"]] for row in merged[540:]]
    assert {row["reviewer"] for row in merged[540:]} == {"Ana"}

    rest = new_tickets[~new_tickets["text"].isin([row["text"] for row in merged])]
    rest.to_csv(folder / "rest.csv", index=False)
    printed = run("retrain tickets.csv --base tickets.joblib -o better.joblib --gate no-worse --test rest.csv")
    assert "90 of 630 rows are new to tickets.joblib" in printed
    assert "certified: at least 90% precision at 90% confidence" in printed
    asked = new_tickets[~new_tickets.index.isin(rest.index)]
    assert accuracy(ticket_model, asked) < 0.6
    assert accuracy(model_file.load(folder / "better.joblib"), asked) > 0.95


@pytest.mark.slow
def test_a_random_sample_certifies_the_model_for_other_tickets(folder, run, new_tickets):
    run("score new.csv -m tickets.joblib -o scored.csv")
    run("review scored.csv -m tickets.joblib -o sample.xlsx -n 150 --strategy random")
    book = fill_in(folder / "sample.xlsx", new_tickets)
    printed = run("certify sample.xlsx -m tickets.joblib -o own.joblib --target-precision 0.9")
    assert "150 texts, 150 rows drawn" in printed
    own = model_file.load(folder / "own.joblib")
    drawn = [row[0] for row in book["review"].iter_rows(min_row=2, values_only=True)]
    others = new_tickets[~new_tickets["text"].isin(drawn)]
    proba = own.predict_proba(others["text"])
    accepted = proba.max(axis=1) >= own.threshold
    right = np.array(LABELS)[proba.argmax(axis=1)] == others["label"]
    assert len(others) == 120
    assert accepted.mean() > 0.4
    assert right[accepted].mean() >= 0.9


@pytest.mark.slow
def test_wrong_labels_are_listed_first(tickets):
    wrong = tickets.index[5::60]
    tickets.loc[wrong, "label"] = [LABELS[LABELS.index(label) - 3] for label in tickets.loc[wrong, "label"]]
    suspects = [found.row for found in check(tickets).label_errors.worst]
    # Measured: five of the nine. By chance one of sixty listed rows would be.
    assert len(set(suspects[:20]) & set(wrong)) >= 4
