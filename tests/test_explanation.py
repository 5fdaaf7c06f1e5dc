from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import WORDS, random_model
from outsort.data.dataset import read
from outsort.explanation import explain, find_precedents, is_reason, is_telling, top_terms
from outsort.model import uncalibrated
from outsort.text import pairs, terms, words

known = st.sampled_from([*WORDS, "data", "review", "translate", "excel", "翻訳", "the", "\n", ". Draft"])
any_texts = st.one_of(st.text(), st.lists(known, max_size=20).map(" ".join))


@pytest.fixture(scope="module", params=[(2, False), (2, True), (3, True), (5, False), (20, True)])
def any_model(request):
    """A model of some labels, with or without one for what is out of scope."""
    n_labels, with_out_of_scope = request.param
    return random_model(n_labels, with_out_of_scope=with_out_of_scope)


@given(any_text=any_texts)
@settings(max_examples=25)
def test_contributions_bias_and_spread_add_up_to_the_log_odds_of_any_label(any_model, any_text):
    # The oracle: the probabilities of the model.
    for label, log_p in zip(any_model.labels, any_model.predict_log_proba([any_text])[0], strict=True):
        explanation = explain(any_model, any_text, label)
        assert explanation.label == label
        total = sum(explanation.contributions.values()) + explanation.bias + explanation.spread
        assert total == pytest.approx(explanation.log_odds, abs=1e-9)
        assert explanation.log_odds == pytest.approx(log_p - np.log(-np.expm1(log_p)), abs=1e-6)
        by_clause = [sum(clause.contributions.values()) for clause in explanation.clauses]
        assert sum(by_clause) == pytest.approx(sum(explanation.contributions.values()), abs=1e-9)
        by_word = sum(word.log_odds for word in explanation.words)
        assert by_word == pytest.approx(sum(by_clause), abs=1e-6)
        assert [(clause.start, clause.end) for clause in explanation.clauses] == any_model.read(any_text).spans
        assert sum(clause.share for clause in explanation.clauses) == pytest.approx(1)


def test_reasons_are_words_that_mean_something_and_weigh_enough():
    figures = {
        "the": 2.0,
        "in sap": 1.5,
        "500": -1.4,
        "a": 1.0,
        "e": 1.0,
        "de": 0.9,
        "ledger": 0.299,
        "key": -0.3,
        "sap": 0.8,
    }
    assert [term for term, figure in figures.items() if is_reason(term, figure)] == ["key", "sap"]
    assert [term for term in ("not", "der", "2024_25", "24 7", "lot 3", "with care") if is_telling(term)] == []
    assert all(map(is_telling, ("SAP", "tax return", "3d", "税", "überweisung")))


@given(any_text=any_texts)
@settings(max_examples=25)
def test_reasons_are_the_telling_contributions_largest_first(any_model, any_text):
    explanation = explain(any_model, any_text)
    found = {term: f for term, f in explanation.contributions.items() if is_telling(term) and abs(f) >= 0.3}
    assert explanation.reasons == found
    assert list(map(abs, explanation.reasons.values())) == sorted(map(abs, found.values()), reverse=True)


def test_contributions_are_slopes_of_the_log_odds(any_model):
    # The oracle: differences of the model's own answers when weights grow a little, while each clause
    # counts as much as before.
    text = "Key invoices. Draft contract\nclean floor, audit contract"
    n_says = len(any_model.lines) + len(any_model.labels)
    term_of = np.repeat(np.arange(len(any_model.terms)), np.diff(any_model.indptr))

    def log_odds(label, terms_to_scale, factor):
        scaled = np.isin(term_of, terms_to_scale) & (any_model.indices != n_says)
        weights = np.where(scaled, any_model.weights * np.float32(factor), any_model.weights)
        log_p = replace(any_model, weights=weights).predict_log_proba([text])[0, any_model.labels.index(label)]
        return log_p - np.log(-np.expm1(log_p))

    def slope(label, terms_to_scale):
        return (log_odds(label, terms_to_scale, 1.004) - log_odds(label, terms_to_scale, 0.996)) / 0.008

    for label in any_model.labels[-3:]:
        found = explain(any_model, text, label).contributions
        everything = slope(label, np.arange(len(any_model.terms)))
        assert sum(found.values()) == pytest.approx(everything, rel=2e-3, abs=2e-3)
        for pair in ("key invoices", "draft contract", "clean floor"):
            expected = slope(label, [any_model.vocabulary[pair]])
            assert found.get(pair, 0.0) == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_a_label_that_the_model_does_not_know_is_refused(model):
    with pytest.raises(ValueError, match="the model has no label 'XPO', only BPO, KPO, NEITHER"):
        explain(model, "key invoices", "XPO")


def test_without_a_label_the_most_probable_one_is_explained(model):
    for text in ("key invoices", "draft a contract", "clean the office. Mop the floors"):
        assert explain(model, text).label == model.predict([text])[0]


@given(any_text=any_texts)
def test_of_two_labels_without_lines_the_score_is_linear_and_has_no_spread(two_class_model, any_text):
    for label, log_p in zip(two_class_model.labels, two_class_model.predict_log_proba([""])[0], strict=True):
        explanation = explain(two_class_model, any_text, label)
        assert explanation.spread == pytest.approx(0, abs=1e-12)
        assert explanation.bias == pytest.approx(log_p - np.log(-np.expm1(log_p)), abs=1e-9)


