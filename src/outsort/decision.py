"""Which answers to accept and which to send to review, with the reason."""

import sys

import numpy as np
from numpy.typing import NDArray

from outsort.model import Model
from outsort.numeric import Floats

ACCEPT, REVIEW = "accept", "review"
MIXED, LOW_CONFIDENCE, PARTLY_OTHER = "mixed", "low confidence", "partly other work"
#: Reasons for review, in order of precedence; accepted answers have none.
REASONS = (
    "", "empty", "no words", "another language", "no known term", "too few words", "too little known text", MIXED,
    "too long", LOW_CONFIDENCE, PARTLY_OTHER,
)  # fmt: skip
#: Those that depend on the threshold alone, with "" for none.
WEAK = ("", LOW_CONFIDENCE, PARTLY_OTHER)
#: The threshold of a model whose data certified none.
DEFAULT_THRESHOLD = 0.7
#: What such a model promises.
UNCERTIFIED = f"answers are accepted from probability {DEFAULT_THRESHOLD:g}, without a promise"
#: Answers go to review if the model knows fewer than this fraction of the text's words as whole words.
MIN_KNOWN = 0.25
#: One word alone says too little: of the few real ones half were answered wrong.
MIN_WORDS = 2
#: A text with more than this many times the words of the longest row is too long.
MAX_TIMES_LONGER = 2


def threshold_of(model: Model) -> float:
    """Return the least probability of an accepted answer of `model`."""
    return model.threshold if model.is_certified else DEFAULT_THRESHOLD


def longest_of(model: Model) -> int:
    """Return how many words a text may have; practically no limit if the model does not know the length of its rows."""
    longest = model.about.get("data", {}).get("longest")
    return MAX_TIMES_LONGER * longest if isinstance(longest, int) else sys.maxsize


def reasons(
    blank: NDArray[np.bool_],
    probability: Floats,
    n_words: NDArray[np.int32],
    n_known: NDArray[np.int32],
    n_terms: NDArray[np.int32],
    foreign: NDArray[np.bool_],
    share: Floats,
    disagreement: Floats,
    model: Model,
) -> NDArray[np.intp]:
    """Return the index in `REASONS` of the reason for review of each of n answers; 0 for none.

    Args:
        blank: (n,), whether the text is only white space.
        probability: (n,), that of the answer's label.
        n_words: (n,), words of the text that contain a letter.
        n_known: (n,), how many of these the model knows as whole words.
        n_terms: (n,), distinct known terms of the text.
        foreign: (n,), whether it is in another language, see `language.is_foreign`.
        share: (n,), that of the answer's label in the text, see `Mixture`: of a text of one clause its probability.
        disagreement: (n,), how far its clauses disagree, likewise.
        model: the model, which says how probable an accepted answer is, how long a text may be, and what is mixed.
    """
    conditions = [
        blank, n_words == 0, foreign, n_terms == 0, n_words < MIN_WORDS, n_known < MIN_KNOWN * n_words,
        disagreement >= model.mixed, n_words > longest_of(model), probability < threshold_of(model),
        share < threshold_of(model),
    ]  # fmt: skip
    return np.select(conditions, list(range(1, len(conditions) + 1)), 0).astype(np.intp)
