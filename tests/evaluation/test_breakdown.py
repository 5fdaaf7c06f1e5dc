import sys
from dataclasses import replace

import numpy as np
import pytest

from outsort.data.identity import hashes_of
from outsort.evaluation import evaluate
from outsort.evaluation.breakdown import by_line, label_errors, matrix, thresholds
from outsort.metrics import wilson
from reports import answers_of


def test_service_lines_come_worst_first_with_what_their_rows_allow():
    labels = ["BPO", "BPO", "KPO", "KPO", "KPO", "UNCLEAR", "UNCLEAR"]
    lines = ["typing", "typing", "law", "law", "law", "mopping", "mopping"]
    answers = answers_of(
        labels,
        [0.1, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5],
        accepted=[True] * 5 + [True, False],
        weights=[1, 3, 1, 1, 1, 1, 3],
        lines=lines,
    )
    found = by_line(answers)
    assert [(line.line, line.n, line.label) for line in found] == [
        ("typing", 2, "BPO"),
        ("mopping", 2, "UNCLEAR"),
        ("law", 3, "KPO"),
    ]
    assert [(line.accuracy, line.reviewed) for line in found] == [(0.25, None), (None, 0.75), (1.0, None)]


def test_the_matrix_has_every_label_and_what_goes_to_review():
    # The oracle: rows counted one by one.
    labels = ["BPO", "BPO", "BPO", "KPO", "NEITHER", "UNCLEAR", "UNCLEAR"]
    accepted = [True, False, True, False, True, False, True]
    answers = answers_of(labels, [0.1, 0.2, 0.9, 0.8, 0.3, 0.4, 0.9], accepted, weights=[1, 2, 3, 4, 5, 6, 7])
    found = matrix(answers)
    assert [(row.label, row.n, row.reviewed) for row in found] == [
        *(("BPO", 3, 2), ("KPO", 1, 4), ("NEITHER", 1, 0), ("UNCLEAR", 2, 6))
    ]
    for row in found:
        for name, cell in zip(answers.names, row.cells, strict=True):
            here = [i for i, label in enumerate(labels) if label == row.label and answers.predicted[i] == name]
            assert cell.weight == sum(answers.weights[i] for i in here)
            assert cell.reviewed == sum(answers.weights[i] for i in here if not accepted[i])
            assert cell.answer == name
    assert [cell.share for cell in found[0].cells] == [0.5, 0.5, 0]


def test_the_matrix_is_the_confusion_of_the_scores_and_has_intervals_of_shares(model):
    labels = ["BPO", "BPO", "BPO", "KPO", "UNCLEAR"]
    answers = answers_of(labels, [0.1, 0.2, 0.9, 0.8, 0.9], weights=[1, 2, 3, 4, 5])
    found = evaluate.measure(model, answers)
    assert [[cell.weight for cell in row.cells] for row in found.matrix[:3]] == found.confusion
    bpo, kpo, neither, unclear = found.matrix
    n = 6**2 / (1 + 4 + 9)
    assert bpo.intervals["recall"] == pytest.approx(wilson(found.per_class["BPO"].recall, n))
    n = 7**2 / (9 + 16)
    assert kpo.intervals["precision"] == pytest.approx(wilson(found.per_class["KPO"].precision, n))
    assert neither.intervals == unclear.intervals == {}


def test_thresholds_have_the_share_that_each_accepts_and_the_models_own():
    confidence = np.array([0.95, 0.9, 0.8, 0.6, 0.55])
    right = [True, True, False, True, False]
    answers = answers_of(["KPO" if ok else "BPO" for ok in right], confidence)
    found = thresholds(answers, confidence, 0.7)
    assert [one.threshold for one in found] == [0.95, 0.9, 0.8, 0.7, 0.6, 0.55]
    assert [one.is_own for one in found] == [False, False, False, True, False, False]
    for one in found:
        taken = confidence >= one.threshold
        assert one.coverage == pytest.approx(taken.mean())
        assert one.precision == pytest.approx(np.mean(np.array(right)[taken]))
        assert one.interval == pytest.approx(wilson(one.precision, taken.sum()))


def test_categories_accepted_with_their_label_have_no_threshold_of_their_own(model):
    answers = answers_of(["BPO", "KPO"], [0.1, 0.9])
    for by_label in (False, True):
        found = evaluate.measure(model, replace(answers, by_label=by_label)).thresholds
        assert any(one.is_own for one in found) != by_label


def test_labels_that_answers_of_other_models_contradict_are_found(model):
    # Of 40 rows that every probability is sure of, one has the other label.
    labels = ["BPO"] * 21 + ["KPO"] * 19
    answers = answers_of(labels, [0.05] * 20 + [0.95] * 20)
    found = evaluate.evaluate_answers(model, answers).label_errors
    assert [(error.row, error.label, error.probably) for error in found] == [(20, "BPO", "KPO")]


def test_labels_of_texts_that_the_model_has_seen_are_not_looked_for(model):
    answers = answers_of(["BPO"] * 21 + ["KPO"] * 19, [0.05] * 20 + [0.95] * 20)
    knowing = replace(model, seen=hashes_of(answers.texts))
    assert evaluate.evaluate_answers(knowing, answers).label_errors is None


def test_without_the_library_none_are_looked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    assert label_errors(answers_of(["BPO", "KPO"] * 10, [0.1, 0.9] * 10)) is None
