from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outsort.data.dataset import read
from outsort.errors import DataError
from outsort.evaluation.compare import changes, compare, is_worse, judge, mcnemar
from outsort.prediction import predictions
from outsort.training import fitting, folds, train

TICKETS = Path(__file__).parents[2] / "data" / "tickets.csv"


def test_mcnemar_of_agrestis_prime_minister():
    # Agresti, Categorical Data Analysis (2002), table 10.1: of 1,600 people asked twice, 86 and 150 changed
    # their mind; z squared is 17.36, and the p-value of the exact test next to that of the normal one.
    assert mcnemar(86, 150) == pytest.approx(3.7e-5, rel=0.1)


def test_mcnemar_of_few_rows_is_the_binomial():
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(0, 5, "greater") == pytest.approx(1 / 32)
    assert mcnemar(0, 0) == 1


@pytest.mark.parametrize(
    ("better", "worse", "high", "expected"),
    [(0, 5, 0.1, True), (0, 4, 0.1, False), (5, 0, 0.3, False), (3, 3, 0.0, False), (9, 1, -0.01, True)],
)
def test_worse_is_more_than_chance_can_excuse(better, worse, high, expected):
    assert is_worse(better, worse, high) is expected


#: So weak a penalty that a model answers each row it has learnt as that row is labelled.
BY_HEART = fitting.Settings(C=1000)


@pytest.fixture
def faithful(frame):
    """A model that knows its texts of BPO and KPO by heart."""
    rows = frame[frame["label"] != "NEITHER"][["text", "label"]]
    return train.train(rows, checks=folds.Checks(folds=0), settings=BY_HEART)


@pytest.fixture
def contrary(frame):
    """A model of the same texts with BPO and KPO exchanged."""
    rows = frame[frame["label"] != "NEITHER"][["text", "label"]].replace({"BPO": "KPO", "KPO": "BPO"})
    return train.train(rows, checks=folds.Checks(folds=0), settings=BY_HEART)


@pytest.fixture(scope="module")
def contrary_tickets():
    """Two models of a few tickets each, which differ on some."""
    tickets = pd.read_csv(TICKETS)
    return [train.train(tickets[start::12], checks=folds.Checks(folds=0)) for start in (0, 1)]


def test_a_model_is_no_worse_than_itself(model, frame):
    result = compare(model, model, read(frame, for_training=False))
    assert (result.difference, result.interval, result.p_value) == (0, (0, 0), 1)
    assert (result.flipped, result.flips, result.worse) == (0, [], False)


def test_a_contrary_model_is_worse_and_every_label_flips(faithful, contrary, frame):
    data = read(frame[frame["label"] != "NEITHER"], for_training=False)
    result = compare(faithful, contrary, data)
    assert (result.n, result.got_right, result.got_wrong, result.flipped) == (12, 0, 12, 12)
    assert result.difference == -1
    assert result.worse
    back = compare(contrary, faithful, data)
    assert (back.got_right, back.got_wrong, back.worse) == (12, 0, False)
    assert back.old.accuracy == result.new.accuracy == 0


def test_weights_say_how_much_moves_and_which_flip_comes_first(faithful, contrary, frame):
    frame = frame[frame["label"] != "NEITHER"].assign(spend=np.arange(12))
    result = compare(faithful, contrary, read(frame, for_training=False), weight_column="spend", n_flips=2)
    assert [flip.weight for flip in result.flips] == [11, 10]
    assert result.weight_moved == 1


