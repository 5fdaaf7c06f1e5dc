"""Agreement of two reviewers: against scikit-learn, and published tables."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from outsort.improving.agreement import agreement, cohen_kappa
from outsort.labels import LABELS


def test_kappa_and_its_interval_are_those_that_sas_prints():
    # The FREQ procedure on a table of two raters that the tests of statsmodels quote.
    result = cohen_kappa(np.array([[0, 4, 1], [0, 8, 0], [0, 1, 5]]))
    assert [result.kappa, *result.interval] == pytest.approx([0.4842, 0.2137, 0.7547], abs=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn_over_all_and_for_each_answer(seed):
    rng = np.random.default_rng(seed)
    first = rng.choice(LABELS, 60)
    second = np.where(rng.random(60) < 0.6, first, rng.choice(LABELS, 60))
    result = agreement(first.tolist(), second.tolist())
    assert result.kappa == pytest.approx(cohen_kappa_score(first, second))
    assert (result.n, result.agreed) == (60, (first == second).sum())
    for on in result.answers:
        assert on.kappa == pytest.approx(cohen_kappa_score(first == on.answer, second == on.answer))
        assert (on.first, on.second) == ((first == on.answer).sum(), (second == on.answer).sum())
        assert on.both == ((first == on.answer) & (second == on.answer)).sum()


def test_the_interval_covers_the_kappa_that_many_texts_have():
    # Two reviewers who each err on one text of five; of a hundred texts the interval covers in 95 of 100 cases.
    rng = np.random.default_rng(0)

    def answers(n):
        truth = rng.integers(3, size=n)
        return [np.where(rng.random(n) < 0.8, truth, rng.integers(3, size=n)) for _ in range(2)]

    true = cohen_kappa_score(*answers(400_000))
    covered = 0
    for _ in range(400):
        low, high = agreement(*(of.astype(str).tolist() for of in answers(100))).interval
        covered += low <= true <= high
    assert 0.92 < covered / 400 < 0.98


def test_no_one_can_be_right_more_often_than_the_bound():
    # Whatever the truth is, the two are right at most so often on average.
    rng = np.random.default_rng(1)
    first, second = rng.choice(LABELS, (2, 50))
    result = agreement(first.tolist(), second.tolist())
    best = max(
        np.mean([(truth == first).mean(), (truth == second).mean()])
        for truth in (first, second, *rng.choice(LABELS, (200, 50)))
    )
    assert best == pytest.approx(result.most)
    assert result.most_interval[0] < result.most < result.most_interval[1]


def test_what_chance_brings_has_no_kappa():
    result = agreement(["BPO"] * 5, ["BPO"] * 5)
    assert (result.kappa, result.interval, result.most) == (None, None, 1)
    assert agreement([], []) is None
