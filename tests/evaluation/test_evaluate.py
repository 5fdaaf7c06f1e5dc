import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from outsort.data.dataset import read
from outsort.errors import DataError
from outsort.evaluation.evaluate import evaluate
from outsort.metrics import (
    CurvePoint,
    Decisions,
    LabelScores,
    _resampled_auc,
    calibration_error,
    curve,
    decisions,
    intervals,
    score,
)
from outsort.prediction import predict

NAN = float("nan")


def scored(labels, p_kpo, p_neither=None):
    p_neither = [NAN] * len(labels) if p_neither is None else p_neither
    return score(np.array(labels), np.array(p_kpo, dtype=float), np.array(p_neither))


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


def test_scores_worked_out_by_hand():
    result = scored(["BPO", "BPO", "KPO", "KPO"], [0.1, 0.8, 0.6, 0.9])
    assert result.n == 4
    assert result.accuracy == 0.75
    assert result.auc == 0.75
    assert result.brier == pytest.approx((0.01 + 0.64 + 0.16 + 0.01) / 4)
    assert result.log_loss == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.9]).mean())
    assert result.per_class == {"BPO": LabelScores(1.0, 0.5, 2), "KPO": LabelScores(2 / 3, 1.0, 2)}
    assert result.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)
    assert result.neither_auc is None


def test_rows_that_are_neither_count_only_for_telling_them_apart():
    alone = scored(["BPO", "KPO"], [0.2, 0.7])
    beside = scored(["BPO", "NEITHER", "KPO", "UNCLEAR"], [0.2, 0.9, 0.7, 0.1], [0.1, 0.8, 0.3, 0.2])
    assert beside.n_left_out == 2
    assert beside.neither_auc == 0.75
    for name in ("accuracy", "auc", "log_loss", "brier", "confusion"):
        assert getattr(beside, name) == getattr(alone, name)


def test_what_one_class_cannot_tell_is_none():
    result = scored(["BPO", "BPO"], [0.2, 0.7])
    assert result.auc is None
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
    assert groups["new"].n + groups["old"].n == evaluate(model, measured).n == 12


def test_a_group_without_bpo_and_kpo_has_its_counts_only(model, measured):
    groups = evaluate(model, measured, by=["label"]).to_dict()["by"]["label"]
    assert groups["NEITHER"] == {"n": 0, "n_left_out": 3}


def test_an_unknown_group_column_names_those_there_are(model, measured):
    with pytest.raises(DataError, match="no column 'dept'; it has 'text', 'label'"):
        evaluate(model, measured, by=["dept"])


def test_data_without_bpo_or_kpo_cannot_be_scored(model):
    data = read(pd.DataFrame({"text": ["x"], "label": ["NEITHER"]}), for_training=False)
    with pytest.raises(DataError, match="no row is labelled BPO or KPO"):
        evaluate(model, data)


def resampled(n=400, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array(["BPO", "KPO", "NEITHER"])[rng.choice(3, n, p=[0.45, 0.45, 0.1])]
    p_kpo = np.clip((labels == "KPO") * 0.3 + rng.random(n) * 0.7, 0.001, 0.999)
    return labels, p_kpo.round(2), np.clip((labels == "NEITHER") * 0.4 + rng.random(n) * 0.6, 0, 1)


@pytest.mark.slow
def test_intervals_are_those_of_rows_drawn_again_and_scored():
    # The oracle: scikit-learn's metrics on rows drawn with replacement, one resample at a time.
    labels, p_kpo, p_neither = resampled()
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(labels), len(labels)) for _ in range(1000)]
    scores = [score(labels[i], p_kpo[i], p_neither[i]) for i in drawn]
    found = intervals(labels, p_kpo, p_neither)
    assert set(found) == {"accuracy", "macro_f1", "auc", "log_loss", "brier", "neither_auc"}
    for name, ends in found.items():
        expected = np.quantile([getattr(s, name) for s in scores], [0.025, 0.975])
        spread = expected[1] - expected[0]
        np.testing.assert_allclose(ends, expected, atol=0.15 * spread)


def test_the_area_of_each_resample_counts_a_tie_as_half():
    # The oracle: scikit-learn's area with the times a row was drawn as its weight, on scores of few values.
    rng = np.random.default_rng(4)
    positive, scores = rng.random(80) < 0.4, rng.integers(0, 4, 80) / 4
    drawn = rng.multinomial(80, np.full(80, 1 / 80), size=50).astype(float)
    expected = [roc_auc_score(positive, scores, sample_weight=times) for times in drawn]
    np.testing.assert_allclose(_resampled_auc(drawn, positive, scores), expected)


def test_answers_that_are_all_alike_have_an_area_of_one_half_in_every_resample():
    labels, _, _ = resampled(60)
    alike = np.full(60, 0.3)
    found = intervals(labels, alike, alike)
    assert found["auc"] == found["neither_auc"] == (0.5, 0.5)


@pytest.mark.slow
def test_an_interval_holds_the_truth_as_often_as_it_says():
    # 95 % of the intervals of a share of 0.8 hold it; of 200, 182 or more do with probability 0.99.
    rng = np.random.default_rng(2)
    holds = 0
    for _ in range(200):
        p = np.where(rng.random(200) < 0.8, 0.9, 0.1)
        low, high = intervals(np.array(["KPO"] * 200), p, np.full(200, NAN))["accuracy"]
        holds += low <= 0.8 <= high
    assert holds >= 182


def test_weights_count_in_intervals_as_repeated_rows_do():
    labels, p_kpo, p_neither = resampled(60)
    weights = np.arange(60) % 3
    low, high = intervals(labels, p_kpo, p_neither, weights=weights)["accuracy"]
    assert low < score(labels, p_kpo, p_neither, weights=weights).accuracy < high
    assert intervals(labels, p_kpo, p_neither, weights=weights * 7.0)["accuracy"] == pytest.approx([low, high])


def test_rows_of_one_class_have_no_interval_of_the_area():
    found = intervals(np.array(["BPO"] * 4), np.array([0.1, 0.2, 0.7, 0.3]), np.full(4, NAN))
    assert "auc" not in found
    assert "neither_auc" not in found


def test_decisions_worked_out_by_hand():
    labels = np.array(["BPO", "KPO", "KPO", "NEITHER", "UNCLEAR"])
    predicted = np.array(["BPO", "BPO", "KPO", "KPO", "BPO"])
    accepted = np.array([True, True, False, True, False])
    weights = np.array([1.0, 2.0, 3.0, 4.0, 4.0])
    assert decisions(labels, predicted, accepted, weights, 0.7) == Decisions(0.7, 1 / 7, 3 / 6, 0.5)
    nothing = decisions(labels[:3], predicted[:3], np.zeros(3, bool), weights[:3], 0.7)
    assert nothing == Decisions(0.7, None, 0.0, None)


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
    assert result.confusion == [[0, 1000], [1, 0]]


def test_the_decision_is_the_models_own(model, measured):
    result = evaluate(model, measured)
    answers = predict(measured.texts, model)
    decided = [a for a, label in zip(answers, measured.labels, strict=True) if label != "NEITHER"]
    accepted = [a.decision == "accept" for a in decided]
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