def test_reasons_are_words_and_pairs_of_the_text(model):
    text = "Key scanned invoices; key forms"
    in_order = words(text)
    assert set(explain(model, text).contributions) <= {*in_order, *pairs(in_order)}


def test_a_word_unknown_as_a_whole_gets_what_its_pieces_say(model):
    assert "translator" not in model.vocabulary
    assert explain(model, "translator", "KPO").contributions["translator"] < 0


def test_a_word_speaks_for_the_label_of_its_rows(model):
    explanation = explain(model, "translate model", "KPO")
    assert explanation.contributions["model"] > 0 > explanation.contributions["translate"]


def test_a_text_without_known_terms_is_its_bias_and_spread(model):
    explanation = explain(model, "€")
    assert explanation.contributions == {}
    assert explanation.log_odds == pytest.approx(explanation.bias + explanation.spread)
    assert np.isfinite(explanation.log_odds)


def test_a_word_holds_half_of_each_pair_it_stands_in(model):
    text = "a contract"
    of = explain(model, text).contributions
    assert set(of) == {"a", "contract", "a contract"}
    first, second = (word.log_odds for word in explain(model, text).words)
    assert first == pytest.approx(of["a"] + of["a contract"] / 2)
    assert second == pytest.approx(of["contract"] + of["a contract"] / 2)


def test_words_are_found_in_the_text_as_given(model):
    text = "Ⓚey ﬁnal INVOICES"
    assert [text[start:end] for start, end, _ in explain(model, text).words] == ["Ⓚey", "ﬁnal", "INVOICES"]


def test_lines_share_the_probabilities_of_their_labels(model):
    text = "translate a contract"
    explanation = explain(model, text)
    figures = dict(explanation.lines)
    labels = dict(zip(model.lines, model.line_labels, strict=True))
    of_label = {label: sum(p for line, p in figures.items() if labels[line] == label) for label in set(labels.values())}
    assert of_label == pytest.approx(dict(zip(model.labels, model.predict_proba([text])[0], strict=True)))
    assert sum(figures.values()) == pytest.approx(1)
    assert list(figures.values()) == sorted(figures.values(), reverse=True)


def test_without_lines_there_are_no_runners_up(two_class_model):
    assert explain(two_class_model, "data entry").lines == ()


def test_precedents_are_the_nearest_by_cosine(model, frame):
    # The oracle: the cosine of two vectors of the model, text by text.
    def cosine(one, other):
        first, second = model.vectorize(one), model.vectorize(other)
        shared = set(first.ids) & set(second.ids)
        figures = [dict(zip(v.ids, v.values, strict=True)) for v in (first, second)]
        return sum(figures[0][i] * figures[1][i] for i in shared)

    text = "review a contract and key the data"
    expected = sorted((cosine(text, other) for other in frame["text"]), reverse=True)[:3]
    found = find_precedents(model, text, read(frame), 3)
    assert [p.similarity for p in found] == pytest.approx(expected)
    rows = frame.set_index("text")
    assert all((p.label, p.service_line) == tuple(rows.loc[p.text, ["label", "service_line"]]) for p in found)


def test_a_text_is_no_precedent_of_itself_nor_are_strangers(model, frame):
    text = frame["text"].iloc[0]
    assert text not in [p.text for p in find_precedents(model, text.upper() + "!", read(frame), 99)]
    assert find_precedents(model, "€", read(frame)) == []
    assert next(terms("€"), None) is None


def test_precedents_of_data_without_lines_have_none(model, frame):
    data = read(pd.DataFrame(frame[["text", "label"]]))
    assert {p.service_line for p in find_precedents(model, "key invoices", data)} == {None}


def test_top_terms_add_what_a_text_of_the_term_alone_has_more(model, two_class_model):
    # The oracle: the model's own answers, to a text of one word that holds no known piece or pair.
    for judge in (model, two_class_model):
        bare = replace(judge, terms=[t if not t.startswith("~") else f"~{i}" for i, t in enumerate(judge.terms)])
        for label, ranked in top_terms(judge, n=5).items():
            assert ranked
            for term, figure in ranked:
                if " " not in term:
                    assert figure == pytest.approx(against(bare, label, term) - against(bare, label, ""))


def against(model, label, text):
    """Return the log-odds of a label against all others, before calibration."""
    plain = replace(model, calibration=uncalibrated(len(model.labels)))
    inside = plain.predict_proba([text])[0, model.labels.index(label)]
    return np.log(inside / (1 - inside))


def test_top_terms_are_words_and_pairs_strongest_first_for_each_label(model):
    found = top_terms(model, n=4)
    assert list(found) == ["BPO", "KPO", "NEITHER"]
    for ranked in found.values():
        figures = [figure for _, figure in ranked]
        assert figures == sorted(figures, reverse=True)
        assert 0 < len(ranked) <= 4
        assert not [term for term, _ in ranked if term.startswith("~")]
    assert "office" in dict(found["NEITHER"])
