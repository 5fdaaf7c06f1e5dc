import dataclasses

import numpy as np
import pytest

from models import random_model
from outsort.mixture import disagreement, sharpened
from outsort.model import clause_shares, uncalibrated
from outsort.training.mixing import FALSE_ALARMS, mixed_level

MODEL = dataclasses.replace(
    random_model(3, with_out_of_scope=True), threshold=0.8, later=np.zeros(3), calibration=uncalibrated(3)
)


def held_out(n, seed):
    """Return the labels and scores of rows of which about a tenth are answered wrong."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n)
    scores = rng.normal(scale=1.5, size=(n, 3)) + 3.5 * np.eye(3)[codes]
    return codes, np.column_stack([scores, np.zeros(n)])


def test_few_accepted_pairs_of_one_label_are_called_mixed_and_most_of_two():
    level = mixed_level(MODEL, *held_out(4_000, 0), seed=0)
    codes, raw = held_out(4_000, 1)
    rng = np.random.default_rng(2)
    first, second = rng.choice(np.flatnonzero(codes < 2), (2, 60_000))
    shares = clause_shares(np.zeros(2), MODEL.position)
    joined = shares[0] * raw[first, :3] + shares[1] * raw[second, :3]
    accepted = np.exp(MODEL.log_proba(joined)).max(axis=1) >= 0.8
    proba = np.exp(np.stack([MODEL.log_proba(raw[places, :3]) for places in (first, second)], axis=1))
    is_mixed = disagreement(sharpened(proba), np.ones(proba.shape[:2]), 2) >= level
    is_same = codes[first] == codes[second]
    assert is_mixed[is_same & accepted].mean() == pytest.approx(FALSE_ALARMS, abs=0.005)
    assert is_mixed[~is_same].mean() > 0.7


def test_rows_of_several_clauses_or_not_held_out_are_left_alone():
    codes, raw = held_out(4_000, 0)
    others = raw + np.array([9.0, 0, 0, 0.5])
    others[::2] = np.nan
    both = np.concatenate([codes, codes]), np.concatenate([raw, others])
    assert mixed_level(MODEL, *both, seed=0) == pytest.approx(mixed_level(MODEL, codes, raw, seed=0), abs=0.03)


@pytest.mark.parametrize("n", [0, 1, 20])
def test_with_too_few_rows_the_level_stays(n):
    assert mixed_level(dataclasses.replace(MODEL, threshold=1.0), *held_out(n, 0), seed=0) == MODEL.mixed
