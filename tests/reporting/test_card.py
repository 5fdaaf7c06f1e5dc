from dataclasses import replace

import pytest

from outsort.data.dataset import read
from outsort.reporting.card import card
from outsort.training import folds, train


@pytest.fixture(scope="module")
def made(rows_frame):
    return train.train(read(rows_frame), checks=folds.Checks(folds=3))


def test_it_quotes_every_score_as_the_model_holds_it(made):
    lines = card(made).splitlines()
    for scheme, scores in made.about["scores"].items():
        (row,) = (line for line in lines if line.startswith(f"| {scheme} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        names = ("accuracy", "macro_f1", "log_loss", "brier", "calibration_error")
        in_scope = (scores["in_scope"][name] for name in ("accuracy", "auc"))
        figures = [*(scores[name] for name in names), *in_scope, scores["out_of_scope_auc"]]
        assert cells[1:] == [str(scores["n"]), *map(figure, figures)]
        before = scores["uncalibrated"]["log_loss"]
        assert f"{scheme}, log loss {before:.3f}" in card(made)


def figure(value):
    return "" if value is None else f"{value:.3f}"


def test_it_names_the_data_and_the_model(made):
    text = card(made)
    data = made.about["data"]
    assert f"{data['rows']:,} rows (6 BPO, 6 KPO, 3 NEITHER)" in text
    assert data["sha256"] in text
    assert made.fingerprint in text
    assert f"scikit-learn {made.about['versions']['scikit-learn']}" in text


def test_it_promises_what_was_certified_and_nothing_else(made):
    # Fifteen rows certify nothing.
    assert "No threshold is certified: 15 held-out rows" in card(made)
    promised = {"target": 0.95, "level": 0.9, "threshold": 0.9, "precision": 0.96, "bound": 0.95}
    promised |= {"coverage": 0.4, "n_rows": 15, "n_more": 0, "held_out": "unseen service lines", "measured": {}}
    text = card(replace(made, about=made.about | {"decision": promised}))
    assert "At threshold 0.900, coverage is 40.0% of 15 held-out rows (unseen service lines)" in text
    assert "at least 95% precision at 90% confidence" in text


def test_a_model_without_cross_validation_claims_no_score(two_class_model):
    text = card(two_class_model)
    assert "so its quality is unknown" in text
    assert "cannot recognise any" in text
    assert "| held out |" not in text


def test_it_points_to_service_lines_only_where_the_model_knows_some(two_class_model, made):
    assert "The service line and the top terms let that person check" in card(made)
    assert "\nThe top terms let that person check" in card(two_class_model)


def test_a_model_that_says_nothing_of_itself_has_a_card(model):
    assert "does not say what it was trained on" in card(replace(model, about={}))
