import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import outsort
from outsort.explanation import explain
from outsort.prediction import explanation_record, predict, predict_explained, predictions


def test_one_text_gives_one_answer_and_a_list_a_list(model):
    one = predict("key invoices", model)
    assert one.label == "BPO"
    assert predict(["key invoices"], model) == [one]
    assert predict([], model) == []


def test_answers_agree_with_the_models_arrays(model):
    texts = ["key invoices into sap", "review contract clauses", "mop the office floors", "", "translate a model"]
    answers = predict(texts, model)
    assert [a.text for a in answers] == texts
    assert [a.label for a in answers] == list(model.predict(texts))
    np.testing.assert_array_equal([a.probability for a in answers], model.predict_proba(texts).max(axis=1))
    assert [a.label for a in answers] == ["BPO", "KPO", "NEITHER", answers[3].label, "KPO"]
    assert [list(a.probabilities) for a in answers] == [list(model.labels)] * 5
    np.testing.assert_array_equal([list(a.probabilities.values()) for a in answers], model.predict_proba(texts))
    assert [a.probabilities[a.label] for a in answers] == [a.probability for a in answers]


def test_what_is_out_of_scope_can_be_accepted(model):
    certain = dataclasses.replace(model, threshold=0.5)
    answer = predict("mop and clean the office floors", certain)
    assert (answer.label, answer.service_line, answer.decision) == ("NEITHER", "cleaning", "accept")
    strict = dataclasses.replace(model, threshold=answer.probability + 1e-9)
    assert predict(answer.text, strict).reason == "low confidence"


def test_the_service_line_is_the_likeliest_of_the_label(model):
    text = "review contract clauses"
    proba = dict(explain(model, text).lines)
    answer = predict(text, model)
    assert answer.service_line == "legal_services"
    assert proba["legal_services"] > proba["data_science"]


def test_the_figures_of_a_record_are_those_of_the_answer(model):
    text = "Draft a contract. Then mop the office floors."
    answer, explanation = predict_explained(model, text)
    record = explanation_record(answer, explanation, [], n_lines=2)
    assert record["probabilities"] == {label: round(p, 6) for label, p in answer.probabilities.items()}
    assert record["probability"] == record["probabilities"][answer.label] == max(record["probabilities"].values())
    assert record["shares"] == {label: round(share, 3) for label, share in answer.shares.items()}
    assert record["shares"] != {label: round(share, 2) for label, share in answer.shares.items()}
    assert record["share_margin"] == round(answer.share_margin, 3)
    assert [clause["text"] for clause in record["clauses"]] == ["Draft a contract.", "Then mop the office floors."]
    assert [text[clause["start"] : clause["end"]].strip() for clause in record["clauses"]] == [
        clause["text"] for clause in record["clauses"]
    ]
    assert sum(clause["share"] for clause in record["clauses"]) == pytest.approx(1, abs=1e-5)
    assert len(record["service_lines"]) == 2


def test_terms_for_speak_for_the_label_and_come_strongest_first(model):
    answer = predict("translate subtitles of a language model", model, n_terms=10)
    for_figures = [figure for _, figure in answer.terms_for]
    against = [figure for _, figure in answer.terms_against]
    assert all(figure > 0 for figure in for_figures)
    assert all(figure < 0 for figure in against)
    assert for_figures == sorted(for_figures, reverse=True)
    assert against == sorted(against)
    assert len(predict("translate subtitles of a language model", model, n_terms=1).terms_for) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), (" \n", "empty"), ("?!", "no words"), ("500", "no words"), ("ξξ", "no known term")],
)
def test_a_text_that_says_nothing_gets_the_prior_and_the_reason(model, text, reason):
    answer = predict(text, model)
    assert answer.reason == reason
    assert answer.decision == "review"
    assert answer.probability == model.predict_proba([""]).max()
    assert answer.service_line is None
    assert answer.terms_for == answer.terms_against == ()


def test_a_model_without_lines_or_neither_leaves_them_out(two_class_model):
    answer = predict("key invoices", two_class_model)
    assert answer.service_line is None
    assert list(answer.probabilities) == ["BPO", "KPO"]


def test_answers_come_one_by_one(model):
    def endless():
        while True:
            yield "key invoices"

    assert next(predictions(endless(), model)).label == "BPO"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([None], "text 0 is None, a NoneType, not a string: turn it into one, or leave it out"),
        (pd.Series(["key invoices", float("nan")]), "text 1 is nan, a float, not a string: turn it into one"),
        (
            pd.DataFrame({"text": ["key invoices"]}),
            r"got a DataFrame: pass its column .* or the whole to outsort.score",
        ),
        (pa.table({"text": ["key invoices"]}), r"got a Table: pass its column of texts, such as table\['text'\]"),
        ({"a": "key invoices"}, r"got a dict: pass its texts, as in list\(texts.values\(\)\)"),
        ({"key invoices", "draft a contract"}, r"got a set, which has no order: pass sorted\(texts\)"),
        (b"key invoices", r"got bytes: decode them, as in texts.decode\(\)"),
        (None, "expected a list of texts, got None, a NoneType"),
        (5, "expected a list of texts, got 5, a int"),
    ],
)
def test_what_is_no_text_is_refused_with_the_way_out(model, given, message):
    # A frame, a dict or a set would answer its names, or answer in any order.
    for ask in (lambda texts: predict(texts, model), model.predict, model.predict_proba):
        with pytest.raises(TypeError, match=message):
            ask(given)


def test_texts_may_come_as_any_ordered_values(model):
    expected = predict(["key invoices", "draft a contract"], model)
    texts = [answer.text for answer in expected]
    for given in (tuple(texts), np.array(texts), pd.Series(texts), dict.fromkeys(texts).keys(), iter(texts)):
        assert predict(given, model) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\x00\x01\x1b[31m data entry \x7f",
        "🧾🧾 data entry 👩🏽‍💻",
        "إدخال البيانات data entry",
        "da\u0301ta\u0301 data entry",
        "data entry\u202e yrtne atad",
        "\ud800 lone surrogate, data entry",
    ],
)
def test_odd_characters_get_an_answer(text):
    assert outsort.predict(text).label == "BPO"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the memory of a process")
def test_megabytes_as_one_description_get_an_answer_in_bounded_memory(model, tmp_path):
    outsort.save_model(model, tmp_path / "m.joblib")
    code = """
import outsort
model = outsort.load_model("m.joblib")
answer = outsort.predict("type the invoices\\n" * 160_000, model)
assert sum(answer.probabilities.values()) > 0.999
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    # In kilobytes; a tuple for every character would take more.
    assert int(done.stdout) < 400_000


def test_the_names_of_the_package_are_there():
    others = {"load_model": "load", "load_rules": "load", "load_taxonomy": "load"}
    others |= {"save_model": "save", "read_dataset": "read"}
    assert {name: getattr(outsort, name).__name__ for name in outsort.__all__} == {
        name: others.get(name, name) for name in outsort.__all__
    }
    assert set(outsort.__all__) <= set(dir(outsort))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = outsort.nothing
