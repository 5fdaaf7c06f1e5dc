"""The oracle of these tests is scikit-learn's own pipeline with the same terms."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from outsort.errors import ModelError
from outsort.model import Model
from outsort.numeric import logsumexp, odds_to_proba
from outsort.text import terms
from outsort.training import fitting, folds, train
from outsort.training.softmax import fit_softmax

TEXTS = [
    ("key invoices into the ledger", "data_entry", "BPO"),
    ("key survey forms, 500 a day", "data_entry", "BPO"),
    ("translate the contract ünd 翻訳", "translation", "BPO"),
    ("translate survey forms émigré", "translation", "BPO"),
    ("draft the contract", "legal", "KPO"),
    ("draft a survey of contract law 翻訳", "legal", "KPO"),
    ("model the ledger with R", "science", "KPO"),
    ("model of 500 survey forms", "science", "KPO"),
    ("clean the floors", "cleaning", "NEITHER"),
    ("clean the 500 windows a day", "cleaning", "NEITHER"),
]
UNPRUNED = fitting.Settings(prune=0, piece_share=1, ratio_power=0, bayes_share=0)
OF_TWO_CLASSES = pd.DataFrame(
    [(text, label) for text, _, label in TEXTS if label != "NEITHER"], columns=["text", "label"]
)

words_we_know = st.sampled_from([word for text, _, _ in TEXTS for word in text.split()])
any_texts = st.one_of(st.text(), st.lists(st.one_of(words_we_know, st.text(max_size=5)), max_size=12).map(" ".join))


class Softmax(LogisticRegression):
    """scikit-learn's, with the weights of our solver, which tests/test_softmax.py holds to scikit-learn's."""

    def fit(self, vectors, targets):
        classes, weights, bias = fit_softmax(
            vectors, targets, C=UNPRUNED.C, passes=UNPRUNED.passes, steps=UNPRUNED.steps, seed=UNPRUNED.seed
        )
        self.classes_ = np.array(classes)
        if len(classes) == 2:
            # It holds the log-odds of the second of two classes.
            weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
        self.coef_, self.intercept_ = weights, bias
        return self


def reference(texts, targets):
    """Return scikit-learn's pipeline, fitted to some texts with the settings of UNPRUNED."""
    vectorizer = TfidfVectorizer(analyzer=terms, binary=True, min_df=2, dtype=np.float32)
    return make_pipeline(vectorizer, Softmax()).fit(texts, targets)


@pytest.fixture(scope="module")
def unpruned():
    frame = pd.DataFrame(TEXTS, columns=["text", "service_line", "label"])
    return train.train(frame, checks=folds.Checks(folds=0), settings=UNPRUNED)


@pytest.fixture(scope="module")
def line_proba():
    """Return a function from a text to the probability of each line: its own score plus its label's."""
    texts, lines, labels = zip(*TEXTS, strict=True)
    label_of = dict(zip(lines, labels, strict=True))
    by_line, by_label = reference(texts, lines), reference(texts, labels)

    def proba(any_text):
        of_label = dict(zip(by_label.classes_, by_label.decision_function([any_text])[0], strict=True))
        own = dict(zip(by_line.classes_, by_line.decision_function([any_text])[0], strict=True))
        odds = {line: np.exp(score + of_label[label_of[line]]) for line, score in own.items()}
        return {line: odd / sum(odds.values()) for line, odd in odds.items()}

    return proba


@given(any_text=any_texts)
@settings(deadline=None)
def test_line_probabilities_equal_those_of_scikit_learn_on_any_text(unpruned, line_proba, any_text):
    expected = line_proba(any_text)
    np.testing.assert_allclose(
        unpruned.line_proba([any_text])[0], [expected[line] for line in unpruned.lines], rtol=0, atol=1e-6
    )


