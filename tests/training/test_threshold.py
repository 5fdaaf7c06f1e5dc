import numpy as np
import pytest
from scipy.stats import binom, binomtest

from outsort.training.threshold import certify, lower_bound, rows_to_accept


@pytest.mark.parametrize(("n_right", "n"), [(0, 20), (19, 20), (20, 20), (950, 1000)])
def test_the_bound_is_the_exact_one_of_scipy(n_right, n):
    expected = binomtest(n_right, n).proportion_ci(0.9, "exact").low
    assert lower_bound(np.array([n_right]), np.array([n]), 0.05)[0] == pytest.approx(expected)


def draw(rng, n):
    """Confidences that mean what they say: from threshold t on, (1 + t) / 2 are right."""
    confidence = rng.uniform(0.5, 1, n)
    return confidence, rng.random(n) < confidence


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 2000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_promise_is_kept_in_nine_of_ten_draws(n, weighted):
    rng = np.random.default_rng(0)
    broken = certified = 0
    for _ in range(1000):
        weights = rng.uniform(0.5, 1, n) if weighted else None
        found = certify(*draw(rng, n), target=0.85, level=0.9, weights=weights)
        certified += found.coverage > 0
        broken += found.coverage > 0 and (1 + found.threshold) / 2 < 0.85
    assert broken <= 100
    assert certified > (900 if n == 2000 else 250)


@pytest.mark.slow
def test_answers_just_below_the_target_are_certified_in_at_most_one_draw_of_ten(monkeypatch):
    # Confidence says nothing here, so any threshold breaks the promise. Divided among
    # the four searches, which overlap, the error of one draw in ten is not used up: 5 % break it.
    monkeypatch.setattr("outsort.training.threshold._rows_wanted", lambda *_: -1)  # takes most of the time
    rng = np.random.default_rng(0)
    n_draws = 2000
    broken = sum(
        certify(rng.random(300), rng.random(300) < 0.899, target=0.9, level=0.9).coverage > 0 for _ in range(n_draws)
    )
    assert 0.03 * n_draws < broken <= 0.1 * n_draws


@pytest.mark.parametrize(("n_rows", "n_searches"), [(100, 1), (200, 2), (300, 3), (5000, 4)])
def test_the_errors_of_the_searches_add_up_to_the_permitted_one(n_rows, n_searches):
    # The oracle: a bound of Clopper and Pearson is the share at which as many right answers, or more, have
    # the probability of the error it was made with.
    only_the_surest_are_right = np.arange(n_rows) < 60
    only_the_surest_are_wrong = np.arange(n_rows) >= 3
    errors = []
    # A single search, from the surest, has no use for them.
    for correct in (only_the_surest_are_right, only_the_surest_are_wrong)[: min(n_searches, 2)]:
        found = certify(np.linspace(1, 0.5, n_rows), correct, target=0.9, level=0.9)
        n_accepted = round(found.coverage * n_rows)
        n_right = round(found.precision * n_accepted)
        errors.append(binom.sf(n_right - 1, n_accepted, found.bound))
    assert n_searches * np.array(errors) == pytest.approx(0.1)


def test_accepted_rows_are_those_from_the_threshold_on():
    confidence, correct = draw(np.random.default_rng(1), 5000)
    confidence = confidence.round(2)
    found = certify(confidence, correct, 0.9, 0.9)
    accepted = confidence >= found.threshold
    assert found.coverage == accepted.mean()
    assert found.precision == correct[accepted].mean() >= found.bound >= 0.9


@pytest.mark.slow
def test_as_many_more_rows_as_it_says_are_about_enough():
    rng = np.random.default_rng(2)
    few = [certify(*draw(rng, 150), target=0.9, level=0.9) for _ in range(30)]
    wanted = [c.n_more for c in few if 0 < c.n_more < 5000]
    assert len(wanted) > 10
    certified = [certify(*draw(rng, 150 + n), target=0.9, level=0.9).coverage > 0 for n in wanted for _ in range(9)]
    assert np.mean(certified) > 0.5


def test_answers_never_as_good_as_the_target_say_that_no_rows_would_do():
    rng = np.random.default_rng(3)
    found = certify(rng.uniform(0.5, 1, 1000), rng.random(1000) < 0.6, 0.95, 0.9)
    assert (found.coverage, found.n_more) == (0, -1)


def test_no_rows_certify_nothing():
    assert certify(np.empty(0), np.empty(0, bool), 0.95, 0.9).n_more == -1


@pytest.mark.parametrize("number", [0, 1, 1.5])
def test_a_target_or_level_out_of_range_is_refused(number):
    for target, level in ((number, 0.9), (0.9, number)):
        with pytest.raises(ValueError, match="choose between 0 and 1"):
            certify(np.array([0.9]), np.array([True]), target, level)


@pytest.mark.parametrize("seed", range(5))
def test_what_could_be_accepted_is_the_most_that_was_right_often_enough(seed):
    confidence, correct = draw(np.random.default_rng(seed), 400)
    n_right = np.cumsum(correct[np.argsort(-confidence)])
    most = max(n for n in range(1, 401) if n_right[n - 1] > 0.9 * (n + 1))
    share, n_rows = rows_to_accept(confidence, correct, 0.9, 0.9)
    # Candidates are a fiftieth apart, or two where the next is just not right often enough.
    assert most / 1.04 - 1 <= share * 400 <= most
    # So many rows, with as many mistakes, do certify it.
    n_accepted = int(share * n_rows)
    of_these = int(n_right[round(share * 400) - 1] / (share * 400 + 1) * n_accepted)
    assert lower_bound(np.array([of_these]), np.array([n_accepted]), 0.1 / 4)[0] >= 0.9


def test_answers_that_are_never_accepted_count_among_the_rows_only():
    confidence = np.where(np.arange(200) % 2, 0.0, np.linspace(1, 0.5, 200))
    found = certify(confidence, np.ones(200, bool), target=0.9, level=0.9)
    assert found.threshold >= 0.5
    assert 0.48 < found.coverage <= 0.5
    assert rows_to_accept(confidence, np.ones(200, bool), 0.9, 0.9)[0] == pytest.approx(0.5, abs=0.01)


def test_nothing_could_be_accepted_where_the_surest_are_wrong():
    assert rows_to_accept(np.linspace(1, 0.5, 50), np.zeros(50, bool), 0.9, 0.9) == (0.0, -1)
