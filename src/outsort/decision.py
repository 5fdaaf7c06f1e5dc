"""Which answers to accept and which to send to review, with the reason."""

import numpy as np
from numpy.typing import NDArray

from outsort.model import Model
from outsort.numeric import Floats

ACCEPT, REVIEW = "accept", "review"
#: Reasons for review, in order of precedence; accepted answers have none.
REASONS = ("", "empty", "no words", "no known term", "too little known text", "looks like neither", "low confidence")
#: The threshold of a model whose data certified none.
DEFAULT_THRESHOLD = 0.7
#: Answers with a higher probability of NEITHER go to review, whatever the threshold.
MAX_NEITHER = 0.5
#: Answers go to review if the model knows fewer than this fraction of the text's words as whole words.
MIN_KNOWN = 0.25


def threshold_of(model: Model) -> float:
    """Return the least confidence at which answers of `model` are accepted."""
    return DEFAULT_THRESHOLD if np.isnan(model.threshold) else model.threshold


def confidence(log_odds: Floats, neither: Floats) -> Floats:
    """Return the probability that the predicted label is right: float64 (n,), 0 to 1.

    Args:
        log_odds: (n,), of KPO against BPO, given that the work is one of the two.
        neither: (n,), probability that the work is neither, or NaN if unknown.

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
    """Return the index in `REASONS` of the reason for review of each of n answers; 0 for none.

    Args:
        blank: (n,), whether the text is only white space.
        confidence: (n,), see `confidence`.
        neither: (n,), probability of NEITHER, or NaN.
        n_words: (n,), words of the text that contain a letter.
        n_known: (n,), how many of these the model knows as whole words.
        n_terms: (n,), distinct known terms of the text.
        threshold: answers with less confidence go to review.
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
