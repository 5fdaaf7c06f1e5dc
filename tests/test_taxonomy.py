"""Categories of one's own: what a file says is summed, and what is wrong with it is said in one message."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import model_of
from outsort import taxonomy
from outsort.errors import DataError
from outsort.explanation import explain
from outsort.prediction import Ruling, default_model, predict_explained
from outsort.scoring.frames import score

HEADER = "line,code,name,note"
#: The lines of the small model that are in scope, in two categories.
ROWS = ["data_entry,A,Routine,keyed", "translation,A,Routine,", "legal_services,B,Expert,", "data_science,B,Expert,"]
TEXTS = ["key invoices into sap", "review contract clauses. translate subtitles", "mop the floor", "xyzzy", ""]


@pytest.fixture
def written(tmp_path):
    """Write a taxonomy of some rows: ``written(rows, header)``."""

    def write(rows, header=HEADER):
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def test_the_probabilities_of_the_lines_are_summed(model, written):
    mine = taxonomy.load(written(ROWS), model)
    assert mine.axes[0].codes == ("A", "B", "NEITHER")
    for text, found in zip(TEXTS, taxonomy.predictions(TEXTS, model, mine), strict=True):
        # The oracle: the lines that `explain` lists.
        lines = dict(explain(model, text).lines)
        sums = {"A": lines["data_entry"] + lines["translation"], "B": lines["legal_services"] + lines["data_science"]}
        (answer,) = found.categories
        assert answer.probabilities == pytest.approx(sums | {"NEITHER": found.probabilities["NEITHER"]}, abs=1e-9)
        assert answer.code == max(answer.probabilities, key=answer.probabilities.get)
        assert answer.decision == "uncertified"


def test_a_table_gets_the_answers_of_predict(model, written):
    mine = taxonomy.load(written(ROWS), model)
    scored = score(pd.DataFrame({"text": TEXTS}), model, taxonomy=mine)
    for row, found in zip(scored.itertuples(), taxonomy.predictions(TEXTS, model, mine), strict=True):
        (answer,) = found.categories
        assert (row.category, row.category_name) == (answer.code, answer.name)
        assert row.category_probability == pytest.approx(answer.probability, abs=1e-5)
        assert (row.label, row.decision) == (found.label, found.decision)
        assert (row.category_decision, row.taxonomy) == ("uncertified", mine.fingerprint)


def test_a_line_is_divided_by_weights(model, written):
    rows = [*(f"{row},1" for row in ROWS[:3]), "data_science,A,Routine,,0.25", "data_science,B,Expert,,0.75"]
    axis = taxonomy.load(written(rows, HEADER + ",weight"), model).axes[0]
    assert axis.weights[list(model.lines).index("data_science")].tolist() == [0.25, 0.75, 0]
    assert axis.proba(np.eye(len(model.lines))).sum(axis=1) == pytest.approx(1)


def test_a_blank_name_is_that_of_the_code_elsewhere_or_the_code(model, written):
    rows = ["data_entry,A,,", "translation,A,Routine,", "legal_services,B,,", "data_science,B,,"]
    assert taxonomy.load(written(rows), model).axes[0].names == ("Routine", "B", "NEITHER")


def test_a_taxonomy_of_labels_serves_a_model_without_lines(two_class_model, written):
    mine = taxonomy.load(written(["BPO,P,Process,", "KPO,K,Knowledge,"]), two_class_model)
    (found,) = taxonomy.predictions(["key invoices"], two_class_model, mine)
    assert found.categories[0].probabilities == pytest.approx(
        {"P": found.probabilities["BPO"], "K": found.probabilities["KPO"]}
    )


@pytest.mark.parametrize("names_line", [True, False])
def test_a_rule_gives_the_category_of_a_line_that_the_model_rules_out(written, names_line):
    """So sure of the other line that the probability of this one is 0 as a float."""
    model = model_of({"key": {"keying": 2000.0}, "draft": {"drafting": 1.0}}, {"keying": "BPO", "drafting": "KPO"})
    found = taxonomy.load(written(["keying,A,Routine,", "drafting,B,Expert,"]), model)
    prediction, explanation = predict_explained(model, "key key")
    assert dict(explanation.lines)["drafting"] == 0
    ruling = Ruling("drafts", "BPO", "accept", "0", names_line)
    ruled = replace(prediction, label="KPO", service_line="drafting", ruling=ruling)
    (answer,) = taxonomy.with_categories(ruled, explanation, model, found).categories
    assert (answer.code, answer.probability) == ("B", 1.0)


def test_the_fingerprint_is_of_the_categories_not_of_notes_or_order(model, written):
    first = taxonomy.load(written(ROWS), model).fingerprint
    assert taxonomy.load(written([row.replace("keyed", "typed") for row in ROWS[::-1]]), model).fingerprint == first
    assert taxonomy.load(written([row.replace("Expert", "Craft") for row in ROWS]), model).fingerprint != first


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            ["data_entri,A,Routine,", *ROWS[1:]],
            "row 2: no line of the model is called 'data_entri'. Did you mean 'data_entry'?",
        ),
        ([ROWS[0], "translation,A,Typing,", *ROWS[2:]], "row 3: code 'A' is named 'Typing', but 'Routine' in row 2"),
        ([*ROWS, ",C,Care,"], "row 6: category 'C' has no line"),
        ([*ROWS, ",B,Expert,"], "row 6: the line is empty"),
        ([*ROWS[:3], "data_science,,Expert,"], "row 5: the code is empty"),
        ([*ROWS, ROWS[0]], "row 6: line 'data_entry' is in category 'A' already, in row 2"),
        ([*ROWS, "data_entry,B,Expert,"], "rows 2, 6: the weights of line 'data_entry' add up to 2, not 1"),
        (ROWS[:2], "2 lines have no category: data_science, legal_services"),
        (["data_entry,A,Routine,", *ROWS[1:], "cleaning,,,"], "row 6: the code is empty"),
        (["cleaning,N,None,"], "4 lines have no category"),
    ],
)
def test_what_is_wrong_is_said_once_with_file_and_row(model, written, rows, says):
    path = written(rows)
    with pytest.raises(DataError) as found:
        taxonomy.load(path, model)
    assert str(found.value).startswith(f"{path}, {says}")
    assert str(found.value).count("\n") == 0


def test_a_weight_must_be_a_share(model, written):
    rows = [f"{row},{weight}" for row, weight in zip(ROWS, ["1", "x", "0", "1.5"], strict=True)]
    with pytest.raises(DataError, match="3 problems") as found:
        taxonomy.load(written(rows, HEADER + ",weight"), model)
    assert [f"row {row}: the weight is not" in str(found.value) for row in (3, 4, 5)] == [True] * 3


def test_a_table_of_other_columns_is_refused(model, written):
    with pytest.raises(DataError, match=r"mine.csv: no column 'code'; it has 'line', 'group'"):
        taxonomy.load(written(["data_entry,A"], "line,group"), model)
    with pytest.raises(DataError, match=r"mine.csv: has no rows"):
        taxonomy.load(written([]), model)
    with pytest.raises(DataError, match=r"markt: is no file. Name a table of categories, or one that ships: market"):
        taxonomy.load("markt", model)


def test_every_axis_needs_every_line(model, written):
    rows = [*(f"{row},x" for row in ROWS), *(f"{row},y" for row in ROWS[1:])]
    with pytest.raises(DataError, match="1 line has no category on axis 'y': data_entry"):
        taxonomy.load(written(rows, HEADER + ",axis"), model)
    both = taxonomy.load(written([f"{row},{axis}" for axis in "xy" for row in ROWS], HEADER + ",axis"), model)
    assert [axis.column for axis in both.axes] == ["category_x", "category_y"]


def test_market_gives_every_line_a_level_a_domain_and_reasons():
    model = default_model()
    market = taxonomy.load("market", model)
    assert [axis.name for axis in market.axes] == ["level", "domain"]
    with (Path(__file__).parents[1] / "data" / "market.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(model.lines)
    assert all(len(row["note"].split()) >= 3 and row["date"] for row in rows)
    level = market.axes[0]
    for line, label, weights in zip(model.lines, model.line_labels, level.weights, strict=True):
        code = level.codes[weights.argmax()]
        # The level refines the label: only the lines of information technology leave it.
        assert code in (label, "ITO"), line
        assert (code == "NEITHER") == (label == "NEITHER"), line
    domain = market.axes[1]
    of_level, of_domain = (axis.weights.argmax(axis=1) for axis in market.axes)
    is_ito = of_level == level.codes.index("ITO")
    assert set(of_domain[is_ito]) == {domain.codes.index("IT")}
    assert np.bincount(of_domain).min() >= 3


def test_commands_show_both_answers(outsort, tmp_path):
    found = json.loads(outsort("predict", "Reset user passwords", "--taxonomy", "market", "-f", "jsonl").out)
    assert (found["label"], found["category_level"], found["category_domain"]) == ("BPO", "ITO", "IT")
    shown = outsort("predict", "Reset user passwords", "--taxonomy", "market", "-f", "table").out
    assert "category level" in shown
    assert "uncertified" in shown
    (tmp_path / "in.csv").write_text("id,text\n1,Reset user passwords\n", encoding="utf-8")
    scored = outsort("score", tmp_path / "in.csv", "-o", "-", "--taxonomy", "market")
    (row,) = csv.DictReader(scored.out.splitlines())
    assert (row["label"], row["category_level"], row["taxonomy"]) == ("BPO", "ITO", found["taxonomy"])
    assert row["category_level_decision"] == "uncertified"


def test_a_broken_taxonomy_stops_a_command_with_one_message(outsort, written):
    done = outsort("predict", "draft a lease", "--taxonomy", written(["nursing,A,Care,"]))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("outsort: ")
    assert "row 2: no line of the model is called 'nursing'" in done.err
