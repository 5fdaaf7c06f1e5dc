"""Which answers to take and which to show to a person, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.model import Model
    from outsort.numeric import Floats

ACCEPT, REVIEW = "accept", "review"
#: Why a person should look, in the order in which reasons are looked for; an accepted answer has none.
REASONS = (
    "",
    "empty",
    "no words",
    "no known term",
    "too little known text",
    "looks like neither",
    "low confidence",
)
#: The least confidence to accept where the model's data certified none.
DEFAULT_THRESHOLD = 0.7
#: The greatest probability of NEITHER to accept, whatever the threshold.
MAX_NEITHER = 0.5
#: Share of a text's words that the model must know as whole words.
MIN_KNOWN = 0.25


def threshold_of(model: Model) -> float:
    """Return the confidence from which the answers of `model` are accepted."""
    return DEFAULT_THRESHOLD if np.isnan(model.threshold) else model.threshold


def confidence(log_odds: Floats, neither: Floats) -> Floats:
    """Return the probability that the better label is right: float64 (n,), 0 to 1.

    Args:
        log_odds: (n,), of KPO against BPO, given that the work is one of the two.
        neither: (n,), probability that it is not, or NaN where nobody knows.

    >>> confidence(np.array([0.0, 0.0]), np.array([0.2, np.nan]))
    array([0.4, 0.5])
    """
    of_label = 1 / (1 + np.exp(-np.abs(log_odds)))
    result: Floats = of_label * (1 - np.nan_to_num(neither))
    return result


def reasons(
    blank: NDArray[np.bool_],
    confidence: Floats,
    neither: Floats,
    n_words: NDArray[np.int32],
    n_known: NDArray[np.int32],
    n_terms: NDArray[np.int32],
    threshold: float,
) -> NDArray[np.intp]:
    """Return for each of n answers the place in `REASONS` of why a person should look; 0 for none.

    Args:
        blank: (n,), whether the text holds nothing but white space.
        confidence: (n,), see `confidence`.
        neither: (n,), probability of NEITHER, or NaN.
        n_words: (n,), words in the text that hold a letter.
        n_known: (n,), those of them that the model knows as whole words.
        n_terms: (n,), distinct known terms.
        threshold: the least confidence to accept.
    """
    conditions = [
        blank,
        n_words == 0,
        n_terms == 0,
        n_known < MIN_KNOWN * n_words,
        neither > MAX_NEITHER,
        confidence < threshold,
    ]
    return np.select(conditions, list(range(1, len(conditions) + 1)), 0).astype(np.intp)
