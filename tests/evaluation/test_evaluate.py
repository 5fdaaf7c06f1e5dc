import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics
from sklearn.metrics import roc_auc_score

from outsort.data.dataset import read
from outsort.errors import DataError
from outsort.evaluation.evaluate import evaluate
from outsort.metrics import (
    CurvePoint,
    Decisions,
    _resampled_auc,
    calibration_error,
    curve,
    decisions,
    intervals,
    score,
    share_interval,
)
from outsort.numeric import wilson
from outsort.prediction import predict

TICKETS = ["Access", "Billing", "Hardware", "Other"]


def scored(labels, p):
    p = np.array(p, dtype=float)
    return score(np.array(labels), np.column_stack([1 - p, p]), ["BPO", "KPO"])


def drawn(n=400, names=TICKETS, seed=0):
    """Labels of rows, some unknown to the model, and probabilities that lean towards them, with ties."""
    rng = np.random.default_rng(seed)
    labels = np.array([*names, "UNCLEAR"])[rng.choice(len(names) + 1, n, p=[0.9 / len(names)] * len(names) + [0.1])]
    proba = rng.dirichlet(np.ones(len(names)), n) + 0.4 * (labels[:, None] == names)
    proba = np.maximum(proba / proba.sum(axis=1, keepdims=True), 0.01).round(2)
    return labels, proba / proba.sum(axis=1, keepdims=True)


def test_fawcetts_twenty_instances():
    # Fawcett, An introduction to ROC analysis (2006), figure 3: the highest accuracy is 70 %, at the
    # threshold of 0.54, where the curve passes (0.1, 0.5). The area is 68 of 100 pairs, by counting.
    p = [0.9, 0.8, 0.7, 0.6, 0.55, 0.54, 0.53, 0.52, 0.51, 0.505]
    p += [0.4, 0.39, 0.38, 0.37, 0.36, 0.35, 0.34, 0.33, 0.3, 0.1]
    is_kpo = [1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0]
    result = scored([("BPO", "KPO")[i] for i in is_kpo], np.array(p) - 0.035)
    assert result.accuracy == pytest.approx(0.7)
    assert result.confusion == [[9, 1], [5, 5]]
    assert result.auc == pytest.approx(0.68)


@pytest.mark.parametrize("names", [["BPO", "KPO"], TICKETS, [f"label {i:02d}" for i in range(20)]], ids=len)
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_scikit_learn(names, weighted):
    labels, proba = drawn(names=names)
    weights = np.random.default_rng(1).integers(0, 4, len(labels)).astype(float) if weighted else np.ones(len(labels))
    found = score(labels, proba, names, names[-1], weights=weights)
    rows = labels != "UNCLEAR"
    actual, p, w = labels[rows], proba[rows], weights[rows]
    predicted = np.array(names)[p.argmax(axis=1)]
    assert (found.n, found.n_left_out, found.labels) == (rows.sum(), (~rows).sum(), names)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(actual, predicted, sample_weight=w),
        "macro_f1": sklearn_metrics.f1_score(actual, predicted, average="macro", sample_weight=w),
        "log_loss": sklearn_metrics.log_loss(actual, p, labels=names, sample_weight=w),
        "brier": np.average(((p - (actual[:, None] == names)) ** 2).sum(axis=1), weights=w),
    }
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected)
    np.testing.assert_array_equal(
        found.confusion, sklearn_metrics.confusion_matrix(actual, predicted, labels=names, sample_weight=w)
    )
    for i, name in enumerate(names):
        of_label = found.per_class[name]
        truth, answer = actual == name, predicted == name
        assert of_label.n == truth.sum()
        assert of_label.precision == pytest.approx(sklearn_metrics.precision_score(truth, answer, sample_weight=w))
        assert of_label.recall == pytest.approx(sklearn_metrics.recall_score(truth, answer, sample_weight=w))
        assert of_label.auc == pytest.approx(roc_auc_score(truth, p[:, i], sample_weight=w))
    out = ~np.isin(labels, names[:-1])
    assert found.out_of_scope_auc == pytest.approx(roc_auc_score(out, proba[:, -1], sample_weight=weights))


def test_the_brier_score_of_two_labels_is_twice_the_one_of_their_probability():
    p = np.array([0.1, 0.8, 0.6, 0.9])
    expected = 2 * sklearn_metrics.brier_score_loss([0, 0, 1, 1], p)
    assert scored(["BPO", "BPO", "KPO", "KPO"], p).brier == pytest.approx(expected)


