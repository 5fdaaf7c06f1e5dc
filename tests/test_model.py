"""The oracle of these tests is scikit-learn's own pipeline with the same terms."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from models import random_model
from outsort.errors import ModelError
from outsort.explanation import explain
from outsort.model import Model
from outsort.numeric import log_logistic, logsumexp
from outsort.text import clauses, terms
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
one_clause = any_texts.filter(lambda text: len(clauses(text)) == 1)


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
def line_scores():
    """Return a function from a text to scikit-learn's score of each line: its own plus its label's."""
    texts, lines, labels = zip(*TEXTS, strict=True)
    label_of = dict(zip(lines, labels, strict=True))
    by_line, by_label = reference(texts, lines), reference(texts, labels)

    def scores(any_text):
        of_label = dict(zip(by_label.classes_, by_label.decision_function([any_text])[0], strict=True))
        own = dict(zip(by_line.classes_, by_line.decision_function([any_text])[0], strict=True))
        return {line: score + of_label[label_of[line]] for line, score in own.items()}

    return scores


def label_scores(scores):
    """Roll scores of lines up to BPO, KPO and NEITHER."""
    lines = ("data_entry", "translation"), ("legal", "science"), ("cleaning",)
    return np.array([logsumexp(np.array([scores[line] for line in of_label])) for of_label in lines])


@given(any_text=one_clause)
def test_the_probabilities_of_one_clause_equal_those_of_scikit_learn(unpruned, line_scores, any_text):
    of_line = {line: np.exp(score) for line, score in line_scores(any_text).items()}
    expected = {line: odds / sum(of_line.values()) for line, odds in of_line.items()}
    assert dict(explain(unpruned, any_text).lines) == pytest.approx(expected, abs=1e-6)
    of_labels = np.exp(label_scores(line_scores(any_text)))
    np.testing.assert_allclose(unpruned.predict_proba([any_text])[0], of_labels / of_labels.sum(), rtol=0, atol=1e-6)


CALIBRATED = {
    "position": np.array([0.3, 0.8]),
    "later": np.array([0.5, -0.5, -0.2]),
    "calibration": np.array([[0.1, 0.4], [-0.1, 0.4], [0.7, 0.5]]),
}


@given(any_text=one_clause)
def test_log_odds_within_scope_are_those_of_scikit_learns_parts_calibrated(unpruned, line_scores, any_text):
    bpo, kpo, neither = label_scores(line_scores(any_text))
    log_proba = dataclasses.replace(unpruned, **CALIBRATED).predict_log_proba([any_text])[0]
    assert log_proba[0] - log_proba[1] == pytest.approx(0.2 + 0.4 * (bpo - kpo), abs=1e-5)
    out = 0.7 + 0.5 * (neither - np.log(np.exp(bpo) + np.exp(kpo)))
    assert log_proba[2] == pytest.approx(-np.log1p(np.exp(-out)), abs=1e-5)
    assert np.exp(log_proba).sum() == pytest.approx(1)


@given(parts=st.lists(st.lists(words_we_know, min_size=1, max_size=4).map(" ".join), min_size=2, max_size=6))
def test_a_text_is_the_weighted_mean_of_what_scikit_learn_says_of_its_clauses(unpruned, line_scores, parts):
    weights = [1 / (1 + np.exp(-(0.3 - 0.8 * np.log(rank)))) for rank in range(1, len(parts) + 1)]
    scores = np.array([label_scores(line_scores(part)) for part in parts])
    scores[1:] -= CALIBRATED["later"]
    expected = weights @ scores / sum(weights)
    raw = dataclasses.replace(unpruned, position=CALIBRATED["position"], later=CALIBRATED["later"])
    found = raw.predict_log_proba(["\n".join(parts)])[0]
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-5)


def test_what_a_clause_says_of_the_work_is_how_much_it_counts():
    # The oracle: the sums of the weights in the last column, term by term.
    model = random_model(3, with_out_of_scope=True)
    says = np.zeros(len(model.terms))
    for term, (start, stop) in enumerate(itertools.pairwise(model.indptr)):
        says[term] = model.weights[start:stop][model.indices[start:stop] == len(model.lines) + 3].sum()
    text = "Key the invoices.\nClean floor\nAudit data entry"
    logits = []
    for rank, clause in enumerate(text.splitlines(), 1):
        ids = sorted({model.vocabulary[term] for term in terms(clause) if term in model.vocabulary})
        values = model.idf[ids] / np.linalg.norm(model.idf[ids])
        logits.append(0.5 - 0.7 * np.log(rank) + values @ says[ids])
    weights = 1 / (1 + np.exp(-np.array(logits)))
    np.testing.assert_allclose(model.read(text).shares, weights / weights.sum(), rtol=1e-5)


@pytest.fixture(scope="module")
def two_class_pair():
    """Our model of two classes without lines, and scikit-learn's."""
    theirs = reference(OF_TWO_CLASSES["text"], OF_TWO_CLASSES["label"])
    return train.train(OF_TWO_CLASSES, checks=folds.Checks(folds=0), settings=UNPRUNED), theirs


