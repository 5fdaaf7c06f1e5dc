"""Retraining: compared on rows that the old model never saw, and written only if the gate is passed."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from outsort import model_file
from outsort.data.dataset import read
from outsort.errors import DataError
from outsort.improving.retrain import retrain
from outsort.training import folds, train
from outsort.training.folds import Checks

NEW = [
    (f"{verb} {thing}", label, line)
    for label, line, verb in (("BPO", "data_entry", "punch"), ("KPO", "legal_services", "litigate"))
    for thing in ("ledgers", "deeds", "wills", "bills", "patents", "receipts", "leases", "claims")
]


@pytest.fixture
def base(frame):
    return train.train(frame, checks=Checks(folds=0))


@pytest.fixture
def more(frame):
    """The rows of the base, and new ones of words that it does not know."""
    return pd.concat([frame, pd.DataFrame(NEW, columns=frame.columns)], ignore_index=True)


@pytest.fixture
def few_tickets(tickets):
    return tickets[::4].reset_index(drop=True)


@pytest.mark.slow
def test_new_rows_are_answered_by_models_that_were_trained_without_them(base, more):
    model, result = retrain(read(more), base, checks=Checks(folds=4))
    dataset = read(more)
    _, validation = train.train_validated(dataset, checks=Checks(folds=4))
    held_out = validation.held_out[folds.STRATIFIED]
    new = np.flatnonzero(held_out.rows >= len(more) - len(NEW))
    labels = np.array(dataset.labels)[held_out.rows[new]]
    right = (np.array(model.labels)[held_out.proba[new].argmax(axis=1)] == labels).astype(int)
    right_before = base.predict([dataset.texts[i] for i in held_out.rows[new]]) == labels
    assert result.new_rows == result.on_new_rows.n == len(NEW)
    assert result.on_new_rows.difference == pytest.approx((right - right_before).mean())
    assert not result.worse
    assert model.about["lineage"][0]["model"] == base.fingerprint


@pytest.mark.slow
def test_new_rows_are_judged_on_unseen_groups():
    # Every supplier writes of the same work; the base knew half of the words.
    rows = [
        (f"{verb} {thing} {supplier}", label, f"supplier {supplier}", verb in ("key", "draft"))
        for label, verbs in (("BPO", ("key", "punch")), ("KPO", ("draft", "litigate")))
        for verb in verbs
        for supplier in range(12)
        for thing in ("deeds", "bills")
    ]
    data = pd.DataFrame(rows, columns=["text", "label", "supplier", "old"])
    base = train.train(data[data["old"]], checks=Checks(folds=0))
    _, result = retrain(read(data), base, checks=Checks(folds=4, group_column="supplier"))
    (scheme,) = result.on_groups
    assert scheme == "unseen supplier"
    judged = result.on_groups[scheme]
    # Words that only the new rows hold cannot be told apart without them.
    assert (judged.n, judged.got_right, judged.got_wrong) == (96, 24, 0)


def test_fewer_than_ten_groups_are_not_judged(base, more):
    _, result = retrain(read(more), base, checks=Checks(folds=2))
    assert result.on_groups == {}


@pytest.mark.slow
def test_the_lineage_goes_back_to_the_first(base, more):
    second, _ = retrain(read(more), base, checks=Checks(folds=2))
    third, _ = retrain(read(more), second, checks=Checks(folds=2))
    assert [a["model"] for a in third.about["lineage"]] == [second.fingerprint, base.fingerprint]


def test_without_new_rows_and_test_there_is_nothing_to_judge_by(base, frame):
    _, result = retrain(read(frame), base, checks=Checks(folds=2))
    assert (result.new_rows, result.on_new_rows, result.judged) == (0, None, False)


@pytest.mark.slow
def test_the_labels_keep_the_spelling_of_the_base(few_tickets, new_tickets):
    base = train.train(few_tickets, out_of_scope="feature request", checks=Checks(folds=0))
    more = pd.concat([few_tickets, new_tickets[:60]], ignore_index=True)
    data = read(more.assign(label=more["label"].str.upper()), out_of_scope="FEATURE REQUEST")
    model, result = retrain(data, base, checks=Checks(folds=2), test=read(few_tickets, for_training=False))
    assert (model.labels, model.out_of_scope) == (base.labels, "feature request")
    # Spelled in another case, every answer of the base would count as wrong.
    assert (base.predict(new_tickets["text"][:60]) == new_tickets["label"][:60]).mean() > 0.5
    assert result.on_new_rows.got_right < 30
    assert result.on_test.old.accuracy == 1


@pytest.mark.slow
def test_a_new_label_is_learnt_but_has_no_test_in_common(few_tickets):
    base = train.train(few_tickets, checks=Checks(folds=0))
    new = pd.DataFrame({"text": [f"fold a {what}" for what in ("crane", "boat", "hat", "box")], "label": "Origami"})
    data = read(pd.concat([few_tickets, new], ignore_index=True))
    model, result = retrain(data, base, checks=Checks(folds=2))
    assert set(model.labels) - set(base.labels) == {"Origami"}
    # The base cannot be right where it does not know the label.
    assert (result.on_new_rows.n, result.on_new_rows.got_wrong) == (4, 0)
    with pytest.raises(DataError, match="they answer different questions"):
        retrain(data, base, checks=Checks(folds=2), test=read(few_tickets, for_training=False))


@pytest.mark.slow
def test_the_new_model_promises_the_precision_that_the_base_does(ticket_model, few_tickets):
    model, _ = retrain(read(few_tickets), ticket_model)
    assert model.about["decision"]["target"] == ticket_model.about["decision"]["target"] == 0.9
    base = replace(ticket_model, about={})
    assert retrain(read(few_tickets), base)[0].about["decision"]["target"] == 0.95


def test_without_folds_nothing_can_be_compared(base, frame):
    with pytest.raises(ValueError, match="folds is 0"):
        retrain(read(frame), base, checks=Checks(folds=0))


@pytest.fixture
def files(base, more, tmp_path):
    model_file.save(base, tmp_path / "old.joblib")
    more.to_csv(tmp_path / "data.csv", index=False)
    return tmp_path


def test_the_command_writes_what_passes_the_gate(outsort, files):
    new = files / "new.joblib"
    done = outsort("retrain", files / "data.csv", "--base", files / "old.joblib", "-o", new, "--gate", "no-worse")
    assert done.code == 0, done.err
    assert f"{len(NEW)} of 31 rows are new to" in done.out
    assert model_file.load(new).about["lineage"][0]["model"] == model_file.load(files / "old.joblib").fingerprint


def test_a_worse_model_is_not_written(outsort, files, more):
    # The new rows with their labels turned round: what is learnt from them fails the test.
    turned = more.assign(
        label=more["label"].replace({"BPO": "KPO", "KPO": "BPO"}), service_line=more["service_line"] + "_"
    )
    turned.to_csv(files / "turned.csv", index=False)
    new = files / "new.joblib"
    done = outsort(
        *("retrain", files / "turned.csv", "--base", files / "old.joblib", "-o", new, "--gate", "no-worse"),
        *("--test", files / "data.csv"),
    )
    assert (done.code, new.exists()) == (3, False)
    assert "not written: the new model is worse" in done.err


@pytest.mark.slow
def test_json_is_all_it_prints_written_or_not(outsort, files, frame):
    new = files / "new.joblib"
    arguments = ("--base", files / "old.joblib", "-o", new, "--gate", "no-worse", "--json")
    frame.to_csv(files / "same.csv", index=False)
    refused = outsort("retrain", files / "same.csv", *arguments)
    assert (refused.code, json.loads(refused.out)["output"]) == (3, None)
    done = outsort("retrain", files / "data.csv", *arguments)
    result, model = json.loads(done.out), model_file.load(new)
    assert (done.code, result["output"], result["model"]) == (0, str(new), model.fingerprint)
    assert result["comparison"]["new_rows"] == len(NEW)
    assert result["comparison"]["on_new_rows"]["difference"] == model.about["lineage"][0]["difference"]


@pytest.mark.slow
def test_with_nothing_to_judge_by_the_gate_stays_shut(outsort, files, frame):
    frame.to_csv(files / "same.csv", index=False)
    new = files / "new.joblib"
    arguments = ("retrain", files / "same.csv", "--base", files / "old.joblib", "-o", new)
    done = outsort(*arguments, "--gate", "no-worse")
    assert (done.code, new.exists()) == (3, False)
    assert "no new rows and no --test" in done.err
    assert outsort(*arguments).code == 0
