import numpy as np
import pytest
from scipy.optimize import minimize

from models import random_model
from outsort.mixture import PRIOR_CLAUSES, disagreement, mixture, sharpened

PRIOR = np.array([0.4, 0.35, 0.25])


def clauses(n, seed, n_labels=3):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(n_labels, 0.6), n), rng.uniform(0.1, 1, n), rng.integers(1, 30, n).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_those_of_the_likeliest_frequencies(seed):
    # The oracle: SciPy maximises what expectation maximisation does.
    proba, says, n_words = clauses(12, seed)
    sharp = sharpened(proba)

    def loss(logits):
        frequencies = np.exp(logits - np.logaddexp.reduce(logits))
        of_clauses = says @ np.log(sharp @ (frequencies / PRIOR))
        return -of_clauses - PRIOR_CLAUSES * PRIOR @ np.log(frequencies)

    found = minimize(loss, np.zeros(3), tol=1e-12).x
    given = sharp * np.exp(found - np.logaddexp.reduce(found)) / PRIOR
    given /= given.sum(axis=1, keepdims=True)
    parts = says * n_words / (says @ n_words)
    np.testing.assert_allclose(mixture(proba, says, n_words, PRIOR, 2).shares, parts @ given, atol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_disagreement_is_what_doubt_does_not_explain(seed):
    # The oracle: pairs of clauses drawn by their weights, each given a label in scope by its probabilities, and one
    # clause given a label twice.
    proba, says, _ = clauses(4, seed)
    inside = proba[:, :2].sum(axis=1)
    weights = np.minimum(says / 0.25, 1) * inside
    rng = np.random.default_rng(seed)
    first, second = rng.choice(4, (2, 400_000), p=weights / weights.sum())
    second_label = (proba[:, 1] / inside)[:, None]

    def drawn(places):
        return rng.random(len(places)) < second_label[places, 0]

    apart, alone = (drawn(first) != drawn(second)).mean(), (drawn(first) != drawn(first)).mean()
    assert disagreement(proba, says, 2) == pytest.approx(apart - alone, abs=0.005)


def test_clauses_that_are_sure_of_one_label_make_the_text_surer_than_each_is():
    proba = np.tile([0.8, 0.1, 0.1], (20, 1))
    found = mixture(proba, np.ones(20), np.ones(20), PRIOR, 2)
    assert found.shares[0] > 0.95
    assert found.margin < 0.1
    assert found.disagreement == pytest.approx(0, abs=1e-12)


def test_a_text_of_one_clause_is_made_of_its_probabilities():
    proba = np.array([[0.7, 0.2, 0.1]])
    found = mixture(proba, np.array([1e-9]), np.zeros(1), PRIOR, 2)
    np.testing.assert_allclose(found.shares, proba[0])
    assert found.margin > 0.5


def test_boilerplate_and_few_words_have_little_share():
    proba = np.array([[0.98, 0.01, 0.01], [0.01, 0.98, 0.01]])
    shares = mixture(proba, np.array([0.9, 0.01]), np.array([5.0, 5.0]), PRIOR, 2).shares
    assert shares[1] < 0.05
    assert mixture(proba, np.ones(2), np.array([1.0, 9.0]), PRIOR, 2).shares[1] == pytest.approx(0.9, abs=0.02)


def test_the_words_of_clauses_are_those_with_a_letter():
    model = random_model(3, with_out_of_scope=True)
    text = "Key invoices. 1 2 3 4 5 6 7 8 9. Draft contract"
    found, without = (model.mixture(t, model.read(t)) for t in (text, text.replace("1 2 3 4 5 6 7 8 9", "1")))
    np.testing.assert_allclose(found.shares, without.shares, atol=0.02)
