"""The oracles: scikit-learn's logistic regression, and the figures that rows were drawn with."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from outsort.model import log_proba, uncalibrated
from outsort.training.calibration import calibrate

#: Of labels a, b and c in scope: intercepts, and one slope. Of the label out of scope: its own line.
CALIBRATION = np.array([[0.4, 0.6], [-0.6, 0.6], [0.2, 0.6], [-0.5, 1.5]])
LATER = np.array([0.8, -0.5, -0.3, 0.7])


def rows(n=20_000, seed=0, share_of_long=0.0):
    """Return labels drawn from a calibrated model of four labels, its scores, and the shares of later clauses."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, size=(n, 4))
    later_shares = np.where(rng.random(n) < share_of_long, rng.uniform(0.2, 0.9, n), 0)
    proba = np.exp(log_proba(scores - later_shares[:, None] * LATER, CALIBRATION, 3))
    codes = (proba.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).astype(np.intp)
    return codes, scores, later_shares


def test_the_figures_that_labels_were_drawn_with_are_found():
    codes, scores, later_shares = rows(40_000, share_of_long=0.5)
    calibration, later = calibrate(codes, scores, later_shares, np.ones(len(codes)), 3)
    # Only differences between the labels in scope count.
    calibration[:3, 0] -= calibration[:3, 0].mean()
    np.testing.assert_allclose(calibration, CALIBRATION, atol=0.1)
    within = later[:3] - later[:3].mean()
    np.testing.assert_allclose([*within, later[3] - (later[:3].mean())], LATER, atol=0.2)


def test_of_two_labels_it_is_the_curve_of_platt():
    codes, scores, later_shares = rows()
    kept = codes < 2
    codes, scores = codes[kept], scores[kept, :2]
    found, later = calibrate(codes, scores, later_shares[kept], np.ones(len(codes)), 2)
    log_odds = scores[:, 1] - scores[:, 0]
    theirs = LogisticRegression(C=1e9, tol=1e-9).fit(log_odds[:, None], codes)
    np.testing.assert_allclose(found[:, 1], theirs.coef_[0, 0], rtol=1e-3)
    assert found[1, 0] - found[0, 0] == pytest.approx(theirs.intercept_[0], abs=1e-3)
    assert not later.any()


def test_what_is_out_of_scope_has_a_curve_of_platt_of_its_own():
    codes, scores, later_shares = rows()
    found, _ = calibrate(codes, scores, later_shares, np.ones(len(codes)), 3)
    against = scores[:, 3] - np.log(np.exp(scores[:, :3]).sum(axis=1))
    theirs = LogisticRegression(C=1e9, tol=1e-9).fit(against[:, None], codes == 3)
    np.testing.assert_allclose(found[3], [theirs.intercept_[0], theirs.coef_[0, 0]], atol=2e-3)


@pytest.mark.slow
def test_of_more_labels_it_is_the_conditional_logit():
    # Multinomial logistic regression is a conditional logit when pairs of labels are compared: the chosen label
    # against each other one has the probability of a two-way choice (independence of irrelevant alternatives).
    codes, scores, later_shares = rows(60_000)
    kept = codes < 3
    codes, scores = codes[kept], scores[kept, :3]
    found, _ = calibrate(codes, scores, later_shares[kept], np.ones(len(codes)), 3)
    for first, second in ((0, 1), (1, 2), (0, 2)):
        pair = (codes == first) | (codes == second)
        difference = scores[pair, second] - scores[pair, first]
        theirs = LogisticRegression(C=1e9, tol=1e-9).fit(difference[:, None], codes[pair] == second)
        assert found[0, 1] == pytest.approx(theirs.coef_[0, 0], abs=0.02)
        assert found[second, 0] - found[first, 0] == pytest.approx(theirs.intercept_[0], abs=0.06)


def test_no_other_figures_are_likelier():
    # Brute force: a step in any direction lowers the likelihood of the rows.
    codes, scores, later_shares = rows(3_000)
    found, _ = calibrate(codes, scores, later_shares, np.ones(len(codes)), 3)

    def likelihood(calibration):
        return log_proba(scores, calibration, 3)[np.arange(len(codes)), codes].mean()

    best = likelihood(found)
    steps = [np.zeros((4, 2)) for _ in range(6)]
    for label in range(4):
        steps[label][label, 0] = 0.02
    steps[4][:3, 1] = 0.02
    steps[5][3, 1] = 0.02
    assert max(likelihood(found + sign * step) for step in steps for sign in (1, -1)) < best


def test_a_weight_counts_as_so_many_rows():
    codes, scores, later_shares = rows(1_000, share_of_long=0.4)
    weights = np.random.default_rng(1).integers(0, 4, 1_000)
    repeated = [np.repeat(column, weights, axis=0) for column in (codes, scores, later_shares)]
    of_weights = calibrate(codes, scores, later_shares, weights.astype(float), 3)
    for ours, theirs in zip(of_weights, calibrate(*repeated, np.ones(weights.sum()), 3), strict=True):
        # Only what is assumed of the slope counts a little more beside fewer rows.
        np.testing.assert_allclose(ours, theirs, atol=4e-3)


@pytest.mark.parametrize("change", ["few", "backwards"])
def test_rows_that_teach_no_line_leave_the_answers_alone(change):
    codes, scores, later_shares = rows(2_000)
    if change == "few":
        codes, scores, later_shares = codes[:29], scores[:29], later_shares[:29]
    else:
        scores = -scores
    calibration, later = calibrate(codes, scores, later_shares, np.ones(len(codes)), 3)
    np.testing.assert_array_equal(calibration, uncalibrated(4))
    np.testing.assert_array_equal(later, np.zeros(4))


def test_a_rare_label_is_left_alone_and_the_others_are_calibrated():
    codes, scores, later_shares = rows()
    kept = (codes != 2) | (np.cumsum(codes == 2) <= 20)
    found, _ = calibrate(codes[kept], scores[kept], later_shares[kept], np.ones(kept.sum()), 3)
    assert found[2, 0] == 0
    assert found[0, 0] - found[1, 0] == pytest.approx(1, abs=0.15)


def test_of_many_labels_with_few_rows_each_the_slope_is_fitted_to_all():
    # Twenty labels of some twelve rows: none has enough for an intercept. The scores are three times too high.
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(240, 20))
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    drawn = (np.exp(logits).cumsum(axis=1) < rng.random(240)[:, None]).sum(axis=1)
    codes = np.minimum(drawn, 19)
    calibration, later = calibrate(codes, 3 * logits, np.zeros(240), np.ones(240), 20)
    np.testing.assert_array_equal(calibration[:, 0], 0)
    np.testing.assert_allclose(calibration[:, 1], 1 / 3, atol=0.06)
    assert not later.any()


@pytest.mark.parametrize("n", [30, 60, 300])
def test_few_rows_without_a_mistake_raise_the_slope_little(n):
    codes = np.arange(n) % 2
    calibration, _ = calibrate(codes, 3.0 * np.eye(2)[codes], np.zeros(n), np.ones(n), 2)
    assert 1 < calibration[0, 1] < 2.5


def test_labels_without_a_mistake_have_an_end():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 300)
    scores = 5.0 * np.eye(3)[codes] + rng.normal(size=(300, 3)) * 0.1
    found, later = calibrate(codes, scores, np.zeros(300), np.ones(300), 2)
    assert np.isfinite(found).all()
    assert (found[:, 1] > 0).all()
    assert np.isfinite(later).all()