@given(any_text=one_clause)
def test_a_model_without_lines_equals_scikit_learn_too(two_class_pair, any_text):
    ours, theirs = two_class_pair
    np.testing.assert_allclose(ours.predict_proba([any_text]), theirs.predict_proba([any_text]), rtol=0, atol=1e-6)


def test_answers_follow_scikit_learns_conventions(model):
    texts = ["key invoices", "draft a contract", ""]
    proba = model.predict_proba(texts)
    assert list(model.classes_) == ["BPO", "KPO", "NEITHER"]
    assert proba.shape == (3, 3)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert list(model.predict(texts)[:2]) == ["BPO", "KPO"]
    assert list(model.predict(iter(texts))) == list(model.predict(texts))
    assert list(model.predict(texts)) == [model.labels[i] for i in proba.argmax(axis=1)]
    np.testing.assert_allclose(np.exp(model.predict_log_proba(texts)), proba)


def test_the_label_out_of_scope_is_last_whatever_its_name():
    model = random_model(4, with_out_of_scope=True)
    assert model.labels == ("label 01", "label 02", "label 03", "label 00")
    assert model.n_in_scope == 3
    assert random_model(4, with_out_of_scope=False).labels == ("label 00", "label 01", "label 02", "label 03")


def test_no_texts_give_empty_arrays_of_the_right_shape(model):
    assert model.predict([]).shape == (0,)
    assert model.predict_proba([]).shape == (0, 3)
    assert model.predict_log_proba([]).shape == (0, 3)


def test_a_text_without_a_known_term_gets_the_prior(model):
    np.testing.assert_array_equal(model.predict_proba(["", "€€€", "ξξξ"]), model.predict_proba([""] * 3))


def test_a_tie_is_the_first_label(two_class_model):
    zeros = {name: np.zeros_like(getattr(two_class_model, name)) for name in ("weights", "bias")}
    even = dataclasses.replace(two_class_model, **zeros)
    assert even.predict(["anything"]) == ["BPO"]
    np.testing.assert_array_equal(even.predict_proba(["anything"]), [[0.5, 0.5]])


def test_a_model_without_a_label_out_of_scope_knows_its_labels_only(two_class_model):
    assert two_class_model.labels == ("BPO", "KPO")
    assert two_class_model.out_of_scope == ""
    assert not two_class_model.has_lines


def test_one_string_is_refused_rather_than_read_letter_by_letter(model):
    with pytest.raises(TypeError, match="got one string: put it in a list"):
        model.predict("key invoices")


def test_what_is_no_string_is_refused_with_its_place(model):
    with pytest.raises(TypeError, match="text 1 is nan, a float, not a string"):
        model.predict_proba(["key invoices", float("nan")])


def test_scores_do_not_overflow():
    np.testing.assert_array_equal(log_logistic(np.array([800.0, -800.0])), [0, -800])
    np.testing.assert_allclose(logsumexp(np.array([[1000.0, 1000.0]])), [1000 + np.log(2)])


def test_no_clause_can_count_for_nothing():
    # What all clauses of a text say may be so far from the work that their weights would all be 0.
    model = random_model(3, with_out_of_scope=True)
    for bias in (-1e6, 1e6):
        far = dataclasses.replace(model, position=np.array([bias, 0.0]))
        np.testing.assert_allclose(far.read("Key invoices.\nDraft a contract").shares, [0.5, 0.5])


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
        ({"line_labels": ("BPO", "BPO")}, "its lines do not have two labels or more"),
        ({"out_of_scope": "NEITHER"}, "the label for what is out of scope has no line"),
        ({"position": np.zeros(3)}, "its position is not 2 numbers"),
        ({"position": np.array([0.0, -1.0])}, "its later clauses count more than the first"),
        ({"later": np.array([0.0, np.nan])}, "its later is not 2 numbers"),
        ({"calibration": np.ones((3, 2))}, "its calibration is not 2 by 2 numbers"),
        ({"calibration": np.array([[0.0, 1.0], [0.0, 0.0]])}, "a slope of its calibration is not positive"),
        ({"threshold": 1.5}, "its threshold is not between 0 and 1"),
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
