import dataclasses

import numpy as np
import pytest

from models import random_model
from outsort.decision import REASONS, reasons

MODEL = dataclasses.replace(
    random_model(2, with_out_of_scope=False), threshold=0.7, mixed=0.3, about={"data": {"longest": 250}}
)
ANSWER = {
    "blank": False,
    "probability": 0.99,
    "n_words": 4,
    "n_known": 4,
    "n_terms": 30,
    "foreign": False,
    "share": 0.99,
    "disagreement": 0.0,
}


def reason(**changes):
    columns = {name: np.array([value]) for name, value in (ANSWER | changes).items()}
    return REASONS[reasons(**columns, model=MODEL)[0]]


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
        ({"probability": 0.69, "share": 0.69}, "low confidence"),
        ({"share": 0.69}, "partly other work"),
        ({"share": 0.7}, ""),
        ({"disagreement": 0.3, "share": 0.69}, "mixed"),
        ({"disagreement": 0.3}, "mixed"),
        ({"disagreement": 0.3, "probability": 0.69}, "mixed"),
        ({"disagreement": 0.3, "n_words": 501, "n_known": 400}, "mixed"),
        ({"disagreement": 0.29}, ""),
        ({"disagreement": 0.3, "n_words": 9, "n_known": 2}, "too little known text"),
        ({"probability": 0.69, "n_words": 9, "n_known": 2}, "too little known text"),
    ],
)
def test_the_first_reason_that_holds_is_given(changes, expected):
    assert reason(**changes) == expected