@pytest.mark.slow
@pytest.mark.parametrize("is_labelled", [True, False])
def test_the_matrices_are_those_of_a_cross_table(contrary_tickets, is_labelled, tickets):
    old, new = contrary_tickets
    rows = tickets[::5].reset_index(drop=True)
    rows = rows.assign(spend=np.random.default_rng(2).lognormal(5, 1, len(rows)))
    data = read(rows if is_labelled else rows[["text", "spend"]], for_training=False, needs_labels=is_labelled)
    result = (compare if is_labelled else changes)(old, new, data, weight_column="spend", n_flips=3)
    answers = pd.DataFrame({"old": old.predict(data.texts), "new": new.predict(data.texts)}, dtype=str)
    kinds = [pd.Categorical(answers[name], result.labels) for name in ("old", "new")]
    for found, of in ((result.rows, np.ones(len(rows))), (result.weight, rows["spend"].to_numpy())):
        expected = pd.crosstab(*kinds, values=of, aggfunc="sum", dropna=False).fillna(0)
        np.testing.assert_allclose(found, expected)
    assert result.n_rows == len(rows)
    assert result.flipped == (answers["old"] != answers["new"]).sum() > 0
    flips = [(flip.old, flip.new) for flip in result.flips]
    assert flips == [tuple(answers.loc[flip.row]) for flip in result.flips]
    decisions = [np.array([p.decision for p in predictions(data.texts, of)]) for of in (old, new)]
    to_review = (decisions[0] == "accept") & (decisions[1] == "review")
    assert result.decisions.accept_to_review == to_review.sum()
    assert result.decisions.weight_to_review == pytest.approx(rows["spend"][to_review].sum())
    back = changes(new, old, data, weight_column="spend").decisions
    assert (back.review_to_accept, back.weight_to_accept) == (
        result.decisions.accept_to_review,
        pytest.approx(result.decisions.weight_to_review),
    )


def test_rows_without_labels_need_no_clean_column_of_weights(faithful, contrary):
    rows = pd.DataFrame({"text": ["key invoices into sap", "", "draft a contract"], "spend": ["£1,200", "9", "n/a"]})
    result = changes(faithful, contrary, read(rows, needs_labels=False), weight_column="spend")
    assert (result.n_rows, np.sum(result.weight), result.weights.not_numbers) == (3, 1209, 1)
    assert (result.flips[0].label, result.flips[0].text) == ("", "key invoices into sap")
    nothing = changes(faithful, contrary, read(rows.assign(spend=0), needs_labels=False), weight_column="spend")
    assert nothing.weight_moved == 0


def test_the_answers_of_a_scored_table_are_no_labels(frame):
    scored = frame.assign(decision="accept", model="m1")
    assert not read(scored, needs_labels=False).is_labelled
    assert read(scored, needs_labels=False, label_column="label").is_labelled
    assert read(frame, needs_labels=False).is_labelled


def test_rows_without_a_label_that_the_models_know_flip_but_are_not_scored(faithful, contrary, frame):
    result = compare(faithful, contrary, read(frame, for_training=False))
    assert result.n == 12
    assert result.flipped >= 12
    assert result.share_seen == {"old": pytest.approx(12 / 15), "new": pytest.approx(12 / 15)}


def test_all_labels_are_compared(model, frame):
    data = read(frame, for_training=False)
    result = compare(model, model, data)
    assert (result.n, result.new.labels) == (15, ["BPO", "KPO", "NEITHER"])


def test_models_of_different_labels_are_one_message(model, two_class_model, frame):
    message = "The old model's labels are BPO, KPO, NEITHER, the new one's BPO, KPO: they answer different questions."
    with pytest.raises(DataError, match=message):
        compare(model, two_class_model, read(frame, for_training=False))


def test_data_without_an_answer_cannot_compare(model):
    data = read(pd.DataFrame({"text": ["x"], "label": ["UNCLEAR"]}), for_training=False)
    with pytest.raises(DataError, match="no row is labelled BPO or KPO or NEITHER, so there is nothing to score"):
        compare(model, model, data)


def test_rows_of_a_group_count_as_one():
    # One supplier lost all its rows, nine gained one each: by rows that is worse, by suppliers it is not.
    gain = np.array([-1] * 40 + [1] * 9)
    groups = np.array(["big"] * 40 + [f"small {i}" for i in range(9)])
    alone, grouped = judge(gain, np.ones(49)), judge(gain, np.ones(49), groups)
    assert alone.worse
    assert not grouped.worse
    assert grouped.p_value == pytest.approx(2 * 11 / 2**10)
    assert (grouped.n, grouped.got_right, grouped.got_wrong) == (49, 9, 40)
    assert grouped.difference == alone.difference
    assert judge(-abs(gain), np.ones(49), groups).worse
