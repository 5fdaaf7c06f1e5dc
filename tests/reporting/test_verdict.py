"""The verdict of a report: better than what, good for what, measured on what."""

from dataclasses import replace

import numpy as np
import pytest

from outsort.evaluation.evaluate import MOST_SEEN
from outsort.numeric import wilson
from outsort.reporting.captions import percents
from outsort.reporting.verdict import verdict
from outsort.training import folds
from reports import CERTIFIED, UNCERTIFIED, answers_of, report_of

#: Of forty rows, half of each label, four are wrong.
LABELS, P_SECOND = ["BPO"] * 20 + ["KPO"] * 20, [0.1] * 18 + [0.9] * 2 + [0.8] * 18 + [0.2] * 2


@pytest.fixture
def answers():
    return answers_of(LABELS, P_SECOND, accepted=[True] * 20 + [False] * 20)


def test_trained_on_these_rows_comes_first_and_alone(model, answers):
    found = verdict(report_of(model, answers, CERTIFIED, share_seen=0.3))
    assert (found.lead, found.points) == ("Trained on these rows: no evidence.", {})
    assert "trained on 30% of these texts" in found.advice
    few = verdict(report_of(model, answers, CERTIFIED, share_seen=MOST_SEEN))
    assert few.lead.startswith("90.0% of the answers are right")
    assert "trained on 5.0% of these texts, which flatters it a little" in few.points["Measured on"]


def test_it_says_what_the_answers_are_better_than(model, answers):
    lead = verdict(report_of(model, answers)).lead
    # Every text holds the word "entry", which the guide names for BPO.
    assert lead == (
        "90.0% of the answers are right: better than always BPO (50.0%) and than the article's words as rules (50.0%)."
    )


def test_answers_no_better_than_the_larger_label_are_good_for_nothing_yet(model):
    alike = answers_of(["BPO"] * 8 + ["KPO"] * 2, [0.1] * 9 + [0.9])
    found = verdict(report_of(model, alike, CERTIFIED))
    assert "90.0% of the answers are right: not shown to be better than always BPO (80.0%)" in found.lead
    assert found.points["Good for"].startswith("Nothing yet")


def test_labels_of_ones_own_have_no_words_as_rules(ticket_model):
    answers = answers_of(["access"] * 4, [0.1, 0.0, 0.7, 0.0], names=ticket_model.labels)
    assert "rules" not in verdict(report_of(ticket_model, answers)).lead


def test_shares_have_intervals(model, answers):
    points = verdict(report_of(model, answers)).points
    assert points["How sure"].startswith(f"{percents(wilson(0.9, 40))} of other rows like these, at 95% confidence.")
    assert f"90.0% are right ({percents(wilson(0.9, 20))})" in verdict(report_of(model, answers)).points["Good for"]
    assert points["Weakest at"] == f"Finding BPO: 90.0% of its rows get that answer ({percents(wilson(0.9, 20))})."


def test_where_all_are_right_no_interval_is_a_point(model):
    right = answers_of(["BPO"] * 30 + ["KPO"] * 30, [0.1] * 30 + [0.9] * 30)
    found = verdict(report_of(model, right))
    assert "100% of the answers are right" in found.lead
    assert "94.0–100% of other rows" in found.points["How sure"]
    assert "Weakest at" not in found.points


@pytest.mark.parametrize(
    ("decision", "scheme", "use", "sentence"),
    [
        (None, None, "Suggestions", "no precision is promised"),
        (CERTIFIED, folds.LINES_OUT, "Leaving", "Certified on rows like these: at least 80% of accepted answers"),
        (CERTIFIED | {"target": 0.6}, None, "Leaving", "these rows confirm it"),
        (CERTIFIED, None, "Leaving", "these rows are too few to confirm or to refute it"),
        (CERTIFIED | {"target": 0.95}, None, "Suggestions", "these rows are too few to confirm or to refute it"),
        (CERTIFIED | {"target": 0.99}, None, "Suggestions", "these rows fall short of it"),
        (UNCERTIFIED | {"n_more": 70}, folds.LINES_OUT, "Suggestions", "about 70 more rows might"),
        (UNCERTIFIED | {"n_more": -1}, folds.LINES_OUT, "Suggestions", "No threshold is certified"),
    ],
)
def test_it_is_good_for_what_was_certified(model, answers, decision, scheme, use, sentence):
    good_for = verdict(report_of(model, answers, decision, scheme)).points["Good for"]
    assert good_for.startswith(use)
    assert "50.0% of the rows are accepted" in good_for
    assert sentence in good_for


def test_where_none_is_accepted_it_says_so(model, answers):
    none = replace(answers, accepted=np.zeros(40, bool))
    good_for = verdict(report_of(model, none, CERTIFIED)).points["Good for"]
    assert "No answer is accepted, all go to review." in good_for
    assert "none is accepted here" in good_for


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        (None, "40 rows of d.csv that the model was not trained on; on 2026-04-30."),
        (folds.STRATIFIED, "that was not trained on it (rows like the training rows); on 2026-04-30."),
        (folds.LINES_OUT, "(a service line that no training row had); on 2026-04-30."),
        (folds.UNSEEN.format("supplier"), "(unseen supplier); on 2026-04-30."),
    ],
)
def test_it_says_what_was_measured_and_when(model, answers, scheme, kind):
    assert verdict(report_of(model, answers, None, scheme)).points["Measured on"].endswith(kind)


def test_with_weights_it_counts_weight(model):
    answers = answers_of(["BPO", "KPO"], [0.1, 0.2], weights=[3, 1])
    found = verdict(report_of(model, answers))
    assert found.lead.startswith("75.0% of the answers are right")
    assert "2 rows of d.csv, by weight," in found.points["Measured on"]


@pytest.mark.slow
def test_many_labels_in_scope_are_measured_among_themselves(ticket_model):
    # Of four rows of access three are answered access, one of them as the likeliest label in scope only.
    model = replace(ticket_model, out_of_scope="software")
    answers = answers_of(["access"] * 4, [0.1, 0.0, 0.7, 0.0], names=model.labels)
    answers.proba[3] = [0.3, 0.2, 0, 0, 0, 0, 0, 0.5]
    found = verdict(report_of(model, replace(answers, out_of_scope="software")))
    assert found.lead.startswith("50.0% of the answers are right")
    assert "75.0% are right by the labels in scope alone, whatever the answer" in found.points["How sure"]
