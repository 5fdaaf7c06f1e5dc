import numpy as np
import pytest

from outsort.decision import REASONS, reasons


def reason(**changes):
    answer = {"blank": False, "probability": 0.99, "n_words": 4, "n_known": 4, "n_terms": 30, "foreign": False}
    columns = {name: np.array([value]) for name, value in (answer | changes).items()}
    return REASONS[reasons(**columns, threshold=0.7, longest=500)[0]]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"blank": True, "n_words": 0, "n_known": 0, "n_terms": 0}, "empty"),
        ({"n_words": 0, "n_known": 0, "n_terms": 3}, "no words"),
        ({"n_known": 0, "n_terms": 0}, "no known term"),
        ({"n_words": 9, "n_known": 2, "foreign": True}, "another language"),
        ({"n_words": 9, "n_known": 0, "n_terms": 0, "foreign": True}, "another language"),
        ({"n_words": 1, "n_known": 1}, "too few words"),
        ({"n_words": 1, "n_known": 0}, "too few words"),
        ({"n_words": 1, "n_known": 0, "n_terms": 0}, "no known term"),
        ({"n_words": 2, "n_known": 2}, ""),
        ({"n_words": 500, "n_known": 400}, ""),
        ({"n_words": 501, "n_known": 400, "probability": 0.6}, "too long"),
        ({"n_words": 9, "n_known": 2}, "too little known text"),
        ({"n_words": 8, "n_known": 2}, ""),
        ({"probability": 0.7}, ""),
        ({"probability": 0.69}, "low confidence"),
        ({"probability": 0.69, "n_words": 9, "n_known": 2}, "too little known text"),
    ],
)
def test_the_first_reason_that_holds_is_given(changes, expected):
    assert reason(**changes) == expected
