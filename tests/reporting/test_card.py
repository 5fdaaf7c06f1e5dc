import io
import json
import re
from dataclasses import replace

import pytest

from outsort import save_model
from outsort.data.dataset import read
from outsort.metrics import wilson
from outsort.reporting.captions import percents
from outsort.reporting.card import card, card_on_terminal
from outsort.reporting.layout import write_tables
from outsort.training import folds, train
from outsort.training.about import summarize


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


def test_accuracies_have_intervals_of_as_many_rows_as_say_as_much(made):
    scheme, scores = next(iter(made.about["scores"].items()))
    # As many rows of each label as in the data, all of one weight; then those of NEITHER weigh three times as much.
    assert scores["per_class"]["NEITHER"]["n"] == 3
    heavy = scores | {"confusion": [*scores["confusion"][:2], [3 * n for n in scores["confusion"][2]]]}
    for found, n in ((scores, 15), (heavy, (6 + 6 + 9) ** 2 / (6 + 6 + 9 * 3))):
        text = card(replace(made, about=made.about | {"scores": {scheme: found}}))
        all_rows, inside = (
            wilson(found[name], k) for found, name, k in ((scores, "accuracy", n), (scores["in_scope"], "accuracy", 12))
        )
        assert f"95% intervals of accuracy: {scheme} {percents(all_rows)}, in scope {percents(inside)}." in text


def test_the_intervals_of_a_model_with_weights_are_those_of_the_rows_that_they_leave(rows_frame):
    rows = rows_frame.assign(spend=[1.0, 9.0, 4.0] * 5)
    checks = folds.Checks(folds=3, weight_column="spend")
    model = train.train(read(rows), checks=checks)
    scheme, scores = next(iter(summarize(model).scores.items()))
    weights = rows["spend"].to_numpy()
    assert f"{scheme} {percents(wilson(scores.accuracy, weights.sum() ** 2 / (weights**2).sum()))}" in card(model)


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
    ends = [percents(wilson(share, n)) for share, n in ((0.4, 15), (0.96, 6))]
    assert f"At threshold 0.900, coverage is 40.0% ({ends[0]}) of 15 held-out rows (unseen service lines)" in text
    assert f"precision 96.0% ({ends[1]}; 95% intervals)" in text
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


def test_the_short_card_has_the_scores_and_the_promise(outsort, made, tmp_path):
    save_model(made, tmp_path / "m.joblib")
    shown = outsort("card", "--short", "-m", tmp_path / "m.joblib").out
    assert f"model {made.fingerprint}: BPO, KPO or NEITHER; trained on 15 rows" in shown
    for scheme, scores in made.about["scores"].items():
        assert f" {scores['accuracy']:.3f} " in next(line for line in shown.splitlines() if scheme in line)
    assert "no threshold reaches 95% precision at 90% confidence on 15 held-out rows" in shown
    assert "answers are accepted from probability 0.7, without a promise: outsort certify" in shown
    assert "#" not in shown


def test_the_card_as_json_is_what_the_model_says_of_itself(outsort, made, tmp_path):
    save_model(made, tmp_path / "m.joblib")
    found = json.loads(outsort("card", "--json", "-m", tmp_path / "m.joblib").out)
    assert found == {"labels": ["BPO", "KPO", "NEITHER"], **summarize(made).to_dict()}
    assert found["scores"] == made.about["scores"]
    assert outsort("card", "--json", "--short", "-m", tmp_path / "m.joblib").code == 2


def test_a_terminal_has_the_card_without_its_markup(made):
    file = io.StringIO()
    write_tables(file, card_on_terminal(made))
    shown, plain = file.getvalue(), card(made)
    assert not re.search(r"^#|\| ---|`", shown, re.MULTILINE)
    for scores in made.about["scores"].values():
        assert f"{scores['accuracy']:.3f}" in shown
    assert re.findall(r"[A-Z]\w+(?: \w+)+\.", shown.replace("\n", " "))
    assert made.fingerprint in shown
    assert len(shown.split()) > 0.9 * len(re.sub(r"[|`#]|---", " ", plain).split())
