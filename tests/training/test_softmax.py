"""The oracle of these tests is scikit-learn's logistic regression, run to its optimum."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from outsort.training.softmax import fit_softmax

OFTEN = {"passes": 1, "steps": 100_000, "seed": 0}


@pytest.fixture(scope="module")
def rows():
    """Sparse vectors of length 1, and targets that follow from them but for some noise."""
    rng = np.random.default_rng(0)
    vectors = normalize(sparse.random(300, 60, 0.2, "csr", random_state=0)).astype(np.float32)
    scores = vectors @ rng.normal(scale=8, size=(60, 4)) + [2, 0, 0, -1]
    return vectors, np.array(list("abcd"))[(scores + rng.gumbel(size=scores.shape)).argmax(axis=1)]


def penalised_loss(rows, c, weights, bias):
    vectors, targets = rows
    log_proba = log_softmax(vectors @ weights.T + bias, axis=1)
    of_targets = log_proba[np.arange(len(targets)), np.searchsorted(list("abcd"), targets)]
    return -c * of_targets.sum() + (weights**2).sum() / 2


@pytest.mark.parametrize("c", [0.1, 5, 100])
def test_it_comes_to_the_optimum_of_scikit_learn(rows, c):
    classes, weights, bias = fit_softmax(*rows, C=c, **OFTEN)
    theirs = LogisticRegression(C=c, tol=1e-8, max_iter=10_000).fit(*rows)
    assert classes == theirs.classes_.tolist()
    least = penalised_loss(rows, c, theirs.coef_, theirs.intercept_)
    assert least <= penalised_loss(rows, c, weights, bias) < 1.005 * least
    of_ours = np.exp(log_softmax(rows[0] @ weights.T + bias, axis=1))
    np.testing.assert_allclose(of_ours, theirs.predict_proba(rows[0]), atol=0.05)


def test_a_row_that_tells_nothing_is_to_get_every_class_as_often_as_it_comes(rows):
    vectors, targets = rows
    untold = normalize(sparse.random(40, 60, 0.2, "csr", random_state=1)).astype(np.float32)
    together = sparse.vstack([vectors, untold]).tocsr()
    classes, weights, bias = fit_softmax(together, [*targets, *[None] * 40], C=5, **OFTEN)
    names, counts = np.unique(targets, return_counts=True)
    theirs = LogisticRegression(C=5, tol=1e-8, max_iter=10_000).fit(
        sparse.vstack([vectors, *[untold] * len(names)]),
        [*targets, *np.repeat(names, 40)],
        [*np.ones(len(targets)), *np.repeat(counts / len(targets), 40)],
    )
    assert classes == theirs.classes_.tolist()
    of_ours = np.exp(log_softmax(together @ weights.T + bias, axis=1))
    np.testing.assert_allclose(of_ours, theirs.predict_proba(together), atol=0.05)


def test_the_length_of_the_vectors_does_not_unsettle_it(rows):
    # Weights ten times smaller, penalised a hundred times less, give the same loss.
    vectors, targets = rows
    _, weights, _ = fit_softmax(vectors, targets, C=5, **OFTEN)
    _, of_longer, _ = fit_softmax(vectors * np.float32(10), targets, C=0.05, **OFTEN)
    np.testing.assert_allclose(of_longer * 10, weights, atol=1e-3)


def test_few_rows_are_gone_through_more_often_than_the_passes_ask(rows):
    losses = [
        penalised_loss(rows, 5, *fit_softmax(*rows, C=5, passes=passes, steps=steps, seed=0)[1:])
        for passes, steps in ((1, 1), (1, 9_000), (30, 1))
    ]
    assert losses[1] == losses[2] < losses[0]


def test_a_strong_penalty_does_not_run_out_of_precision(rows):
    # The common factor of the weights falls to 0.001 many times over.
    _, weights, bias = fit_softmax(*rows, C=1e-3, **OFTEN)
    theirs = LogisticRegression(C=1e-3, tol=1e-8, max_iter=10_000).fit(*rows)
    np.testing.assert_allclose(weights, theirs.coef_, atol=1e-3)
    assert np.isfinite(bias).all()


def test_rows_without_a_term_leave_the_shares_of_the_classes():
    vectors = sparse.csr_matrix((4, 3), dtype=np.float32)
    _, weights, bias = fit_softmax(vectors, ["a", "a", "a", "b"], C=5, **OFTEN)
    assert not weights.any()
    np.testing.assert_allclose(np.exp(log_softmax(bias)), [0.75, 0.25], atol=0.01)


def test_the_same_seed_gives_the_same_weights_and_another_others(rows):
    (_, first, _), (_, same, _), (_, other, _) = (
        fit_softmax(*rows, C=5, passes=2, steps=1, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
