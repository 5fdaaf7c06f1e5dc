from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsort.data.dataset import read
from outsort.explanation import explain, find_precedents, top_terms
from outsort.prediction import default_model
from outsort.text import pairs, terms, words

known = st.sampled_from(
    ["data", "entry", "contract", "design", "review", "translate", "logo", "excel", "翻訳", "the", "of"]
)
any_texts = st.one_of(st.text(), st.lists(known, max_size=10).map(" ".join))


@given(any_text=any_texts)
@settings(deadline=None)
def test_contributions_bias_and_spread_add_up_to_the_log_odds(any_text):
    explanation = explain(default_model(), any_text)
    total = sum(explanation.contributions.values()) + explanation.bias + explanation.spread
    assert total == pytest.approx(default_model().decision_function([any_text])[0], abs=1e-9)


@given(any_text=any_texts)
@settings(deadline=None)
def test_without_lines_the_score_is_linear_and_has_no_spread(two_class_model, any_text):
    explanation = explain(two_class_model, any_text)
    assert explanation.spread == pytest.approx(0, abs=1e-12)
    assert explanation.bias == pytest.approx(two_class_model.decision_function([""])[0], abs=1e-9)


def test_reasons_are_words_and_pairs_of_the_text(model):
    text = "Key scanned invoices; key forms"
    in_order = words(text)
    assert set(explain(model, text).contributions) <= {*in_order, *pairs(in_order)}


def test_a_word_unknown_as_a_whole_gets_what_its_pieces_say(model):
    assert "translator" not in model.vocabulary
    assert explain(model, "translator").contributions["translator"] < 0


def test_a_word_speaks_for_the_label_of_its_rows(model):
    explanation = explain(model, "translate model")
    assert explanation.contributions["model"] > 0 > explanation.contributions["translate"]


def test_a_text_without_known_terms_is_its_bias_and_spread(model):
    explanation = explain(model, "€")
    assert explanation.contributions == {}
    assert explanation.log_odds == pytest.approx(explanation.bias + explanation.spread)
    assert np.isfinite(explanation.log_odds)


@given(any_text=any_texts)
@settings(deadline=None)
def test_shares_of_words_bias_and_spread_add_up_to_the_log_odds(any_text):
    explanation = explain(default_model(), any_text)
    total = sum(word.log_odds for word in explanation.words) + explanation.bias + explanation.spread
    assert total == pytest.approx(explanation.log_odds, abs=1e-6)


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
    p_neither, p_kpo = model.neither_proba([text])[0], model.predict_proba([text])[0, 1]
    assert of_label["NEITHER"] == pytest.approx(p_neither)
    assert of_label["KPO"] == pytest.approx((1 - p_neither) * p_kpo)
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
    p = model.line_proba([text])[0]
    inside = p[model.lines_of(label)].sum()
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