def test_in_scope_are_the_answers_of_a_model_that_knows_only_those_labels():
    labels, proba = drawn(names=["BPO", "KPO", "NEITHER"])
    found = score(labels, proba, ["BPO", "KPO", "NEITHER"], "NEITHER")
    rows = np.isin(labels, ["BPO", "KPO"])
    within = proba[:, :2] / proba[:, :2].sum(axis=1, keepdims=True)
    alone = score(labels[rows], within[rows], ["BPO", "KPO"])
    assert found.in_scope.auc == pytest.approx(roc_auc_score(labels[rows] == "KPO", within[rows, 1]))
    for name in ("accuracy", "macro_f1", "auc", "log_loss", "brier", "calibration_error", "confusion"):
        np.testing.assert_allclose(getattr(found.in_scope, name), getattr(alone, name), err_msg=name)


def test_without_a_label_out_of_scope_there_is_nothing_to_tell_apart():
    labels, proba = drawn()
    found = score(labels, proba, TICKETS)
    assert (found.in_scope, found.out_of_scope_auc, found.auc) == (None, None, None)


def test_a_single_label_in_scope_has_none_to_be_told_from():
    labels, proba = drawn(names=["Work", "None"])
    found, ends = (of(labels, proba, ["Work", "None"], "None") for of in (score, intervals))
    assert found.in_scope is None
    assert found.out_of_scope_auc == pytest.approx(roc_auc_score(labels != "Work", proba[:, 1]))
    assert set(ends) == {"accuracy", "macro_f1", "log_loss", "brier", "auc", "out_of_scope_auc"}


def test_a_text_surely_out_of_scope_has_an_answer_in_scope():
    found = score(np.array(["BPO"]), np.array([[0.0, 0.0, 1.0]]), ["BPO", "KPO", "NEITHER"], "NEITHER")
    assert found.in_scope.log_loss == pytest.approx(np.log(2))
    assert np.isfinite(found.log_loss)


def test_what_one_label_cannot_tell_is_none():
    result = scored(["BPO", "BPO"], [0.2, 0.7])
    assert (result.auc, result.per_class["BPO"].auc) == (None, None)
    assert result.accuracy == 0.5


def test_calibration_error_of_bins_of_equal_mass():
    # Two bins: confidences 0.6 and 0.7 with one right of two; 0.8 and 0.9 with two right of two.
    error = calibration_error([True, False, True, True], np.array([0.6, 0.7, 0.8, 0.9]), n_bins=2)
    assert error == pytest.approx((abs(1 - 1.3) + abs(2 - 1.7)) / 4)


def test_a_perfectly_calibrated_answer_has_no_error():
    confidence = np.repeat([0.75, 0.5], [4, 4])
    assert calibration_error([True, True, True, False] + [True, False] * 2, confidence, n_bins=2) == 0


@pytest.fixture
def measured(frame):
    frame["kind"] = ["old", "new", "new"] * 5
    return read(frame, for_training=False)


def test_the_worst_mistakes_come_first_and_name_their_row(model):
    data = read(
        pd.DataFrame({"text": ["key invoices into sap", "draft a contract"], "label": ["KPO", "BPO"]}),
        for_training=False,
    )
    mistakes = evaluate(model, data).mistakes
    assert {m.row for m in mistakes} == {0, 1}
    assert mistakes[0].probability >= mistakes[1].probability > 0.5
    by_row = {m.row: m for m in mistakes}
    assert (by_row[0].label, by_row[0].predicted) == ("KPO", "BPO")
    assert len(evaluate(model, data, n_mistakes=1).mistakes) == 1


def test_groups_are_scored_apart_and_add_up(model, measured):
    groups = evaluate(model, measured, by=["kind"]).by["kind"]
    assert list(groups) == ["new", "old"]
    assert groups["new"].n + groups["old"].n == evaluate(model, measured).n == 15


def test_a_group_without_a_known_label_has_its_counts_only(model, frame):
    frame.loc[len(frame)] = ["urgent", "UNCLEAR", "none"]
    groups = evaluate(model, read(frame, for_training=False), by=["label"]).to_dict()["by"]["label"]
    assert groups["UNCLEAR"] == {"n": 0, "n_left_out": 1}


def test_an_unknown_group_column_names_those_there_are(model, measured):
    with pytest.raises(DataError, match="no column 'dept'; it has 'text', 'label'"):
        evaluate(model, measured, by=["dept"])


def test_data_without_a_known_label_cannot_be_scored(model):
    data = read(pd.DataFrame({"text": ["x"], "label": ["UNCLEAR"]}), for_training=False)
    with pytest.raises(DataError, match="no row is labelled BPO or KPO or NEITHER"):
        evaluate(model, data)


