"""From which disagreement of its clauses on a text is called mixed, learnt on pairs of held-out rows."""

import numpy as np
from numpy.typing import NDArray

from outsort.decision import threshold_of
from outsort.mixture import disagreement, sharpened
from outsort.model import Model, clause_shares
from outsort.numeric import Floats

#: Of the pairs of rows of one label that would be accepted, this share is called mixed.
FALSE_ALARMS = 0.0125
#: Pairs drawn, and the fewest accepted ones to learn from.
_N_PAIRS, _MIN_PAIRS = 200_000, 500


def mixed_level(model: Model, codes: NDArray[np.intp], raw: Floats, seed: int) -> float:
    """Return the level of disagreement from which a text is mixed; `Model.mixed` as it is with too few pairs.

    Two rows of one clause each, joined, are a text of two clauses. Of two with the same label in scope, the level
    keeps `FALSE_ALARMS`.

    Args:
        model: the calibrated model with its threshold.
        codes: intp (n_rows,), the label of each held-out row.
        raw: float64 (n_rows, n_labels + 1), as `fitting.read_counted` returns them; NaN for rows not held out.
        seed: random seed of the pairs.
    """
    rows = np.flatnonzero((raw[:, -1] == 0) & (codes < model.n_in_scope))
    if len(rows) < 2 or model.n_in_scope < 2:
        return model.mixed
    rng = np.random.default_rng(seed)
    first, second = rng.choice(rows, (2, min(_N_PAIRS, len(rows) ** 2)))
    is_pair = (codes[first] == codes[second]) & (first != second)
    scores = np.stack([raw[first[is_pair], :-1], raw[second[is_pair], :-1]])
    shares = clause_shares(np.zeros(2), model.position)
    joined = np.tensordot(shares, scores - np.array([0, 1])[:, None, None] * model.later, axes=1)
    accepted = np.exp(model.log_proba(joined)).max(axis=1) >= threshold_of(model)
    if accepted.sum() < _MIN_PAIRS:
        return model.mixed
    proba = np.exp(np.stack([model.log_proba(of_clause[accepted]) for of_clause in scores], axis=1))
    found = disagreement(sharpened(proba), np.ones(proba.shape[:2]), model.n_in_scope)
    return float(np.quantile(found, 1 - FALSE_ALARMS))