@given(any_text=any_texts)
@settings(deadline=None)
def test_label_probabilities_are_the_sums_over_the_lines(unpruned, line_proba, any_text):
    line = line_proba(any_text)
    bpo, kpo = line["data_entry"] + line["translation"], line["legal"] + line["science"]
    np.testing.assert_allclose(
        unpruned.predict_proba([any_text]), [[bpo / (bpo + kpo), kpo / (bpo + kpo)]], rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(unpruned.neither_proba([any_text]), line["cleaning"], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def two_class_pair():
    """Our model of two classes without lines, and scikit-learn's."""
    theirs = reference(OF_TWO_CLASSES["text"], OF_TWO_CLASSES["label"])
    return train.train(OF_TWO_CLASSES, checks=folds.Checks(folds=0), settings=UNPRUNED), theirs


@given(any_text=any_texts)
@settings(deadline=None)
def test_a_model_without_lines_equals_scikit_learn_too(two_class_pair, any_text):
    ours, theirs = two_class_pair
    np.testing.assert_allclose(ours.predict_proba([any_text]), theirs.predict_proba([any_text]), rtol=0, atol=1e-6)


def test_answers_follow_scikit_learns_conventions(model):
    texts = ["key invoices", "draft a contract", ""]
    proba = model.predict_proba(texts)
    assert list(model.classes_) == ["BPO", "KPO"]
    assert proba.shape == (3, 2)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert list(model.predict(texts)[:2]) == ["BPO", "KPO"]
    assert list(model.predict(iter(texts))) == list(model.predict(texts))
    assert ((model.decision_function(texts) > 0) == (proba[:, 1] > 0.5)).all()


def test_no_texts_give_empty_arrays_of_the_right_shape(model):
    assert model.predict([]).shape == (0,)
    assert model.predict_proba([]).shape == (0, 2)
    assert model.line_proba([]).shape == (0, len(model.lines))


def test_a_text_without_a_known_term_gets_the_prior(model):
    np.testing.assert_array_equal(model.predict_proba(["", "€€€", "ξξξ"]), model.predict_proba([""] * 3))


def test_a_tie_is_bpo(model):
    even = dataclasses.replace(model, weights=np.zeros_like(model.weights), bias=np.zeros_like(model.bias))
    assert even.predict(["anything"]) == ["BPO"]
    np.testing.assert_array_equal(even.predict_proba(["anything"]), [[0.5, 0.5]])


def test_neither_is_not_a_number_where_the_model_never_saw_it(two_class_model):
    assert not two_class_model.knows_neither
    assert not two_class_model.has_lines
    assert np.isnan(two_class_model.neither_proba(["clean the office"])).all()


def test_one_string_is_refused_rather_than_read_letter_by_letter(model):
    with pytest.raises(TypeError, match="got one string: put it in a list"):
        model.predict("key invoices")


def test_what_is_no_string_is_refused_with_its_place(model):
    with pytest.raises(TypeError, match="text 1 is nan, a float, not a string"):
        model.predict_proba(["key invoices", float("nan")])


def test_scores_do_not_overflow():
    np.testing.assert_array_equal(odds_to_proba(np.array([800.0, -800.0])), [[0, 1], [1, 0]])
    np.testing.assert_allclose(logsumexp(np.array([[1000.0, 1000.0]])), [1000 + np.log(2)])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"idf": np.zeros(2, np.float32)}, "idf does not match terms"),
        ({"idf": np.ones(2)}, "idf is not a one-dimensional array of float32"),
        ({"weights": np.array([1, np.inf, 1], np.float32)}, "weights contains a number that is not finite"),
        ({"indptr": np.array([0, 3, 2], np.int32)}, "indptr does not match"),
        ({"indices": np.array([0, 1, 5], np.int16)}, "indices do not match"),
        ({"bias": np.zeros(3, np.float32)}, "bias does not match lines"),
        ({"terms": ["a", "a"]}, "a term occurs twice"),
        ({"terms": []}, "it has no terms"),
        ({"lines": ("x", "x")}, "a service line occurs twice"),
        ({"line_labels": ("BPO", "BPO")}, "the labels of its lines"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(change, complaint):
    fitting = {
        "terms": ["a", "b"],
        "idf": np.ones(2, np.float32),
        "indptr": np.array([0, 1, 3], np.int32),
        "indices": np.array([0, 0, 1], np.int16),
        "weights": np.ones(3, np.float32),
        "bias": np.zeros(2, np.float32),
        "lines": ("x", "y"),
        "line_labels": ("BPO", "KPO"),
    }
    assert Model(**fitting).predict(["b"]) == ["BPO"]
    with pytest.raises(ModelError, match=complaint):
        Model(**fitting | change)


def test_its_repr_is_one_line_that_identifies_it(model, two_class_model):
    assert repr(model) == (
        f"Model(5 service lines, 3 labels, {len(model.terms):,} terms, fingerprint {model.fingerprint!r})"
    )
    assert repr(two_class_model).startswith("Model(2 labels, ")