@pytest.mark.slow
@pytest.mark.parametrize("names", [["BPO", "KPO", "NEITHER"], TICKETS], ids=len)
def test_intervals_are_those_of_rows_drawn_again_and_scored(names):
    # The oracle: the scores of rows drawn with replacement, one resample at a time.
    labels, proba = drawn(200, names)
    rng = np.random.default_rng(1)
    resamples = [rng.integers(0, len(labels), len(labels)) for _ in range(250)]
    scores = [score(labels[i], proba[i], names, names[-1]) for i in resamples]
    found = intervals(labels, proba, names, names[-1])
    of_all = {"accuracy", "macro_f1", "log_loss", "brier"}
    in_scope = {f"in_scope.{name}" for name in of_all | ({"auc"} if len(names) == 3 else set())}
    assert set(found) == of_all | in_scope | {"out_of_scope_auc"}
    for name, ends in found.items():
        part, _, metric = name.rpartition(".")
        expected = np.quantile([getattr(s.in_scope if part else s, metric) for s in scores], [0.025, 0.975])
        spread = expected[1] - expected[0]
        np.testing.assert_allclose(ends, expected, atol=0.25 * spread, err_msg=name)


def test_a_label_that_no_row_has_and_no_answer_gives_is_in_neither_the_score_nor_its_interval():
    labels = np.array(["BPO", "KPO"] * 50)
    proba = np.tile([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], (50, 1))
    assert score(labels, proba, ["BPO", "KPO", "NEITHER"], "NEITHER").macro_f1 == 1
    assert intervals(labels, proba, ["BPO", "KPO", "NEITHER"], "NEITHER")["macro_f1"] == (1, 1)


def test_the_area_of_each_resample_counts_a_tie_as_half():
    # The oracle: scikit-learn's area with the times a row was drawn as its weight, on scores of few values.
    rng = np.random.default_rng(4)
    positive, scores = rng.random(80) < 0.4, rng.integers(0, 4, 80) / 4
    drawn = rng.multinomial(80, np.full(80, 1 / 80), size=50).astype(float)
    expected = [roc_auc_score(positive, scores, sample_weight=times) for times in drawn]
    np.testing.assert_allclose(_resampled_auc(drawn, positive, scores), expected)


def test_answers_that_are_all_alike_have_an_area_of_one_half_in_every_resample():
    names = ["BPO", "KPO", "NEITHER"]
    labels, _ = drawn(60, names)
    found = intervals(labels, np.tile([0.4, 0.3, 0.3], (60, 1)), names, "NEITHER")
    assert found["in_scope.auc"] == found["out_of_scope_auc"] == (0.5, 0.5)


@pytest.mark.slow
def test_an_interval_holds_the_truth_as_often_as_it_says():
    # 95 % of the intervals of a share of 0.8 hold it; of 200, 182 or more do with probability 0.99.
    rng = np.random.default_rng(2)
    holds = 0
    for _ in range(200):
        p = np.where(rng.random(200) < 0.8, 0.9, 0.1)
        low, high = intervals(np.array(["KPO"] * 200), np.column_stack([1 - p, p]), ["BPO", "KPO"])["accuracy"]
        holds += low <= 0.8 <= high
    assert holds >= 182


def test_weights_count_in_intervals_as_repeated_rows_do():
    labels, proba = drawn(60)
    weights = np.arange(60) % 3
    low, high = intervals(labels, proba, TICKETS, weights=weights)["accuracy"]
    assert low < score(labels, proba, TICKETS, weights=weights).accuracy < high
    assert intervals(labels, proba, TICKETS, weights=weights * 7.0)["accuracy"] == pytest.approx([low, high])


def test_rows_of_one_label_have_no_interval_of_the_area():
    p = np.array([0.1, 0.2, 0.7, 0.3])
    found = intervals(np.array(["BPO"] * 4), np.column_stack([1 - p, p]), ["BPO", "KPO"])
    assert set(found) == {"accuracy", "macro_f1", "log_loss", "brier"}


def test_decisions_worked_out_by_hand():
    labels = np.array(["BPO", "KPO", "KPO", "NEITHER", "UNCLEAR"])
    predicted = np.array(["BPO", "BPO", "KPO", "NEITHER", "BPO"])
    accepted = np.array([True, True, False, True, True])
    weights = np.array([1.0, 2.0, 3.0, 4.0, 4.0])
    known = ["BPO", "KPO", "NEITHER"]
    found = decisions(labels, known, predicted, accepted, weights, 0.7)
    assert replace(found, intervals={}) == Decisions(0.7, 5 / 11, 7 / 10, 0.0)
    # Weights of 1, 2, 4 and 4 say as much as 11² / 37 rows.
    assert found.intervals["precision"] == pytest.approx(wilson(5 / 11, 121 / 37))
    nothing = decisions(labels[:3], known, predicted[:3], np.zeros(3, bool), weights[:3], 0.7)
    assert replace(nothing, intervals={}) == Decisions(0.7, None, 0.0, None)
    assert set(nothing.intervals) == {"coverage"}


