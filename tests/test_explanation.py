import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsort.explanation import explain
from outsort.prediction import default_model
from outsort.text import pairs, words

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
