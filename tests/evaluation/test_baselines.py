"""Answers that need no model."""

import re
from pathlib import Path

import numpy as np
import pytest

from outsort.evaluation.baselines import NAMED, baselines, by_words

GUIDE = Path(__file__).parents[2] / "data" / "labelling-guide.md"


def test_the_words_are_those_that_the_guides_first_rule_names():
    rule = re.search(r"\*\*The article decides what it names\.\*\* (.*?)\n2\.", GUIDE.read_text("utf-8"), re.DOTALL)[1]
    of_guide = dict(re.findall(r"(BPO|KPO): ([^.]*)\.", re.sub(r"\s+", " ", rule)))
    words = {label: set(re.findall(r"[a-z]+", named)) for label, named in of_guide.items()}
    assert set(words) == set(NAMED)
    for label, named in NAMED.items():
        assert set(re.findall(r"[a-z]+", named)) <= words[label]
        # Each thing that the guide names is found by a word of it.
        assert all(set(thing.split()) & set(re.findall(r"[a-z]+", named)) for thing in of_guide[label].split(", "))


def test_a_text_with_as_many_words_of_both_gets_the_other_answer():
    assert [by_words(text, "NEITHER") for text in ("patent translation", "Legal research", "entry", "")] == [
        *("NEITHER", "KPO", "BPO", "NEITHER")
    ]


def test_the_model_is_judged_on_rows_of_known_labels_by_weight():
    texts = ["translation", "legal research", "mop", "billing", "?"]
    labels = np.array(["BPO", "KPO", "KPO", "KPO", "UNCLEAR"])
    predicted = np.array(["BPO", "KPO", "KPO", "BPO", "BPO"])
    always, rules = baselines(texts, labels, predicted, ["BPO", "KPO"], np.array([1.0, 1.0, 2.0, 4.0, 9.0]))
    assert (always.name, always.accuracy) == ("always KPO", 7 / 8)
    assert (rules.name, rules.accuracy) == ("the article's words as rules", 4 / 8)
    assert (always.model.difference, rules.model.difference) == (pytest.approx(-3 / 8), pytest.approx(0))
    assert (always.model.got_right, always.model.got_wrong) == (1, 1)


def test_other_labels_have_no_words():
    labels = np.array(["access", "billing"])
    assert [one.name for one in baselines(["a", "b"], labels, labels, ["access", "billing"], np.ones(2))] == [
        "always access"
    ]