@pytest.mark.parametrize(
    ("n_of", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_wilsons(n_of, n, low, high):
    # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3; and SciPy's.
    assert wilson(n_of / n, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(n_of / n, n) == pytest.approx(tuple(binomtest(n_of, n).proportion_ci(method="wilson")), abs=1e-12)


def test_the_interval_of_a_share_takes_equal_weights_of_any_size_as_rows():
    of, among = np.array([True, False, True, True, True]), np.array([True, True, True, True, False])
    for weight in (1.0, 1e-200, 1e200):
        assert share_interval(np.full(5, weight), of, among) == pytest.approx(wilson(0.75, 4))
    assert share_interval(np.zeros(5), of, among) is None


def test_the_curve_accepts_rows_of_one_confidence_together():
    correct = np.array([True, False, True, True])
    points = curve(correct, np.array([0.9, 0.7, 0.7, 0.6]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert points == [CurvePoint(0.9, 0.25, 1.0), CurvePoint(0.7, 0.75, 0.5 / 0.75), CurvePoint(0.6, 1.0, 0.75)]


def test_mistakes_are_the_costliest_by_weight_and_say_why(model):
    frame = pd.DataFrame(
        {"text": ["key invoices into sap", "draft a contract"], "label": ["KPO", "BPO"], "spend": [1, 1000]}
    )
    result = evaluate(model, read(frame, for_training=False), weight_column="spend")
    assert [m.text for m in result.mistakes] == ["draft a contract", "key invoices into sap"]
    assert result.mistakes[0].weight == 1000
    assert "contract" in result.mistakes[0].for_
    assert result.confusion == [[0, 1000, 0], [1, 0, 0], [0, 0, 0]]


def test_the_decision_is_the_models_own(model, measured):
    result = evaluate(model, measured)
    answers = predict(measured.texts, model)
    accepted = [a.decision == "accept" for a in answers]
    assert result.decision.coverage == pytest.approx(np.mean(accepted))
    assert result.decision.threshold == 0.7


def test_texts_the_model_was_trained_on_are_noticed(model, measured):
    assert evaluate(model, measured).share_seen == 1
    other = pd.DataFrame({"text": ["key invoices", "DRAFT a  contract"], "label": ["BPO", "KPO"]})
    assert evaluate(model, read(other, for_training=False)).share_seen == 0.5


def test_answers_come_in_order_however_many_are_asked_for_at_a_time(frame, model, monkeypatch):
    data = read(frame, for_training=False)
    whole = evaluate(model, data)
    monkeypatch.setattr("outsort.evaluation.evaluate._TEXTS_PER_TASK", 4)
    assert evaluate(model, data) == whole


def test_categories_are_scored_by_their_column(outsort, tmp_path):
    rows = pd.DataFrame(
        {
            "text": ["Reset user passwords", "Draft a lease", "Retouch product photos", "Mop the office floors"],
            "level": ["ITO", "KPO", "KPO", "NEITHER"],
            "domain": ["IT", "legal", "Creative and content", "NEITHER"],
        }
    )
    rows.to_csv(tmp_path / "mine.csv", index=False)
    done = outsort("evaluate", tmp_path / "mine.csv", "--taxonomy", "market", "--json")
    found = json.loads(done.out)
    # One level is wrong on purpose: photo editing is BPO.
    assert {axis: one["accuracy"] for axis, one in found.items()} == {"level": 0.75, "domain": 1}
    assert [(m["label"], m["predicted"]) for m in found["level"]["mistakes"]] == [("KPO", "BPO")]
    rows[:3].drop(columns="level").to_csv(tmp_path / "mine.csv", index=False)
    shown = outsort("evaluate", tmp_path / "mine.csv", "--taxonomy", "market").out
    assert shown.startswith("domain:\n")
    assert "actual CRE" in shown
    assert "level:" not in shown
    rows[["text"]].assign(kind="x").to_csv(tmp_path / "mine.csv", index=False)
    assert "no column 'level'" in outsort("evaluate", tmp_path / "mine.csv", "--taxonomy", "market").err
