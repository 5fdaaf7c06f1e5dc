import numpy as np
import pytest

from outsort.likeness import Profile, Tally, differences
from outsort.text import worded

USUAL = Profile(1000, 12.0, 0.04, 0.5, {"BPO": 0.5, "KPO": 0.4, "NEITHER": 0.1})


def found(**changes):
    return Profile(**{**vars(USUAL), "n_texts": 100, **changes})


def test_a_tally_adds_up_to_the_profile_of_all_texts():
    rng = np.random.default_rng(0)
    n_words = rng.integers(0, 9, 500)
    n_known = rng.integers(0, n_words + 1)
    label, reviewed = rng.integers(0, 3, 500), rng.random(500) < 0.3
    tally = Tally()
    for part in np.array_split(np.arange(500), 7):
        tally.add(label[part], n_words[part], n_known[part], reviewed[part], 3)
    profile = tally.profile(["a", "b", "c"])
    kept = n_words > 0
    assert profile.n_texts == kept.sum()
    assert profile.words == pytest.approx(n_words[kept].mean())
    assert profile.unknown == pytest.approx(1 - n_known.sum() / n_words.sum())
    assert profile.review == pytest.approx(reviewed[kept].mean())
    assert list(profile.labels.values()) == pytest.approx(np.bincount(label[kept], minlength=3) / kept.sum())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"unknown": 0.12, "words": 40.0, "review": 0.6}, []),
        ({"unknown": 0.31}, ["31% of words unknown (4%)"]),
        ({"words": 180.0}, ["180 words a text (12)"]),
        ({"words": 2.0}, ["2 words a text (12)"]),
        ({"labels": {"BPO": 0.9, "KPO": 0.08, "NEITHER": 0.02}}, ["90% BPO (50%)"]),
        ({"review": 0.7}, ["70% to review (50%)"]),
        ({"review": 0.9, "n_texts": 29}, []),
    ],
)
def test_what_differs_is_said_beside_what_was_measured(changes, said):
    assert differences(found(**changes), USUAL.to_dict()) == said


def test_without_a_promise_nothing_is_unlike_it():
    assert differences(found(unknown=0.9), {}) == []


@pytest.mark.slow
def test_what_training_measures_is_what_scoring_finds_on_rows_like_it(tasks_of_two_kinds):
    # The oracle: rows drawn like the training rows, which must look alike, and rows in another tongue, which must not.
    model, fresh, foreign = tasks_of_two_kinds
    from outsort.scoring.scorer import Scorer

    measured = model.about["decision"]["measured"]
    for texts, is_alike in ((fresh, True), (foreign, False)):
        tally = Tally()
        Scorer(model, workers=1).columns(texts, tally=tally)
        profile = tally.profile(model.labels)
        assert (not differences(profile, measured)) == is_alike
        if is_alike:
            assert profile.words == pytest.approx(np.mean([len(worded(text)) for text in texts]))
            assert profile.unknown == pytest.approx(measured["unknown"], abs=0.05)
            assert profile.labels["KPO"] == pytest.approx(measured["labels"]["KPO"], abs=0.1)


@pytest.fixture(scope="module")
def tasks_of_two_kinds():
    """Return a certified model, 300 texts like those it was trained on, and 300 unlike them."""
    import pandas as pd

    from outsort.training import folds, train

    rng = np.random.default_rng(0)
    # Zipf-like, so that some words of held-out rows are unknown.
    weights = 1 / np.arange(1, 3001)
    words = np.array([f"{a}{b}{c}" for a in "bcdfghjklm" for b in "aeiou" for c in "nprstvwxzbcdfghjklmq" * 3])[:3000]

    def texts(label, n):
        own = ["invoice", "payroll"] if label == "BPO" else ["valuation", "patent"]
        return [" ".join([*rng.choice(words, 8, p=weights / weights.sum()), *rng.choice(own, 2)]) for _ in range(n)]

    rows = [(text, label) for label in ("BPO", "KPO") for text in texts(label, 600)]
    model = train.train(pd.DataFrame(rows, columns=["text", "label"]), checks=folds.Checks(folds=3))
    fresh = texts("BPO", 150) + texts("KPO", 150)
    foreign = [" ".join(f"xq{i}{j}z" for j in range(10)) for i in range(300)]
    return model, fresh, foreign
