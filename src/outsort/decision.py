"""Which answers to take and which to show to a person, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.model import Floats

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

#: The least probability of the label to accept, and the greatest of NEITHER.
MIN_PROBABILITY = 0.7
MAX_NEITHER = 0.5
#: Share of a text's words that the model must know as whole words.
MIN_KNOWN = 0.25


def reasons(
    blank: NDArray[np.bool_],
    probability: Floats,
    neither: Floats,
    n_words: NDArray[np.int32],
    n_known: NDArray[np.int32],
    n_terms: NDArray[np.int32],
) -> NDArray[np.intp]:
    """Return for each of n answers the place in `REASONS` of why a person should look; 0 for none.

    Args:
        blank: (n,), whether the text holds nothing but white space.
        probability: (n,), of the label.
        neither: (n,), probability of NEITHER, or NaN.
        n_words: (n,), words in the text that hold a letter.
        n_known: (n,), those of them that the model knows as whole words.
        n_terms: (n,), distinct known terms.
    """
    conditions = [
        blank,
        n_words == 0,
        n_terms == 0,
        n_known < MIN_KNOWN * n_words,
        neither > MAX_NEITHER,
        probability < MIN_PROBABILITY,
    ]
    return np.select(conditions, list(range(1, len(conditions) + 1)), 0).astype(np.intp)
