import numpy as np
import pytest

from outsort.model import UNCALIBRATED
from outsort.training.calibration import calibrate


def rows(n=20_000, seed=0):
    """Labels drawn from known lines of log-odds: intercepts 0.3 and -1, slopes 0.5 and 2."""
    rng = np.random.default_rng(seed)
    log_odds, neither = rng.normal(0, 2, size=(2, n))
    is_kpo = rng.random(n) < 1 / (1 + np.exp(-(0.3 + 0.5 * log_odds)))
    is_neither = rng.random(n) < 1 / (1 + np.exp(-(-1 + 2 * neither)))
    return np.where(is_neither, "NEITHER", np.where(is_kpo, "KPO", "BPO")), log_odds, neither


def test_the_lines_that_labels_were_drawn_from_are_found():
    labels, log_odds, neither = rows()
    found = calibrate(labels, log_odds, neither, np.ones(len(labels)))
    np.testing.assert_allclose(found, [[0.3, 0.5], [-1, 2]], atol=0.1)


def test_a_weight_counts_as_so_many_rows():
    labels, log_odds, neither = rows(400)
    weights = np.random.default_rng(1).integers(0, 4, 400)
    repeated = [np.repeat(column, weights) for column in (labels, log_odds, neither)]
    np.testing.assert_allclose(
        calibrate(labels, log_odds, neither, weights.astype(float)),
        calibrate(*repeated, np.ones(weights.sum())),
        atol=1e-3,
    )


@pytest.mark.parametrize("change", ["few", "backwards", "unknown"])
def test_rows_that_teach_no_line_leave_the_answers_alone(change):
    labels, log_odds, neither = rows(2_000)
    if change == "few":
        labels, log_odds, neither = labels[:40], log_odds[:40], neither[:40]
    elif change == "backwards":
        log_odds, neither = -log_odds, -neither
    else:
        log_odds, neither = -log_odds, np.full(len(labels), np.nan)
    np.testing.assert_array_equal(calibrate(labels, log_odds, neither, np.ones(len(labels))), UNCALIBRATED)
