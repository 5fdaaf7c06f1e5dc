"""What a model has to be better than: answers that need no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outsort.evaluation.compare import Judgement, judge
from outsort.labels import BPO, KPO
from outsort.metrics import weighted_share
from outsort.numeric import Floats
from outsort.results import Result
from outsort.text import words

#: What rule 1 of `data/labelling-guide.md` names for each label: the article's words.
NAMED = {
    BPO: "data entry, cleansing, document conversion, web design, call centre, customer service, "
    "translation, tax monitoring, compensation schedules, secretarial scheduling, technical support, "
    "animation, multimedia, marketing, revenues, billing, medical transcription",
    KPO: "research, analysis, patent, intellectual property, development, database, legal, content writing",
}
#: The words of these.
WORDS = {label: frozenset(re.findall(r"[a-z]+", named)) for label, named in NAMED.items()}


@dataclass(frozen=True)
class Baseline(Result):
    """A way to answer that needs no model, on the same rows.

    Attributes:
        name: what it does.
        accuracy: share of right answers, by weight.
        model: the model judged against it.
    """

    name: str
    accuracy: float
    model: Judgement


def baselines(
    texts: Sequence[str], labels: NDArray[np.str_], predicted: NDArray[np.str_], names: Sequence[str], weights: Floats
) -> list[Baseline]:
    """Compare a model's answers with always the larger label and, for BPO and KPO, with the article's words as rules.

    Args:
        texts: n_rows strings.
        labels: str (n_rows,); rows with a label that is not in `names` do not count.
        predicted: str (n_rows,), the model's answers.
        names: the labels that the model knows.
        weights: float64 (n_rows,), row weights, not all 0 where the label is known.
    """
    decided = np.isin(labels, names)
    largest = max(names, key=lambda name: float(weights[labels == name].sum()))
    answers = {f"always {largest}": np.full(len(labels), largest)}
    if set(NAMED) <= set(names):
        answers["the article's words as rules"] = np.array([by_words(text, largest) for text in texts])
    return [
        Baseline(
            name,
            accuracy=weighted_share(weights, given == labels, decided) or 0.0,
            model=judge(((predicted == labels).astype(int) - (given == labels))[decided], weights[decided]),
        )
        for name, given in answers.items()
    ]


def by_words(text: str, otherwise: str) -> str:
    """Return the label with more of its named words in a text; `otherwise` where none has more.

    >>> by_words("Translation of a patent, research and analysis", "BPO"), by_words("Mop the floor", "BPO")
    ('KPO', 'BPO')
    """
    found = set(words(text))
    hits = {label: len(found & named) for label, named in WORDS.items()}
    if hits[BPO] == hits[KPO]:
        return otherwise
    return max(hits, key=lambda label: hits[label])
