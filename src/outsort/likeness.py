"""Whether texts are like those that the promise of a model was measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outsort.results import Result

#: With fewer texts, shares say little.
MIN_TEXTS = 30
#: How far from the measured ones: more than so many times and points more unknown words, so many times longer or
#: shorter, labels so far apart (total variation), and so many points more to review.
UNKNOWN_TIMES, UNKNOWN_MORE, LENGTH_TIMES, LABELS_APART, REVIEW_MORE = 2, 0.05, 4, 0.3, 0.15


@dataclass(frozen=True)
class Profile(Result):
    """What some texts are like to a model.

    Attributes:
        n_texts: the number of texts with a word.
        words: mean number of words.
        unknown: share of the words that the model does not know.
        review: share of the texts whose answers go to review.
        labels: share of the answers with each label.
    """

    n_texts: int
    words: float
    unknown: float
    review: float
    labels: dict[str, float]


@dataclass
class Tally:
    """What `Profile` needs, summed up batch by batch."""

    n_texts: int = 0
    n_words: int = 0
    n_known: int = 0
    n_review: int = 0
    of_labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(
        self,
        label: NDArray[np.intp],
        n_words: NDArray[np.int32],
        n_known: NDArray[np.int32],
        is_reviewed: NDArray[np.bool_],
        n_labels: int,
    ) -> None:
        """Add the answers to n texts; those without a word are left out.

        Args:
            label: (n,), the place of the answer among `n_labels`.
            n_words: (n,), words with a letter.
            n_known: (n,), how many of them the model knows.
            is_reviewed: (n,), whether the answer goes to review.
            n_labels: the number of labels.
        """
        kept = n_words > 0
        self.n_texts += int(kept.sum())
        self.n_words += int(n_words.sum())
        self.n_known += int(n_known.sum())
        self.n_review += int(is_reviewed[kept].sum())
        found = np.bincount(label[kept], minlength=n_labels)
        self.of_labels = found + self.of_labels if len(self.of_labels) else found

    def profile(self, labels: Sequence[str]) -> Profile:
        """Return what the texts are like; `labels` are those of the model."""
        n = max(self.n_texts, 1)
        return Profile(
            self.n_texts,
            self.n_words / n,
            1 - self.n_known / max(self.n_words, 1),
            self.n_review / n,
            {label: int(count) / n for label, count in zip(labels, self.of_labels.tolist(), strict=False)},
        )


def differences(found: Profile, measured: Mapping[str, Any]) -> list[str]:
    """Return how texts differ from those that a promise was measured on, whose figures are in brackets.

    Args:
        found: what the texts are like.
        measured: the `Profile` of those, as plain values.

    Returns:
        Phrases such as "31% of words unknown (4%)"; none if the texts are like them, or too few to tell.
    """
    if found.n_texts < MIN_TEXTS or not measured:
        return []
    usual = Profile.from_dict(measured)
    result = []
    if found.unknown > UNKNOWN_TIMES * usual.unknown + UNKNOWN_MORE:
        result.append(f"{found.unknown:.0%} of words unknown ({usual.unknown:.0%})")
    if not usual.words / LENGTH_TIMES <= found.words <= usual.words * LENGTH_TIMES:
        result.append(f"{found.words:.0f} words a text ({usual.words:.0f})")
    apart = {label: share - usual.labels.get(label, 0.0) for label, share in found.labels.items()}
    if sum(map(abs, apart.values())) / 2 > LABELS_APART:
        most = max(apart, key=lambda label: abs(apart[label]))
        result.append(f"{found.labels[most]:.0%} {most} ({usual.labels.get(most, 0.0):.0%})")
    if found.review > usual.review + REVIEW_MORE:
        result.append(f"{found.review:.0%} to review ({usual.review:.0%})")
    return result
