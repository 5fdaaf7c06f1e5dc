import numpy as np
import pandas as pd
import pytest

from outsort.dataset import read
from outsort.errors import DataError
from outsort.evaluation import calibration_error, evaluate, evaluate_by, score

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
    assert result["accuracy"] == pytest.approx(0.7)
    assert result["confusion"] == [[9, 1], [5, 5]]
    assert result["auc"] == pytest.approx(0.68)


def test_scores_worked_out_by_hand():
    result = scored(["BPO", "BPO", "KPO", "KPO"], [0.1, 0.8, 0.6, 0.9])
    assert result["n"] == 4
    assert result["accuracy"] == 0.75
    assert result["auc"] == 0.75
    assert result["brier"] == pytest.approx((0.01 + 0.64 + 0.16 + 0.01) / 4)
    assert result["log_loss"] == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.9]).mean())
    assert result["per_class"] == {
        "BPO": {"precision": 1.0, "recall": 0.5, "n": 2},
        "KPO": {"precision": pytest.approx(2 / 3), "recall": 1.0, "n": 2},
    }
    assert result["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert result["neither_auc"] is None


def test_rows_that_are_neither_count_only_for_telling_them_apart():
    alone = scored(["BPO", "KPO"], [0.2, 0.7])
    beside = scored(["BPO", "NEITHER", "KPO", "UNCLEAR"], [0.2, 0.9, 0.7, 0.1], [0.1, 0.8, 0.3, 0.2])
    assert beside["n_left_out"] == 2
    assert beside["neither_auc"] == 0.75
    for name in ("accuracy", "auc", "log_loss", "brier", "confusion"):
        assert beside[name] == alone[name]


def test_what_one_class_cannot_tell_is_none():
    result = scored(["BPO", "BPO"], [0.2, 0.7])
    assert result["auc"] is None
    assert result["accuracy"] == 0.5


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
    mistakes = evaluate(model, data)["mistakes"]
    assert {m["row"] for m in mistakes} == {0, 1}
    assert mistakes[0]["probability"] >= mistakes[1]["probability"] > 0.5
    by_row = {m["row"]: m for m in mistakes}
    assert (by_row[0]["label"], by_row[0]["predicted"]) == ("KPO", "BPO")
    assert len(evaluate(model, data, n_mistakes=1)["mistakes"]) == 1


def test_groups_are_scored_apart_and_add_up(model, measured):
    groups = evaluate_by(model, measured, "kind")
    assert list(groups) == ["new", "old"]
    assert groups["new"]["n"] + groups["old"]["n"] == evaluate(model, measured)["n"] == 12


def test_a_group_without_bpo_and_kpo_has_its_counts_only(model, measured):
    assert evaluate_by(model, measured, "label")["NEITHER"] == {"n": 0, "n_left_out": 3}


def test_an_unknown_group_column_names_those_there_are(model, measured):
    with pytest.raises(DataError, match="no column 'dept' to score by; it has 'text', 'label'"):
        evaluate_by(model, measured, "dept")


def test_data_without_bpo_or_kpo_cannot_be_scored(model):
    data = read(pd.DataFrame({"text": ["x"], "label": ["NEITHER"]}), for_training=False)
    with pytest.raises(DataError, match="no row is labelled BPO or KPO"):
        evaluate(model, data)
